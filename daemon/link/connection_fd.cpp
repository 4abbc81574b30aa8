#include "daemon/link/connection_fd.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

namespace fieldpost::link {

namespace {

std::optional<std::array<std::byte, 16>> address_bytes(const sockaddr* address) {
    std::array<std::byte, 16> bytes{};
    if (address != nullptr && address->sa_family == AF_INET6) {
        std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 16);
        return bytes;
    }
    if (address != nullptr && address->sa_family == AF_INET) {
        bytes[10] = bytes[11] = std::byte{0xff};
        std::memcpy(bytes.data() + 12, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
        return bytes;
    }
    return std::nullopt;
}

// All of 127.0.0.0/8 is this machine, but the system lists only the first address.
bool is_loopback(const std::array<std::byte, 16>& bytes) {
    return bytes[10] == std::byte{0xff} && bytes[11] == std::byte{0xff} &&
           bytes[12] == std::byte{127};
}

std::optional<tcp_info> tcp_info_of(int fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? std::optional(info)
                                                                      : std::nullopt;
}

}  // namespace

Addresses own_addresses() {
    Addresses all;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return all;
    }
    for (const auto* one = list; one != nullptr; one = one->ifa_next) {
        if (const auto bytes = address_bytes(one->ifa_addr)) {
            all.insert(*bytes);
        }
    }
    ::freeifaddrs(list);
    return all;
}

ConnectionFd ConnectionFd::of_connection(int fd) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const bool is_tcp = ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
                        (peer.ss_family == AF_INET || peer.ss_family == AF_INET6);
    ConnectionFd own(is_tcp ? ::fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1);
    own.found_none_free_ = is_tcp && own.number_ < 0;
    return own;
}

ConnectionFd::~ConnectionFd() {
    if (number_ >= 0) {
        ::close(number_);
    }
}

bool ConnectionFd::is_among_last() const {
    // Descriptors kept free for the store, the control socket, folders and dialling.
    constexpr rlim_t reserve = 128;
    rlimit limit{};
    // The kernel gives the lowest free number, so this number counts the descriptors below it.
    return found_none_free_ || (number_ >= 0 && ::getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
                                static_cast<rlim_t>(number_) + reserve > limit.rlim_cur);
}

void ConnectionFd::cut_off_libzmqs(int fd) {
    ::shutdown(fd, SHUT_RDWR);
}

void ConnectionFd::cut_off() const {
    ::shutdown(number_, SHUT_RDWR);
}

void ConnectionFd::forget_unsent() const {
    const linger at_once{1, 0};
    ::setsockopt(number_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

std::optional<std::uint64_t> ConnectionFd::bytes_on_the_wire() const {
    constexpr std::uint64_t header_bytes = 52;  // headers of IPv4 and of TCP with time stamps
    const auto info = tcp_info_of(number_);
    return info ? std::optional(info->tcpi_bytes_sent + info->tcpi_bytes_received +
                                header_bytes *
                                    (std::uint64_t{info->tcpi_segs_out} + info->tcpi_segs_in))
                : std::nullopt;
}

std::optional<std::uint64_t> ConnectionFd::bytes_received() const {
    const auto info = tcp_info_of(number_);
    return info ? std::optional(info->tcpi_bytes_received) : std::nullopt;
}

std::uint64_t ConnectionFd::bytes_behind_hole() const {
    const auto info = tcp_info_of(number_);
    return info ? std::uint64_t{info->tcpi_sacked} * info->tcpi_snd_mss : 0;
}

void ConnectionFd::keep_alive(const KeepAlive& how) const {
    const auto set = [&](int level, int option, auto value) {
        const auto number = static_cast<int>(value);
        ::setsockopt(number_, level, option, &number, sizeof number);
    };
    set(IPPROTO_TCP, TCP_KEEPIDLE, how.idle.count());
    set(IPPROTO_TCP, TCP_KEEPINTVL, how.interval.count());
    // While this option is set it decides, and not the number of probes (tcp(7)).
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, std::chrono::milliseconds(how.dead_after).count());
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

bool ConnectionFd::has_lost_address(const Addresses& ours) const {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (number_ < 0 || ::getsockname(number_, reinterpret_cast<sockaddr*>(&own), &size) != 0) {
        return false;
    }
    const auto bytes = address_bytes(reinterpret_cast<const sockaddr*>(&own));
    return bytes && !ours.empty() && !is_loopback(*bytes) && !ours.contains(*bytes);
}

}  // namespace fieldpost::link
