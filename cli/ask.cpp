#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "cli/ask_ahead.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/text.h"
#include "daemon/home/office_home.h"
#include "proto/control.pb.h"
#include "proto/limits.h"

namespace fieldpost::cli {

namespace {

constexpr std::size_t answer_bytes_max = 1U << 30;

class Socket {
public:
    Socket() : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {}
    ~Socket() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_;
};

Failure timed_out(Asking asking) {
    return {exit_timed_out, "outcome_unknown", "the daemon did not answer in time",
            asking == Asking::to_change ? "look whether it was done before trying again"
                                        : "try again, or give it longer with --timeout"};
}

// Explains the errno that connect() left.
Failure not_connected(const Common& common) {
    if (errno == EACCES || errno == EPERM) {
        return {exit_refused, "no_access", fmt::format("{} is closed to you", common.home.string()),
                "ask an administrator to add you to the group fieldpost, or fieldpost-read to look "
                "only"};
    }
    if (!home::OfficeHome(common.home).is_office()) {
        return {exit_no_daemon, "daemon_down",
                fmt::format("no office lives in {}", common.home.string()),
                "name another with --home, or see: fieldpost init, join"};
    }
    return {exit_no_daemon, "daemon_down", "the daemon is not running",
            "start it: " + how_to_start(common.home)};
}

// False: it was not ready in time. A caller that handles signals looks at them between two
// requests.
bool is_ready(const Common& common, const Socket& socket, short events) {
    pollfd waiting{socket.fd(), events, 0};
    const auto wait_ms = static_cast<int>(std::min(common.timeout_s, std::uint32_t{86400}) * 1000);
    int ready = -1;
    do {
        ready = ::poll(&waiting, 1, wait_ms);
    } while (ready < 0 && errno == EINTR);
    return ready > 0;
}

// errno: why not, if it failed.
bool connect_to(const Socket& socket, const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    std::strcpy(address.sun_path, path.c_str());
    return ::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// Those who may not ask for everything may still read.
bool connect_to_either(const Socket& socket, const home::OfficeHome& home) {
    if (connect_to(socket, home.socket())) {
        return true;
    }
    const auto why = errno;
    if (why == EACCES && connect_to(socket, home.readers_socket())) {
        return true;
    }
    // A door that this person may use, and nobody opens: the daemon is down, or busy.
    errno = why == EACCES && (errno == EAGAIN || errno == ECONNREFUSED) ? errno : why;
    return false;
}

Outcome<void> connect(const Common& common, const Socket& socket) {
    const home::OfficeHome home(common.home);
    if (home.socket().native().size() >= sizeof(sockaddr_un::sun_path)) {
        return std::unexpected(Failure{exit_failed, "failed", "the path of the home is too long",
                                       "choose a shorter one"});
    }
    // A daemon that is stopped, or very busy, has a full queue. poll() cannot wait for that.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds{common.timeout_s};
    constexpr int retry_ms = 20;
    while (!connect_to_either(socket, home)) {
        if (errno != EAGAIN) {
            return std::unexpected(not_connected(common));
        }
        if (std::chrono::steady_clock::now() >= until) {
            return std::unexpected(Failure{exit_timed_out, "no_answer",
                                           "the daemon takes no request: it is stopped or busy",
                                           "try again, or give it longer with --timeout; nothing "
                                           "was done"});
        }
        ::poll(nullptr, 0, retry_ms);
    }
    return {};
}

}  // namespace

int report(const Common& common, const Failure& failure) {
    if (common.json) {
        const nlohmann::json object = {{"error",
                                        {{"exit", failure.exit},
                                         {"code", failure.code},
                                         {"what", failure.what},
                                         {"next", failure.next},
                                         {"ids", failure.ids}}}};
        fmt::print(stderr, "{}\n", json_text(object));
    } else {
        fmt::print(stderr, "fieldpost: {}; {}\n", safe_line(failure.what), failure.next);
    }
    return failure.exit;
}

Failure no_duration(const std::string& given) {
    return {exit_invalid, "invalid", fmt::format("{} is no duration", given),
            "write it as 30s, 15min, 36h or 30d"};
}

Failure no_time(const std::string& given) {
    return {exit_invalid, "invalid", fmt::format("{} is no time", given),
            "write 2026-11-21, an age such as 7d, or RFC 3339"};
}

std::string how_to_start(const std::filesystem::path& home) {
    // An installed office belongs to its own user, and its daemon refuses every other user.
    return home == "/var/lib/fieldpost" ? "sudo systemctl start fieldpost"
                                        : fmt::format("fieldpostd --home {}", home.string());
}

bool color_of(const std::string& option) {
    if (option != "auto") {
        return option == "always";
    }
    const char* no_color = std::getenv("NO_COLOR");
    return (no_color == nullptr || *no_color == '\0') && isatty(STDOUT_FILENO) != 0;
}

std::string painted(const Common& common, const std::string& words) {
    return common.color ? "\x1b[31m" + words + "\x1b[0m" : words;
}

Failure failure_of(const Error& error) {
    switch (error.code) {
        case Errc::not_found:
            return {exit_not_found, "not_found", error.detail, "check the name"};
        case Errc::refused:
        case Errc::untrusted:
            return {exit_refused, "refused", error.detail, "see: fieldpost status"};
        case Errc::malformed:
        case Errc::limit_exceeded:
        case Errc::unsupported:
            return {exit_invalid, "invalid", error.detail, "change it and try again"};
        case Errc::storage_full:
            return {exit_no_space, "no_space", error.detail, "free space, then try again"};
        default:
            return {exit_failed, "failed", error.detail, "try again"};
    }
}

Outcome<void> ask(const Common& common, const wire::Request& request, wire::Answer& answer,
                  Asking asking) {
    const Socket socket;
    if (auto connected = connect(common, socket); !connected) {
        return connected;
    }
    ByteWriter out;
    const auto bytes = request.SerializeAsString();
    out.u32(static_cast<std::uint32_t>(bytes.size()));
    out.raw(as_bytes(bytes));
    std::size_t sent = 0;
    while (sent < out.size()) {
        const auto now =
            ::send(socket.fd(), out.bytes().data() + sent, out.size() - sent, MSG_NOSIGNAL);
        if (now < 0 && errno == EINTR) {
            continue;
        }
        if (now < 0 && errno == EAGAIN) {
            if (!is_ready(common, socket, POLLOUT)) {
                return std::unexpected(timed_out(asking));
            }
            continue;
        }
        if (now <= 0) {
            return std::unexpected(Failure{exit_failed, "failed", "the daemon hung up",
                                           "see the daemon's log; nothing was done"});
        }
        sent += static_cast<std::size_t>(now);
    }
    Bytes in;
    std::array<std::byte, 65536> buffer;
    while (true) {
        if (!is_ready(common, socket, POLLIN)) {
            return std::unexpected(timed_out(asking));
        }
        const auto got = ::read(socket.fd(), buffer.data(), buffer.size());
        if (got <= 0) {
            return std::unexpected(Failure{exit_timed_out, "outcome_unknown",
                                           "the daemon went while it was asked",
                                           "start it, and look with fieldpost list"});
        }
        in.insert(in.end(), buffer.begin(), buffer.begin() + got);
        ByteReader reader(in);
        const auto length = reader.read_u32();
        if (length && *length > answer_bytes_max) {
            return std::unexpected(Failure{exit_failed, "failed", "an answer that cannot be",
                                           "is the daemon of another release?"});
        }
        if (!length || reader.left() < *length) {
            continue;
        }
        if (!answer.ParseFromArray(reader.rest().data(), static_cast<int>(*length))) {
            return std::unexpected(Failure{exit_failed, "failed", "an answer that cannot be read",
                                           "is the daemon of another release?"});
        }
        break;
    }
    if (answer.has_problem()) {
        const auto& problem = answer.problem();
        return std::unexpected(Failure{static_cast<int>(problem.exit()),
                                       problem.code(),
                                       problem.what(),
                                       problem.next(),
                                       {problem.ids().begin(), problem.ids().end()}});
    }
    return {};
}

std::future<Outcome<wire::Answer>> ask_ahead(const Common& common, const wire::Request& request) {
    return std::async(std::launch::async, [&common, request]() -> Outcome<wire::Answer> {
        wire::Answer answer;
        const auto asked = ask(common, request, answer);
        return asked ? Outcome<wire::Answer>(std::move(answer)) : std::unexpected(asked.error());
    });
}

}  // namespace fieldpost::cli
