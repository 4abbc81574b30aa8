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

// A report with all its attachments, and what describes them.
constexpr std::size_t request_bytes_max = limits::record_bytes_max + (8U << 20);
constexpr std::size_t clients_max = 64;
// Only one request larger than this is read at a time; who sends another waits.
constexpr std::size_t large_request_bytes = 1U << 20;
constexpr std::size_t length_bytes = 4;
constexpr std::chrono::milliseconds stalled_after = std::chrono::seconds{10};

// The owner, root, and members of the socket's group.
bool is_admitted(int client, int listener_uid, gid_t group) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (getsockopt(client, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return false;
    }
    if (credentials.uid == 0 || static_cast<int>(credentials.uid) == listener_uid ||
        credentials.gid == group) {
        return true;
    }
    std::vector<gid_t> groups(256);
    socklen_t bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (getsockopt(client, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) != 0) {
        return false;
    }
    groups.resize(bytes / sizeof(gid_t));
    return std::ranges::find(groups, group) != groups.end();
}

}  // namespace

struct ControlSocket::Client {
    ClientId id{};
    Bytes in;
    Bytes out;
    std::size_t sent = 0;
    bool is_asked = false;  // its one request has come
    Instant heard{};

    // Its request is so large that only one such is read at a time.
    [[nodiscard]] bool is_large() const {
        const auto length = ByteReader(in).read_u32();
        return !is_asked && length && *length > large_request_bytes;
    }
};

ControlSocket::ControlSocket(std::filesystem::path path, int fd)
    : path_(std::move(path)), fd_(fd) {}

ControlSocket::~ControlSocket() {
    for (const auto& [fd, client] : clients_) {
        ::close(fd);
    }
    ::close(fd_);
    ::unlink(path_.c_str());
}

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const std::filesystem::path& path) {
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
        ::listen(fd, static_cast<int>(clients_max)) == 0;
    ::umask(old_mask);
    if (!bound) {
        const auto why = std::strerror(errno);
        if (fd >= 0) {
            ::close(fd);
        }
        return fail(Errc::unavailable, fmt::format("cannot listen on {}: {}", path.string(), why));
    }
    return std::unique_ptr<ControlSocket>(new ControlSocket(path, fd));
}

// The one that came first goes first.
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
    // A client that finds every place taken waits in the listener's queue and is not refused: most
    // places are free again after one read.
    if (clients_.size() < clients_max) {
        all.push_back({fd_, false});
    }
    for (const auto& [fd, client] : clients_) {
        if (!waits_its_turn(client)) {
            all.push_back({fd, !client.out.empty()});
        }
    }
    return all;
}

bool ControlSocket::waits_its_turn(const Client& client) const {
    return client.is_large() && &client != large_one();
}

std::optional<Instant> ControlSocket::wake_at() const {
    std::optional<Instant> first;
    for (const auto& [fd, client] : clients_) {
        const auto at = client.heard + stalled_after;
        if (!client.is_asked && !waits_its_turn(client) && (!first || at < *first)) {
            first = at;
        }
    }
    return first;
}

void ControlSocket::drop_stalled(Instant now) {
    std::vector<int> stalled;
    bool frees_turn = false;
    for (const auto& [fd, client] : clients_) {
        if (!client.is_asked && !waits_its_turn(client) && client.heard + stalled_after <= now) {
            stalled.push_back(fd);
            frees_turn = frees_turn || client.is_large();
        }
    }
    for (const int fd : stalled) {
        ::close(fd);
        clients_.erase(fd);
    }
    if (frees_turn) {
        pass_turn(now);
    }
}

// The client whose turn it is now was not read until now: its time begins.
void ControlSocket::pass_turn(Instant now) {
    for (auto& [fd, client] : clients_) {
        client.heard = std::max(client.heard, now);
    }
}

void ControlSocket::accept_all(Instant now) {
    while (clients_.size() < clients_max) {
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            return;
        }
        struct stat info{};
        const bool admitted = ::stat(path_.c_str(), &info) == 0 &&
                              is_admitted(fd, static_cast<int>(::geteuid()), info.st_gid);
        if (!admitted) {
            ::close(fd);
            continue;
        }
        auto& client = clients_[fd];
        client.id = ClientId{next_++};
        client.heard = now;
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
    client.heard = now;
    if (is_readable) {
        std::array<std::byte, 65536> buffer;
        while (true) {
            const auto got = ::read(fd, buffer.data(), buffer.size());
            if (got <= 0) {
                is_gone = got == 0 || (errno != EAGAIN && errno != EINTR);
                break;
            }
            if (client.is_asked || client.in.size() + static_cast<std::size_t>(got) >
                                       request_bytes_max + length_bytes) {
                is_gone = true;
                break;
            }
            client.in.insert(client.in.end(), buffer.begin(), buffer.begin() + got);
            if (client.is_large() && &client != large_one()) {
                break;
            }
        }
        ByteReader in(client.in);
        const auto length = in.read_u32();
        if (!client.is_asked && length && *length > request_bytes_max) {
            is_gone = true;
        } else if (!client.is_asked && length && in.left() >= *length) {
            const bool was_large = client.is_large();
            client.is_asked = true;
            if (was_large) {
                pass_turn(now);
            }
            requests.push_back({client.id, to_bytes(in.rest().first(*length))});
            client.in.clear();
        }
    }
    if (is_writable && client.sent < client.out.size()) {
        const auto sent = ::send(fd, client.out.data() + client.sent,
                                 client.out.size() - client.sent, MSG_NOSIGNAL);
        if (sent > 0) {
            client.sent += static_cast<std::size_t>(sent);
        } else if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            is_gone = true;
        }
        is_gone = is_gone || client.sent == client.out.size();
    }
    // Who hung up after asking hears no answer, and what was asked is done all the same.
    if (is_gone) {
        ::close(fd);
        clients_.erase(found);
    }
    return requests;
}

void ControlSocket::answer(ClientId id, BytesView bytes) {
    for (auto& [fd, client] : clients_) {
        if (client.id != id) {
            continue;
        }
        ByteWriter out;
        out.u32(static_cast<std::uint32_t>(bytes.size()));
        out.raw(bytes);
        client.out = out.take();
        const auto sent = ::send(fd, client.out.data(), client.out.size(), MSG_NOSIGNAL);
        client.sent = sent > 0 ? static_cast<std::size_t>(sent) : 0;
        if (client.sent == client.out.size()) {
            const int done = fd;
            ::close(done);
            clients_.erase(done);
        }
        return;
    }
}

}  // namespace fieldpost::control
