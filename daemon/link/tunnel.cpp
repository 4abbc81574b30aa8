#include "daemon/link/tunnel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "daemon/link/connecting.h"
#include "daemon/link/curve_socket.h"

namespace fieldpost::link {

namespace {

using namespace std::chrono_literals;

// The proxy is near. But the way that it builds for us may take a minute, as a circuit of Tor does.
constexpr auto connect_timeout = 10s;
constexpr auto answer_timeout = 60s;
constexpr auto local_timeout = 10s;
// A slow link could not carry more bytes on their way than this.
constexpr std::size_t half_bytes = 16384;

// RFC 1928 has one byte for the length of a name.
constexpr std::size_t host_bytes_max = 255;
constexpr std::byte version{5};
constexpr std::byte no_authentication{0};
constexpr std::byte to_connect{1};
constexpr std::byte as_ipv4{1};
constexpr std::byte as_name{3};
constexpr std::byte as_ipv6{4};

// The SOCKS5 request to connect to `to` (RFC 1928, 4).
Bytes request_for(const HostAndPort& to) {
    ByteWriter request;
    request.raw(std::array{version, to_connect, std::byte{0}});
    in_addr ipv4{};
    in6_addr ipv6{};
    if (::inet_pton(AF_INET, to.host.c_str(), &ipv4) == 1) {
        request.raw(std::array{as_ipv4});
        request.raw(std::as_bytes(std::span(&ipv4, 1)));
    } else if (::inet_pton(AF_INET6, to.host.c_str(), &ipv6) == 1) {
        request.raw(std::array{as_ipv6});
        request.raw(std::as_bytes(std::span(&ipv6, 1)));
    } else {
        request.raw(std::array{as_name, static_cast<std::byte>(to.host.size())});
        request.raw(as_bytes(to.host));
    }
    request.raw(
        std::array{static_cast<std::byte>(to.port >> 8), static_cast<std::byte>(to.port & 0xff)});
    return request.take();
}

std::string_view reply_text(std::byte reply) {
    constexpr std::array<std::string_view, 9> texts = {"",
                                                       "failed",
                                                       "not allowed",
                                                       "network unreachable",
                                                       "host unreachable",
                                                       "connection refused",
                                                       "too far",
                                                       "cannot connect",
                                                       "cannot find such an address"};
    const auto number = std::to_integer<std::size_t>(reply);
    return number < texts.size() ? texts[number] : "failed";
}

bool would_wait() {
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

}  // namespace

Tunnel::Tunnel(const std::string& proxy, const std::string& to)
    : until_(Clock::now() + connect_timeout),
      to_say_{version, std::byte{1}, no_authentication},
      request_(request_for(host_and_port(to))) {
    if (host_and_port(to).host.size() > host_bytes_max) {
        end("no address");
        return;
    }
    proxy_ = begin_connecting(proxy);
    if (proxy_ < 0) {
        end("no answer");
    }
}

Tunnel::Tunnel(const std::string& to, int segment_max)
    : until_(Clock::now() + connect_timeout), has_proxy_(false) {
    proxy_ = begin_connecting(to, segment_max);
    if (proxy_ < 0) {
        end("no answer");
        return;
    }
    // libzmq's own connections have this limit too: data unacknowledged for this long means the
    // end.
    const unsigned int patience_ms = retransmission_ms;
    ::setsockopt(proxy_, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms);
}

Tunnel::~Tunnel() {
    close_fd(proxy_);
    close_fd(listener_);
    close_fd(libzmq_);
}

void Tunnel::end(std::string reason) {
    state_ = State::ended;
    reason_ = std::move(reason);
    close_fd(proxy_);
    close_fd(listener_);
    close_fd(libzmq_);
}

std::optional<Tunnel::Clock::time_point> Tunnel::until() const {
    return state_ == State::asking || state_ == State::ready ? std::optional(until_) : std::nullopt;
}

std::vector<Tunnel::Watch> Tunnel::watches() const {
    switch (state_) {
        case State::asking:
            return {{proxy_, is_connected_, !is_connected_ || !to_say_.empty()}};
        case State::ready:
            return {{listener_, true, false}};
        case State::through:
            return {{proxy_, in_.is_empty(), !out_.is_empty()},
                    {libzmq_, out_.is_empty(), !in_.is_empty()}};
        case State::ended:
            break;
    }
    return {};
}

std::optional<std::uint64_t> Tunnel::bytes_on_the_wire() const {
    return ConnectionFd::of_connection(proxy_).bytes_on_the_wire();
}

bool Tunnel::has_connected() {
    const auto connected = link::has_connected(proxy_);
    if (!connected) {
        end("no answer");
        return false;
    }
    is_connected_ = *connected;
    if (is_connected_) {
        until_ = Clock::now() + answer_timeout;
    }
    return is_connected_;
}

bool Tunnel::has_answer(std::size_t wanted) {
    while (answer_.size() < wanted) {
        std::array<std::byte, 512> some{};
        const auto got = ::recv(proxy_, some.data(), std::min(some.size(), wanted - answer_.size()),
                                MSG_DONTWAIT);
        if (got <= 0) {
            if (got == 0 || !would_wait()) {
                end("no answer");
            }
            return false;
        }
        answer_.insert(answer_.end(), some.begin(), some.begin() + got);
    }
    return true;
}

// True once the proxy has opened the way.
bool Tunnel::ask() {
    if (!to_say_.empty()) {
        const auto sent = ::send(proxy_, to_say_.data(), to_say_.size(), MSG_NOSIGNAL);
        if (sent < 0 && !would_wait()) {
            end("no answer");
            return false;
        }
        to_say_.erase(to_say_.begin(), to_say_.begin() + std::max<ssize_t>(0, sent));
    }
    if (!has_asked_) {
        if (!has_answer(2)) {
            return false;
        }
        if (answer_[0] != version || answer_[1] != no_authentication) {
            end(answer_[0] == version ? "wants a name and a password" : "is no SOCKS5 proxy");
            return false;
        }
        answer_.clear();
        to_say_ = request_;
        has_asked_ = true;
        return ask();
    }
    // The answer has a version, a reply, an empty byte and a kind of address. The address and port
    // behind them are of no use to us.
    if (!has_answer(5)) {
        return false;
    }
    if (answer_[0] != version || answer_[1] != std::byte{0}) {
        end(answer_[0] == version ? std::string(reply_text(answer_[1])) : "is no SOCKS5 proxy");
        return false;
    }
    const auto kind = answer_[3];
    const std::size_t address_bytes = kind == as_ipv4 ? 4
                                      : kind == as_ipv6
                                          ? 16
                                          : 1 + std::to_integer<std::size_t>(answer_[4]);
    return has_answer(4 + address_bytes + 2);
}

// Listens in the abstract namespace, under a name that the kernel gives.
void Tunnel::listen() {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address.sun_family) != 0 ||
        ::listen(listener_, 1) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        end("out of sockets");
        return;
    }
    constexpr std::size_t head = offsetof(sockaddr_un, sun_path) + 1;
    name_.assign(address.sun_path + 1, size - head);
    until_ = Clock::now() + local_timeout;
    state_ = State::ready;
}

// True once libzmq has connected. No other process of this machine is let in.
bool Tunnel::let_in() {
    const int came = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (came < 0) {
        return false;
    }
    ucred who{};
    socklen_t size = sizeof who;
    if (::getsockopt(came, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0 || who.pid != ::getpid()) {
        ::close(came);
        return false;
    }
    libzmq_ = came;
    close_fd(listener_);
    state_ = State::through;
    return true;
}

// Moves bytes one way. False: one of the two connections has ended.
bool Tunnel::pass(int from, int to, Half& half) {
    while (true) {
        if (half.is_empty()) {
            half.bytes.resize(half_bytes);
            half.done = 0;
            const auto got = ::recv(from, half.bytes.data(), half_bytes, MSG_DONTWAIT);
            half.bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
            if (got <= 0) {
                return got < 0 && would_wait();
            }
        }
        const auto sent = ::send(to, half.bytes.data() + half.done, half.bytes.size() - half.done,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            return would_wait();
        }
        half.done += static_cast<std::size_t>(sent);
    }
}

Tunnel::State Tunnel::advance() {
    if (until() && *until() <= Clock::now()) {
        end("no answer");
    }
    if (state_ == State::asking && (is_connected_ || has_connected()) && (!has_proxy_ || ask())) {
        listen();
    }
    if (state_ == State::ready) {
        let_in();
    }
    if (state_ == State::through && (!pass(libzmq_, proxy_, out_) || !pass(proxy_, libzmq_, in_))) {
        end("the link went");
    }
    return state_;
}

}  // namespace fieldpost::link
