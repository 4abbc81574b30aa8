// Goal: a client that stops in the middle of a request, asks nothing or does not read its answer
// keeps others waiting only so long; a client that finds no place free waits and is not refused;
// members cannot shut out the owner.
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

Instant after_start(std::chrono::milliseconds time) {
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

    // Sends as much as the socket takes now. Returns the bytes sent.
    std::size_t send(BytesView bytes) const {
        const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return sent < 0 ? 0 : static_cast<std::size_t>(sent);
    }
    // Reads the bytes that have come, up to `bytes` of them.
    std::size_t read(std::size_t bytes) const {
        Bytes some(bytes);
        const auto got = ::recv(fd_, some.data(), some.size(), 0);
        return got < 0 ? 0 : static_cast<std::size_t>(got);
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

// Handles everything that waits once. Returns the requests that came whole.
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
    handle_all(*socket, after_start(0ms));
    stalled.send(BytesView(bytes).first(1000));
    handle_all(*socket, after_start(0ms));
    REQUIRE(socket->wake_at().has_value());
    std::size_t sent = patient.send(bytes);
    handle_all(*socket, after_start(1ms));
    const auto until = socket->wake_at()->since_start;
    socket->drop_stalled(after_start(until - 1ms));
    CHECK_FALSE(stalled.was_hung_up_on());
    socket->drop_stalled(after_start(until));
    CHECK(stalled.was_hung_up_on());
    // The time limit of the other client begins here.
    REQUIRE(socket->wake_at().has_value());
    CHECK(*socket->wake_at() > after_start(until));
    std::vector<RequestIn> came;
    for (int i = 0; i < 1000 && came.empty(); ++i) {
        came = handle_all(*socket, after_start(until));
        sent += patient.send(BytesView(bytes).subspan(sent));
    }
    REQUIRE(came.size() == 1);
    CHECK(came.front().bytes.size() == large);
    CHECK_FALSE(socket->wake_at().has_value());
}

TEST_CASE("a door for questions hangs up on whoever sends more than a question", "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto socket = ControlSocket::open(path, questions).value();
    Client modest(path);
    Client greedy(path);
    handle_all(*socket, after_start(0ms));
    modest.send(request_of(1000));
    greedy.send(
        BytesView(request_of(static_cast<std::uint32_t>(questions.request_bytes) + 1)).first(1000));
    CHECK(handle_all(*socket, after_start(0ms)).size() == 1);
    CHECK_FALSE(modest.was_hung_up_on());
    CHECK(greedy.was_hung_up_on());
    CHECK(socket->has_room_for(questions.answers_bytes));
    CHECK_FALSE(socket->has_room_for(questions.answers_bytes + 1));
}

TEST_CASE("a small request waits for no large one", "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto socket = ControlSocket::open(path).value();
    Client stalled(path);
    Client small(path);
    handle_all(*socket, after_start(0ms));
    stalled.send(BytesView(request_of(large)).first(1000));
    small.send(request_of(10));
    CHECK(handle_all(*socket, after_start(0ms)).size() == 1);
}

namespace {

constexpr std::size_t members_max = 64;

using Clients = std::vector<std::unique_ptr<Client>>;

Clients clients_of(const std::filesystem::path& path, std::size_t count) {
    Clients clients;
    for (std::size_t i = 0; i < count; ++i) {
        clients.push_back(std::make_unique<Client>(path));
    }
    return clients;
}

// Each of `clients` asks now. Returns how many are heard.
std::size_t ask_all(ControlSocket& socket, const Clients& clients, Instant now) {
    for (const auto& client : clients) {
        client->send(request_of(10));
    }
    return handle_all(socket, now).size();
}

}  // namespace

TEST_CASE("a client that finds every place taken waits for one and is not hung up on",
          "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto socket =
        ControlSocket::open(path, whole_reports, {}, [](int) { return Standing::member; }).value();
    auto silent = clients_of(path, members_max);
    handle_all(*socket, after_start(0ms));
    Client last(path);
    last.send(request_of(10));
    CHECK(handle_all(*socket, after_start(0ms)).empty());
    CHECK(handle_all(*socket, after_start(0ms)).empty());
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
        asked += handle_all(*socket, after_start(10s)).size();
    }
    CHECK(asked == 1);
}

TEST_CASE("the owner is heard while members take all other places and wait for more", "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto standing = Standing::member;
    auto socket =
        ControlSocket::open(path, whole_reports, {}, [&](int) { return standing; }).value();
    Clients silent;
    // More than have a place and more than may wait, as many at a time as the listener's queue
    // takes.
    for (int i = 0; i < 8; ++i) {
        std::ranges::move(clients_of(path, 50), std::back_inserter(silent));
        handle_all(*socket, after_start(0ms));
    }
    CHECK_FALSE(silent.at(members_max)->was_hung_up_on());
    CHECK(silent.back()->was_hung_up_on());
    standing = Standing::owner;
    for (int i = 0; i < 3; ++i) {
        Client owner(path);
        owner.send(request_of(10));
        handle_all(*socket, after_start(0ms));
        const auto asked = handle_all(*socket, after_start(0ms));
        REQUIRE(asked.size() == 1);
        socket->answer(asked.front().client, Bytes(5), after_start(0ms));
        CHECK(owner.read(100) == 4 + 5);
    }
    // The place that is the owner's alone is not a member's when it is free again.
    standing = Standing::member;
    CHECK(ask_all(*socket, silent, after_start(0ms)) == members_max);
}

TEST_CASE("the kernel says who is the owner", "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto socket = ControlSocket::open(path).value();
    // All clients of this process belong to the owner, so they may also use the place kept from
    // members.
    const auto clients = clients_of(path, members_max + 1);
    for (int i = 0; i < 2; ++i) {
        handle_all(*socket, after_start(0ms));
    }
    CHECK(ask_all(*socket, clients, after_start(0ms)) == members_max + 1);
}

TEST_CASE("a client that does not read its answer loses its place", "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto socket = ControlSocket::open(path).value();
    Client client(path);
    client.send(request_of(10));
    handle_all(*socket, after_start(0ms));
    const auto asked = handle_all(*socket, after_start(0ms));
    REQUIRE(asked.size() == 1);
    // While the client waits for our answer there is no time limit.
    CHECK_FALSE(socket->wake_at().has_value());
    constexpr std::size_t answer_bytes = 8U << 20;
    socket->answer(asked.front().client, Bytes(answer_bytes), after_start(20s));
    REQUIRE(socket->wake_at().has_value());
    CHECK(*socket->wake_at() > after_start(20s));

    SECTION("at once") {
        socket->drop_stalled(*socket->wake_at());
        CHECK(socket->interests().size() == 1);
    }
    SECTION("although it reads a little now and then") {
        auto now = after_start(20s);
        int turns = 0;
        for (; turns < 1000 && socket->interests().size() == 2; ++turns) {
            now = now + 5s;
            client.read(1U << 16);
            for (const auto& interest : socket->interests()) {
                socket->handle(interest.fd, false, interest.wants_write, now);
            }
            socket->drop_stalled(now);
        }
        CHECK(turns < 100);
        CHECK(turns > 1);
    }
    SECTION("but not one that reads slowly, and goes on") {
        auto now = after_start(20s);
        std::size_t got = 0;
        while (socket->interests().size() == 2) {
            now = now + 1s;
            got += client.read(1U << 17);
            for (const auto& interest : socket->interests()) {
                socket->handle(interest.fd, false, interest.wants_write, now);
            }
            socket->drop_stalled(now);
        }
        while (const auto more = client.read(1U << 20)) {
            got += more;
        }
        CHECK(got == 4 + answer_bytes);
    }
}

TEST_CASE("a client that sends a byte now and then loses its place", "[control]") {
    tests::TemporaryFolder folder;
    const auto path = folder.path() / "control";
    auto socket = ControlSocket::open(path).value();
    Client client(path);
    handle_all(*socket, after_start(0ms));
    const auto bytes = request_of(1000);
    auto now = after_start(0ms);
    std::size_t sent = 0;
    while (sent < 100 && socket->interests().size() == 2) {
        now = now + 5s;
        sent += client.send(BytesView(bytes).subspan(sent, 1));
        handle_all(*socket, now);
        socket->drop_stalled(now);
    }
    CHECK(sent > 1);
    CHECK(sent < 10);
    CHECK(client.was_hung_up_on());
}
