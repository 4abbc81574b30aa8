#include "daemon/link/connecting.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <utility>

namespace fieldpost::link {

HostAndPort host_and_port(const std::string& endpoint) {
    constexpr std::size_t scheme = 6;
    const auto colon = endpoint.rfind(':');
    HostAndPort parts{endpoint.substr(scheme, colon - scheme), 0};
    std::from_chars(endpoint.data() + colon + 1, endpoint.data() + endpoint.size(), parts.port);
    if (parts.host.starts_with('[') && parts.host.ends_with(']')) {
        parts.host = parts.host.substr(1, parts.host.size() - 2);
    }
    return parts;
}

int begin_connecting(const std::string& endpoint, int segment_max) {
    const auto to = host_and_port(endpoint);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found) != 0) {
        return -1;
    }
    auto fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int at_once = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    if (segment_max != 0) {
        ::setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment_max, sizeof segment_max);
    }
    if (::connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
        close_fd(fd);
    }
    ::freeaddrinfo(found);
    return fd;
}

std::optional<bool> has_connected(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        return std::nullopt;
    }
    return ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0;
}

void close_fd(int& fd) {
    if (fd >= 0) {
        ::close(std::exchange(fd, -1));
    }
}

}  // namespace fieldpost::link
