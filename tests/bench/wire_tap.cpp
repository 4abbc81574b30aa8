#include "tests/bench/wire_tap.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "proto/result.h"

namespace fieldpost::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t segment_payload = 1448;
constexpr std::size_t large_read = 1000;
constexpr auto look_every = 10ms;

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void send_at_once(int fd) {
    const int yes = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

}  // namespace

WireTap::WireTap(std::uint16_t target_port)
    : target_port_(target_port), listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto address = loopback(0);
    socklen_t size = sizeof address;
    ensure(::bind(listening_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
               ::listen(listening_, 8) == 0 &&
               ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
           "a benchmark can listen");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
}

WireTap::~WireTap() {
    is_ended_ = true;
    thread_.join();
    close_pairs();
    ::close(listening_);
}

std::string WireTap::endpoint() const {
    return fmt::format("tcp://127.0.0.1:{}", port_);
}

void WireTap::cut() {
    is_open_ = false;
    while (!is_idle_) {
        std::this_thread::sleep_for(1ms);
    }
}

void WireTap::open() {
    {
        const std::lock_guard lock(mutex_);
        count_ = {};
    }
    is_open_ = true;
}

WireCount WireTap::count() const {
    const std::lock_guard lock(mutex_);
    return count_;
}

bool WireTap::wait_until_quiet(std::chrono::milliseconds quiet) const {
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(20ms);
        const auto now = count();
        if (now.payload() > 0 && std::chrono::steady_clock::now() - now.last > quiet) {
            return true;
        }
    }
    return false;
}

void WireTap::close_pairs() {
    for (const auto& pair : pairs_) {
        ::close(pair.dialler);
        ::close(pair.listener);
    }
    pairs_.clear();
}

void WireTap::accept_one() {
    const int dialler = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(target_port_);
    const bool is_through =
        is_open_ &&
        ::connect(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    if (!is_through) {
        ::close(dialler);
        ::close(listener);
        return;
    }
    send_at_once(dialler);
    send_at_once(listener);
    pairs_.push_back({dialler, listener});
    const std::lock_guard lock(mutex_);
    ++count_.connections;
}

bool WireTap::pass(int from, int to, bool is_from_dialler) {
    std::array<char, 65536> buffer;
    const auto got = ::read(from, buffer.data(), buffer.size());
    if (got <= 0) {
        return false;
    }
    const auto size = static_cast<std::size_t>(got);
    {
        const std::lock_guard lock(mutex_);
        const auto now = std::chrono::steady_clock::now();
        if (count_.payload() == 0) {
            count_.first = now;
        }
        count_.last = now;
        if (is_from_dialler && size >= large_read) {
            count_.last_large = now;
        }
        (is_from_dialler ? count_.from_dialler : count_.from_listener) += size;
        count_.segments += (size + segment_payload - 1) / segment_payload;
    }
    for (std::size_t sent = 0; sent < size;) {
        const auto n = ::send(to, buffer.data() + sent, size - sent, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        sent += static_cast<std::size_t>(n);
    }
    return true;
}

void WireTap::run() {
    while (!is_ended_) {
        if (!is_open_) {
            close_pairs();
        }
        is_idle_ = !is_open_;
        std::vector<pollfd> watched{{listening_, POLLIN, 0}};
        for (const auto& pair : pairs_) {
            watched.push_back({pair.dialler, POLLIN, 0});
            watched.push_back({pair.listener, POLLIN, 0});
        }
        if (::poll(watched.data(), watched.size(), static_cast<int>(look_every.count())) <= 0) {
            continue;
        }
        std::vector<Pair> alive;
        for (std::size_t i = 0; i < pairs_.size(); ++i) {
            const auto& pair = pairs_[i];
            const bool is_alive =
                (watched[1 + 2 * i].revents == 0 || pass(pair.dialler, pair.listener, true)) &&
                (watched[2 + 2 * i].revents == 0 || pass(pair.listener, pair.dialler, false));
            if (is_alive) {
                alive.push_back(pair);
            } else {
                ::close(pair.dialler);
                ::close(pair.listener);
            }
        }
        pairs_ = std::move(alive);
        if (watched[0].revents != 0) {
            accept_one();
        }
    }
}

}  // namespace fieldpost::bench
