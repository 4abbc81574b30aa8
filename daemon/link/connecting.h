// TCP connections that begin without waiting.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fieldpost::link {

// The parts of "tcp://HOST:PORT". An IPv6 host loses its brackets.
struct HostAndPort {
    std::string host;
    std::uint16_t port = 0;
};
HostAndPort host_and_port(const std::string& endpoint);

// A descriptor that becomes writable once the other end answers. The caller has to close it. -1:
// the host is a name, or there is no way there. Neither end sends TCP segments of more than
// `segment_max` bytes. 0: as large as the way seems to take.
int begin_connecting(const std::string& endpoint, int segment_max = 0);
// True if the other end has answered. Empty: nobody will answer.
std::optional<bool> has_connected(int fd);

// `fd` is -1 from then on.
void close_fd(int& fd);

}  // namespace fieldpost::link
