// Goal: a connection through a SOCKS5 proxy leads to its target, and a proxy that does anything
// else ends that one connection, in words.
// Method: a proxy whose every answer is written here.
#include "daemon/link/tunnel.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace fieldpost;
using namespace fieldpost::link;
using namespace std::string_literals;

namespace {

using State = Tunnel::State;

class Fd {
public:
    explicit Fd(int number) : number_(number) { REQUIRE(number >= 0); }
    ~Fd() { ::close(number_); }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    operator int() const { return number_; }

private:
    int number_;
};

// Listens on this machine, takes one connection, and sends the bytes that the test gives it.
class Proxy {
public:
    Proxy() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_, 1) == 0);
        socklen_t size = sizeof address;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        address_ = fmt::format("tcp://127.0.0.1:{}", ntohs(address.sin_port));
    }
    [[nodiscard]] const std::string& address() const { return address_; }
    void accept() { client_ = std::make_unique<Fd>(::accept(listener_, nullptr, nullptr)); }
    void say(const std::string& bytes) const {
        REQUIRE(::send(*client_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(bytes.size()));
    }
    void hang_up() { client_.reset(); }
    [[nodiscard]] bool has_heard() const {
        pollfd item{*client_, POLLIN, 0};
        return ::poll(&item, 1, 1) == 1;
    }
    // Waits for the first bytes. Returns the bytes that have come so far.
    [[nodiscard]] std::string heard() const {
        std::string bytes(65536, '\0');
        const auto got = ::recv(*client_, bytes.data(), bytes.size(), 0);
        bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
        return bytes;
    }

private:
    Fd listener_;
    std::unique_ptr<Fd> client_;
    std::string address_;
};

// Runs the tunnel as its owner does: waits for its descriptor until the tunnel is past `state`.
State run_past(Tunnel& tunnel, State state) {
    for (int turns = 0; turns < 100 && tunnel.advance() == state; ++turns) {
        std::vector<pollfd> items;
        for (const auto& watch : tunnel.watches()) {
            items.push_back({watch.fd,
                             static_cast<short>((watch.wants_read ? POLLIN : 0) |
                                                (watch.wants_write ? POLLOUT : 0)),
                             0});
        }
        ::poll(items.data(), items.size(), 100);
    }
    return tunnel.state();
}

const auto granted = "\x05\x00\x00\x01\x7f\x00\x00\x01\x1a\x57"s;

// Runs the tunnel until it has sent its request. Returns the request.
std::string let_it_ask(Tunnel& tunnel, Proxy& proxy) {
    tunnel.advance();
    proxy.accept();
    tunnel.advance();
    CHECK(proxy.heard() == "\x05\x01\x00"s);
    proxy.say("\x05\x00"s);
    while (!proxy.has_heard()) {
        tunnel.advance();
    }
    return proxy.heard();
}

int connect_to(const std::string& endpoint) {
    const auto name = endpoint.substr(std::string("ipc://@").size());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, name.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    return fd;
}

}  // namespace

TEST_CASE("the proxy is told the name, and no name is looked up here", "[proxy]") {
    Proxy proxy;
    Tunnel tunnel(proxy.address(), "tcp://hq.nowhere.invalid:6743");
    CHECK(let_it_ask(tunnel, proxy) == "\x05\x01\x00\x03\x12hq.nowhere.invalid\x1a\x57"s);
}

TEST_CASE("numbers are told as numbers", "[proxy]") {
    Proxy proxy;
    Tunnel ipv4(proxy.address(), "tcp://10.8.0.1:6743");
    CHECK(let_it_ask(ipv4, proxy) == "\x05\x01\x00\x01\x0a\x08\x00\x01\x1a\x57"s);
    Tunnel ipv6(proxy.address(), "tcp://[fd00::1]:80");
    CHECK(let_it_ask(ipv6, proxy) ==
          "\x05\x01\x00\x04\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50"s);
}

TEST_CASE("once it is through, bytes go both ways, however slowly the answer came", "[proxy]") {
    Proxy proxy;
    Tunnel tunnel(proxy.address(), "tcp://10.8.0.1:6743");
    let_it_ask(tunnel, proxy);
    for (const char one : granted) {
        CHECK(tunnel.advance() == State::asking);
        proxy.say({one});
    }
    REQUIRE(run_past(tunnel, State::asking) == State::ready);
    const Fd libzmq(connect_to(tunnel.endpoint()));
    REQUIRE(run_past(tunnel, State::ready) == State::through);
    // More than fits on the way at once.
    const std::string much(1'000'000, 'x');
    std::string arrived;
    std::size_t sent = 0;
    while (arrived.size() < much.size()) {
        const auto done = ::send(libzmq, much.data() + sent, much.size() - sent, MSG_DONTWAIT);
        sent += static_cast<std::size_t>(std::max<ssize_t>(0, done));
        REQUIRE(tunnel.advance() == State::through);
        if (proxy.has_heard()) {
            arrived += proxy.heard();
        }
    }
    CHECK(arrived == much);
    proxy.say("answer");
    std::array<char, 16> back{};
    while (::recv(libzmq, back.data(), back.size(), MSG_DONTWAIT) != 6) {
        REQUIRE(tunnel.advance() == State::through);
    }
    proxy.hang_up();
    CHECK(run_past(tunnel, State::through) == State::ended);
}

TEST_CASE("a proxy that does not lead through says why", "[proxy]") {
    const auto refused = [](const std::string& reply) {
        Proxy proxy;
        Tunnel tunnel(proxy.address(), "tcp://10.8.0.1:6743");
        let_it_ask(tunnel, proxy);
        proxy.say(reply);
        CHECK(run_past(tunnel, State::asking) == State::ended);
        CHECK(tunnel.watches().empty());
        return tunnel.reason();
    };
    CHECK(refused("\x05\x01\x00\x01\x00"s) == "failed");
    CHECK(refused("\x05\x04\x00\x01\x00"s) == "host unreachable");
    CHECK(refused("\x05\xff\x00\x01\x00"s) == "failed");
    CHECK(refused("HTTP/1.1 400") == "is no SOCKS5 proxy");
    const auto greeted = [](const std::string& greeting) {
        Proxy proxy;
        Tunnel tunnel(proxy.address(), "tcp://10.8.0.1:6743");
        tunnel.advance();
        proxy.accept();
        proxy.say(greeting);
        CHECK(run_past(tunnel, State::asking) == State::ended);
        return tunnel.reason();
    };
    CHECK(greeted("\x05\xff"s) == "wants a name and a password");
    CHECK(greeted("HTTP") == "is no SOCKS5 proxy");
}

TEST_CASE("a proxy that hangs up or is not there ends the tunnel", "[proxy]") {
    auto proxy = std::make_unique<Proxy>();
    Tunnel tunnel(proxy->address(), "tcp://10.8.0.1:6743");
    let_it_ask(tunnel, *proxy);
    proxy->say("\x05\x00\x00"s);
    proxy->hang_up();
    CHECK(run_past(tunnel, State::asking) == State::ended);
    CHECK(tunnel.reason() == "no answer");
    const auto nobody = proxy->address();
    proxy.reset();
    Tunnel again(nobody, "tcp://10.8.0.1:6743");
    CHECK(run_past(again, State::asking) == State::ended);
    CHECK(again.reason() == "no answer");
}
