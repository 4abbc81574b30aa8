#include "daemon/control/control_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "proto/limits.h"

namespace fieldpost::control {

namespace {

constexpr std::size_t whole_report_bytes = limits::record_bytes_max + (8U << 20);

}  // namespace

const DoorLimits whole_reports{whole_report_bytes, 3 * whole_report_bytes};
const DoorLimits questions{256U << 10, whole_report_bytes};

namespace {

// Clients that are served at a time. One more place is only for the owner.
constexpr std::size_t members_max = 64;
constexpr std::size_t places_max = members_max + 1;
// Clients that have no place yet. They are accepted all the same, because the owner may wait behind
// them in the listener's queue. The queue can only be seen by accepting.
constexpr std::size_t waiting_max = 256;
constexpr int queue_max = 64;
// Only one request larger than this is read at a time. Another client with such a request waits.
constexpr std::size_t large_bytes = 1U << 20;
constexpr std::size_t length_bytes = 4;
constexpr std::chrono::milliseconds stalled_after = std::chrono::seconds{10};
// Less than any machine sends in a second. So a client that moves a byte now and then counts as
// stalled too.
constexpr std::size_t bytes_a_second_min = 64U << 10;

Standing standing_by_credentials(int client, std::span<const gid_t> heard) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return Standing::stranger;
    }
    if (credentials.uid == 0 || credentials.uid == ::geteuid()) {
        return Standing::owner;
    }
    const auto is_heard = [&](gid_t group) {
        return std::ranges::find(heard, group) != heard.end();
    };
    if (is_heard(credentials.gid)) {
        return Standing::member;
    }
    std::vector<gid_t> groups(256);
    socklen_t bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (getsockopt(client, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) != 0) {
        return Standing::stranger;
    }
    groups.resize(bytes / sizeof(gid_t));
    return std::ranges::any_of(groups, is_heard) ? Standing::member : Standing::stranger;
}

}  // namespace

struct ControlSocket::Client {
    ClientId id{};
    Standing standing{};
    bool has_place = false;
    Bytes in;
    Bytes out;
    std::size_t sent = 0;
    bool is_asked = false;  // its one request has come
    Instant began{};        // when it began to send its request, or to be sent the answer
    Instant moved{};        // when the last bytes went either way

    void begin(Instant now) { began = moved = now; }

    // True if its request is so large that only one such request is read at a time.
    [[nodiscard]] bool is_large() const {
        const auto length = ByteReader(in).read_u32();
        return !is_asked && length && *length > large_bytes;
    }
};

ControlSocket::ControlSocket(std::filesystem::path path, int fd, const DoorLimits& limits,
                             StandingOf standing_of)
    : path_(std::move(path)), fd_(fd), limits_(limits), standing_of_(std::move(standing_of)) {}

ControlSocket::~ControlSocket() {
    for (const auto& [fd, client] : clients_) {
        ::close(fd);
    }
    ::close(fd_);
    ::unlink(path_.c_str());
}

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const std::filesystem::path& path,
                                                           const DoorLimits& limits,
                                                           std::optional<gid_t> also,
                                                           StandingOf standing_of) {
    if (!standing_of) {
        standing_of = [path, also](int client) {
            struct stat info{};
            if (::stat(path.c_str(), &info) != 0) {
                return Standing::stranger;
            }
            const std::array heard{info.st_gid, also.value_or(info.st_gid)};
            return standing_by_credentials(client, heard);
        };
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path) {
        return fail(
            Errc::unavailable,
            fmt::format("the path of the home is too long for a socket: {}", path.string()));
    }
    std::strcpy(address.sun_path, path.c_str());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ::unlink(path.c_str());
    const auto old_mask = ::umask(0117);
    const bool bound =
        fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::listen(fd, queue_max) == 0;
    ::umask(old_mask);
    if (!bound) {
        const auto why = std::strerror(errno);
        if (fd >= 0) {
            ::close(fd);
        }
        return fail(Errc::unavailable, fmt::format("cannot listen on {}: {}", path.string(), why));
    }
    return std::unique_ptr<ControlSocket>(
        new ControlSocket(path, fd, limits, std::move(standing_of)));
}

// The large request whose turn it is: the oldest one.
const ControlSocket::Client* ControlSocket::large_one() const {
    const Client* first = nullptr;
    for (const auto& [fd, client] : clients_) {
        if (client.is_large() && (first == nullptr || client.id < first->id)) {
            first = &client;
        }
    }
    return first;
}

std::vector<Interest> ControlSocket::interests() const {
    std::vector<Interest> all;
    if (count_waiting(Standing::owner) < waiting_max) {
        all.push_back({fd_, false});
    }
    for (const auto& [fd, client] : clients_) {
        if (client.has_place && !waits_its_turn(client)) {
            all.push_back({fd, !client.out.empty()});
        }
    }
    return all;
}

std::size_t ControlSocket::count_waiting(Standing standing) const {
    return static_cast<std::size_t>(std::ranges::count_if(clients_, [&](const auto& entry) {
        return !entry.second.has_place && entry.second.standing == standing;
    }));
}

bool ControlSocket::waits_its_turn(const Client& client) const {
    return client.is_large() && &client != large_one();
}

// When the client will have kept its place for too long. Nothing while it waits for us.
std::optional<Instant> ControlSocket::stalled_at(const Client& client) const {
    const bool is_awaited = client.is_asked ? !client.out.empty() : !waits_its_turn(client);
    if (!client.has_place || !is_awaited) {
        return std::nullopt;
    }
    const auto bytes = client.is_asked ? client.sent : client.in.size();
    const std::chrono::milliseconds earned{bytes * 1000 / bytes_a_second_min};
    return std::min(client.moved, client.began + earned) + stalled_after;
}

std::optional<Instant> ControlSocket::wake_at() const {
    std::optional<Instant> first;
    for (const auto& [fd, client] : clients_) {
        const auto at = stalled_at(client);
        if (at && (!first || *at < *first)) {
            first = at;
        }
    }
    return first;
}

void ControlSocket::drop_stalled(Instant now) {
    std::vector<int> stalled;
    for (const auto& [fd, client] : clients_) {
        if (const auto at = stalled_at(client); at && *at <= now) {
            stalled.push_back(fd);
        }
    }
    for (const int fd : stalled) {
        hang_up(fd, now);
    }
}

void ControlSocket::hang_up(int fd, Instant now) {
    const auto found = clients_.find(fd);
    const bool frees_turn = &found->second == large_one();
    ::close(fd);
    clients_.erase(found);
    if (frees_turn) {
        pass_turn(now);
    }
    give_places(now);
}

// The next large client was not read until now, so its time begins now.
void ControlSocket::pass_turn(Instant now) {
    const auto* next = large_one();
    for (auto& [fd, client] : clients_) {
        if (&client == next) {
            client.begin(now);
        }
    }
}

bool ControlSocket::has_place_for(const Client& client) const {
    std::size_t owners = 0;
    std::size_t members = 0;
    for (const auto& [fd, other] : clients_) {
        if (other.has_place) {
            ++(other.standing == Standing::owner ? owners : members);
        }
    }
    return owners + members < places_max &&
           (client.standing == Standing::owner || members < members_max);
}

// The owner's clients go first, then the oldest client.
void ControlSocket::give_places(Instant now) {
    while (true) {
        Client* next = nullptr;
        const auto rank = [](const Client& client) {
            return std::pair(client.standing != Standing::owner, client.id);
        };
        for (auto& [fd, client] : clients_) {
            if (!client.has_place && (next == nullptr || rank(client) < rank(*next))) {
                next = &client;
            }
        }
        if (next == nullptr || !has_place_for(*next)) {
            return;
        }
        next->has_place = true;
        next->begin(now);
    }
}

// A client that finds every place taken waits and is not refused. Most places are free again after
// one read.
void ControlSocket::accept_all(Instant now) {
    while (count_waiting(Standing::owner) < waiting_max) {
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            return;
        }
        const auto standing = standing_of_(fd);
        if (standing == Standing::stranger ||
            (standing == Standing::member && count_waiting(standing) >= waiting_max)) {
            ::close(fd);
            continue;
        }
        auto& client = clients_[fd];
        client.id = ClientId{next_++};
        client.standing = standing;
        give_places(now);
    }
}

// False: there is not enough memory for the bytes that it sends.
bool ControlSocket::take(Client& client, std::span<const std::byte> bytes) {
    try {
        client.in.insert(client.in.end(), bytes.begin(), bytes.end());
        return true;
    } catch (const std::bad_alloc&) {
        return false;
    }
}

std::vector<RequestIn> ControlSocket::handle(int fd, bool is_readable, bool is_writable,
                                             Instant now) {
    std::vector<RequestIn> requests;
    if (fd == fd_) {
        accept_all(now);
        return requests;
    }
    const auto found = clients_.find(fd);
    if (found == clients_.end()) {
        return requests;
    }
    auto& client = found->second;
    bool is_gone = false;
    if (is_readable) {
        std::array<std::byte, 65536> buffer;
        while (true) {
            const auto got = ::read(fd, buffer.data(), buffer.size());
            if (got <= 0) {
                is_gone = got == 0 || (errno != EAGAIN && errno != EINTR);
                break;
            }
            if (client.is_asked || client.in.size() + static_cast<std::size_t>(got) >
                                       limits_.request_bytes + length_bytes) {
                is_gone = true;
                break;
            }
            if (!take(client, std::span(buffer).first(static_cast<std::size_t>(got)))) {
                is_gone = true;
                break;
            }
            client.moved = now;
            if (client.is_large() && &client != large_one()) {
                break;
            }
        }
        const auto length = ByteReader(client.in).read_u32();
        if (!client.is_asked && length && *length > limits_.request_bytes) {
            is_gone = true;
        } else if (!client.is_asked && length && client.in.size() - length_bytes >= *length) {
            const bool was_large = client.is_large();
            client.is_asked = true;
            if (was_large) {
                pass_turn(now);
            }
            client.in.erase(client.in.begin(), client.in.begin() + length_bytes);
            client.in.resize(*length);
            requests.push_back({client.id, std::exchange(client.in, {})});
        }
    }
    if (is_writable && client.sent < client.out.size()) {
        const auto sent = ::send(fd, client.out.data() + client.sent,
                                 client.out.size() - client.sent, MSG_NOSIGNAL);
        if (sent > 0) {
            client.sent += static_cast<std::size_t>(sent);
            client.moved = now;
        } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            is_gone = true;
        }
        is_gone = is_gone || client.sent == client.out.size();
    }
    // A client that hung up after asking gets no answer. Its request is done all the same.
    if (is_gone) {
        hang_up(fd, now);
    }
    return requests;
}

bool ControlSocket::has_room_for(std::size_t answer_bytes) const {
    std::size_t unread = 0;
    for (const auto& [fd, client] : clients_) {
        unread += client.out.size();
    }
    return answer_bytes <= large_bytes || unread + answer_bytes <= limits_.answers_bytes;
}

void ControlSocket::answer(ClientId id, Bytes bytes, Instant now) {
    const auto found =
        std::ranges::find_if(clients_, [&](const auto& entry) { return entry.second.id == id; });
    if (found == clients_.end()) {
        return;
    }
    auto& [fd, client] = *found;
    // The length is the first thing sent, so the socket's buffer has room for it.
    ByteWriter length;
    length.u32(static_cast<std::uint32_t>(bytes.size()));
    const auto head = length.take();
    client.out = std::move(bytes);
    client.begin(now);
    if (::send(fd, head.data(), head.size(), MSG_NOSIGNAL | MSG_MORE) !=
        static_cast<ssize_t>(head.size())) {
        hang_up(fd, now);
        return;
    }
    const auto sent = ::send(fd, client.out.data(), client.out.size(), MSG_NOSIGNAL);
    client.sent = sent > 0 ? static_cast<std::size_t>(sent) : 0;
    if (client.sent == client.out.size()) {
        hang_up(fd, now);
    }
}

}  // namespace fieldpost::control
