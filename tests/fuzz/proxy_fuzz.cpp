// The answers of a SOCKS5 proxy and the bytes after them: the proxy is not ours.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/link/tunnel.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

namespace {

class Proxy {
public:
    Proxy() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        ensure(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                   ::listen(fd_, 8) == 0 &&
                   ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
               "a loopback socket can listen");
        endpoint_ = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    }
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    // The connection ends at once, so thousands a second leave no port waiting.
    [[nodiscard]] int accept() const {
        const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
        const linger at_once{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        return fd;
    }

private:
    int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string endpoint_;
};

}  // namespace

FUZZ_TARGET(proxy) {
    static const Proxy proxy;
    // The first byte sets the size of the pieces in which the rest comes.
    const std::size_t piece = bytes.empty() ? 1 : std::to_integer<std::size_t>(bytes.front()) + 1;
    auto rest = bytes.empty() ? bytes : bytes.subspan(1);
    link::Tunnel tunnel(proxy.endpoint(), "tcp://hq.example.org:6743");
    tunnel.advance();
    const int fd = proxy.accept();
    while (tunnel.state() != link::Tunnel::State::ended && !rest.empty()) {
        const auto some = rest.first(std::min(piece, rest.size()));
        if (::send(fd, some.data(), some.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            break;
        }
        rest = rest.subspan(some.size());
        tunnel.advance();
    }
    ::close(fd);
    tunnel.advance();
}
