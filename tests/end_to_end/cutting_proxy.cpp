#include "tests/end_to_end/cutting_proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <random>

namespace fieldpost::end_to_end {

namespace {

sockaddr_in on_this_machine(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool send_all(int fd, const char* bytes, std::size_t size) {
    while (size > 0) {
        const auto sent = ::send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        size -= static_cast<std::size_t>(sent);
    }
    return true;
}

// Resets the connection: bytes still to come from its other end are lost.
void cut(int fd) {
    const linger at_once{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::close(fd);
}

}  // namespace

CuttingProxy::CuttingProxy(std::string to, std::uint64_t cut_after_bytes)
    : to_(std::move(to)),
      cut_after_(cut_after_bytes),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
    auto address = on_this_machine(0);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_, 8) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    endpoint_ = fmt::format("tcp://127.0.0.1:{}", ntohs(address.sin_port));
    thread_ = std::thread([this] { run(); });
}

CuttingProxy::~CuttingProxy() {
    ::eventfd_write(stop_, 1);
    thread_.join();
    ::close(listener_);
    ::close(stop_);
}

void CuttingProxy::run() {
    const auto port = static_cast<std::uint16_t>(std::stoi(to_.substr(to_.rfind(':') + 1)));
    while (true) {
        std::array<pollfd, 2> items{pollfd{listener_, POLLIN, 0}, pollfd{stop_, POLLIN, 0}};
        ::poll(items.data(), items.size(), -1);
        if (items[1].revents != 0) {
            return;
        }
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = on_this_machine(port);
        if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
            pass(client, server);
        }
        cut(client);
        // Bytes that have arrived must stay. If the socket were closed with bytes unread, TCP would
        // reset it and take them back.
        ::shutdown(server, SHUT_WR);
        for (std::array<char, 16384> rest{}; ::recv(server, rest.data(), rest.size(), 0) > 0;) {
        }
        ::close(server);
    }
}

void CuttingProxy::pass(int client, int server) {
    std::uint64_t passed = 0;
    // Else every cut would be at the same place in a frame.
    std::minstd_rand dice(static_cast<unsigned>(cuts_ + 1));
    const auto cut_at = cut_after_ * 2 / 3 + dice() % (cut_after_ * 2 / 3);
    while (true) {
        std::array<pollfd, 3> items{pollfd{client, POLLIN, 0}, pollfd{server, POLLIN, 0},
                                    pollfd{stop_, POLLIN, 0}};
        ::poll(items.data(), items.size(), -1);
        if (items[2].revents != 0) {
            return;
        }
        for (const bool is_there : {true, false}) {
            const auto& item = items[is_there ? 0 : 1];
            if (item.revents == 0) {
                continue;
            }
            std::array<char, 2048> bytes{};
            const auto got = ::recv(item.fd, bytes.data(), bytes.size(), 0);
            if (got <= 0 || !send_all(is_there ? server : client, bytes.data(),
                                      static_cast<std::size_t>(got))) {
                return;
            }
            (is_there ? there_ : back_) += static_cast<std::uint64_t>(got);
            passed += static_cast<std::uint64_t>(got);
        }
        if (passed >= cut_at) {
            ++cuts_;
            return;
        }
    }
}

}  // namespace fieldpost::end_to_end
