// Goal: a program that begins to answer at an address is noticed, and nothing else is.
// Method: an address of this machine, and a clock that is told.
#include "daemon/link/reach_probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

using namespace fieldpost::link;
using namespace std::chrono_literals;

namespace {

// A port that is taken, and silent until this listens on it.
class ListeningDoor {
public:
    ListeningDoor() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        endpoint_ = fmt::format("tcp://127.0.0.1:{}", ntohs(address.sin_port));
    }
    ~ListeningDoor() { ::close(socket_); }
    ListeningDoor(const ListeningDoor&) = delete;
    ListeningDoor& operator=(const ListeningDoor&) = delete;

    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    void open() const { REQUIRE(::listen(socket_, 8) == 0); }

private:
    int socket_;
    std::string endpoint_;
};

// Waits until the probe has its answer, one way or the other.
void await(const ReachProbe& probe) {
    for (const auto fd : probe.fds()) {
        pollfd item{fd, POLLOUT, 0};
        REQUIRE(::poll(&item, 1, 10'000) == 1);
    }
}

}  // namespace

TEST_CASE("an address is asked until somebody answers", "[link]") {
    const ListeningDoor door;
    ReachProbe probe(door.endpoint());
    auto now = ReachProbe::Clock::now();
    for (int i = 0; i < 5; ++i) {
        CHECK_FALSE(probe.advance(now));
        await(probe);
        CHECK_FALSE(probe.advance(now));
        CHECK(probe.fds().empty());
        // Not again before it is time.
        CHECK(probe.until() > now);
        now = probe.until();
    }
    door.open();
    CHECK_FALSE(probe.advance(now));
    REQUIRE(probe.fds().size() == 1);
    await(probe);
    CHECK(probe.advance(now));
}

TEST_CASE("a name is nobody's to answer", "[link]") {
    ReachProbe probe("tcp://localhost:6743");
    CHECK_FALSE(probe.advance(ReachProbe::Clock::now()));
    CHECK(probe.fds().empty());
}
