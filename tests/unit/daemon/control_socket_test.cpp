// Goal: whoever stops in the middle of a large request, or asks nothing, keeps others waiting only
// so long; whoever finds no place free waits and is not refused.
// Method: a socket in a temporary folder, clients that are plain descriptors, and a made-up clock.
#include "daemon/control/control_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "tests/support/temporary_folder.h"

using namespace fieldpost;
using namespace fieldpost::control;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t large = 2U << 20;

Instant at(std::chrono::milliseconds time) {
    return Instant{time};
}

class Client {
public:
    explicit Client(const std::filesystem::path& path)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path.c_str());
        REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    ~Client() { ::close(fd_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // As much as the socket takes now.
    std::size_t send(BytesView bytes) const {
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }
    [[nodiscard]] bool was_hung_up_on() const {
        std::byte one{};
        return ::recv(fd_, &one, 1, 0) == 0;
    }

private:
    int fd_;
};

Bytes request_of(std::uint32_t size) {
    ByteWriter out;
    out.u32(size);
    out.raw(Bytes(size, std::byte{7}));
    return out.take();
}

// What came whole while everything that waits is handled once.
std::vector<RequestIn> handle_all(ControlSocket& socket, Instant now) {
    std::vector<RequestIn> all;
    for (const auto& interest : socket.interests()) {
        std::ranges::move(socket.handle(interest.fd, true, interest.wants_write, now),
                          std::back_inserter(all));
    }
    return all;
}

}  // namespace

TEST_CASE("a large request that stalls gives way to the next one", "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto socket = ControlSocket::open(path).value();
    const auto bytes = request_of(large);
    Client stalled(path);
    Client patient(path);
    handle_all(*socket, at(0ms));
    stalled.send(BytesView(bytes).first(1000));
    handle_all(*socket, at(0ms));
    REQUIRE(socket->wake_at().has_value());
    std::size_t sent = patient.send(bytes);
    handle_all(*socket, at(1ms));
    const auto until = socket->wake_at()->since_start;
    socket->drop_stalled(at(until - 1ms));
    CHECK_FALSE(stalled.was_hung_up_on());
    socket->drop_stalled(at(until));
    CHECK(stalled.was_hung_up_on());
    // The other has its time from here on.
    REQUIRE(socket->wake_at().has_value());
    CHECK(*socket->wake_at() > at(until));
    std::vector<RequestIn> came;
    for (int i = 0; i < 1000 && came.empty(); ++i) {
        came = handle_all(*socket, at(until));
        sent += patient.send(BytesView(bytes).subspan(sent));
    }
    REQUIRE(came.size() == 1);
    CHECK(came.front().bytes.size() == large);
    CHECK_FALSE(socket->wake_at().has_value());
}

TEST_CASE("a small request waits for no large one", "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto socket = ControlSocket::open(path).value();
    Client stalled(path);
    Client small(path);
    handle_all(*socket, at(0ms));
    stalled.send(BytesView(request_of(large)).first(1000));
    small.send(request_of(10));
    CHECK(handle_all(*socket, at(0ms)).size() == 1);
}

TEST_CASE("whoever finds every place taken waits for one and is not hung up on", "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto socket = ControlSocket::open(path).value();
    // As many as have a place, and one whom the listener's queue holds.
    std::vector<std::unique_ptr<Client>> silent;
    for (int i = 0; i < 64; ++i) {
        silent.push_back(std::make_unique<Client>(path));
    }
    Client last(path);
    last.send(request_of(10));
    CHECK(handle_all(*socket, at(0ms)).empty());
    CHECK(handle_all(*socket, at(0ms)).empty());
    CHECK_FALSE(last.was_hung_up_on());

    SECTION("those before it go away") {
        silent.clear();
    }
    SECTION("those before it ask nothing") {
        REQUIRE(socket->wake_at().has_value());
        socket->drop_stalled(*socket->wake_at());
        CHECK(silent.front()->was_hung_up_on());
    }
    std::size_t asked = 0;
    for (int i = 0; i < 3; ++i) {
        asked += handle_all(*socket, at(10s)).size();
    }
    CHECK(asked == 1);
}
