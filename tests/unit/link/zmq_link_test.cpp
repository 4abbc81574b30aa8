// Goal: members talk, strangers are reported as strangers, keys that were shut out are refused, and
// a peer that goes is noticed.
// Method: two links in one process, over loopback.
#include "daemon/link/zmq_link.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>

#include "crypto/box.h"

using namespace fieldpost;
using namespace fieldpost::link;
using namespace std::chrono_literals;

namespace {

struct End {
    crypto::BoxKeyPair keys = crypto::BoxKeyPair::random();
    std::unique_ptr<ZmqLink> link;

    // Opens this end. It answers the keys in `known` as given there. No other key is let in.
    void open(const std::map<BoxPublic, Caller>& known) {
        link = ZmqLink::open({keys.public_key, keys.secret.view()}, [known](const BoxPublic& key) {
                   const auto found = known.find(key);
                   return found == known.end() ? std::nullopt : std::optional(found->second);
               }).value();
    }
};

// Lets both ends run until one of `first`'s events is of this kind; not in time is a failure.
template <class Event>
Event await(End& first, End& second) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < end) {
        for (auto& event : first.link->wait({}, 10ms)) {
            if (auto* found = std::get_if<Event>(&event)) {
                return *found;
            }
            if (const auto* down = std::get_if<PeerDown>(&event)) {
                FAIL("the link went down: " << words_of(down->reason));
            }
        }
        second.link->wait({}, 10ms);
    }
    FAIL("nothing happened in time: " << __PRETTY_FUNCTION__);
    return {};
}

constexpr OfficeId us{1};
constexpr OfficeId them{2};
const std::string any_port = "tcp://127.0.0.1:*";

}  // namespace

TEST_CASE("frames go both ways between members, and a peer that goes is noticed", "[link]") {
    End server;
    End client;
    server.open({{client.keys.public_key, them}});
    client.open({});
    const auto endpoint = server.link->listen(any_port).value();
    const auto dialled = client.link->dial({endpoint}, server.keys.public_key, us);
    const auto up = await<PeerUp>(client, server);
    CHECK(up.connection == dialled);
    CHECK(up.peer == us);
    CHECK(up.is_dialled);
    const Bytes frame(1000, std::byte{7});
    REQUIRE(client.link->send(dialled, frame));
    const auto accepted = await<PeerUp>(server, client);
    CHECK(accepted.peer == them);
    REQUIRE(server.link->send(accepted.connection, frame));
    CHECK(await<FrameIn>(client, server).bytes == frame);
    client.link->close(dialled);
    CHECK(await<PeerDown>(server, client).connection == accepted.connection);
    CHECK_FALSE(server.link->send(accepted.connection, frame));
}

TEST_CASE("what came before a peer went belongs to that peer", "[link]") {
    End server;
    End client;
    server.open({{client.keys.public_key, them}});
    client.open({});
    const auto endpoint = server.link->listen(any_port).value();
    const auto dialled = client.link->dial({endpoint}, server.keys.public_key, us);
    await<PeerUp>(client, server);
    REQUIRE(client.link->send(dialled, Bytes(10)));
    const auto accepted = await<PeerUp>(server, client);
    constexpr int count = 200;
    for (int i = 0; i < count; ++i) {
        REQUIRE(client.link->send(dialled, Bytes(1000)));
    }
    // Nobody reads while all of it comes, and the peer goes.
    client.link->wait({}, 200ms);
    client.link->close(dialled);
    client.link->wait({}, 200ms);
    int came = 0;
    bool is_gone = false;
    for (int turn = 0; turn < 20; ++turn) {
        for (const auto& event : server.link->wait({}, 50ms)) {
            CHECK_FALSE(std::holds_alternative<link::PeerUp>(event));
            if (const auto* frame = std::get_if<FrameIn>(&event)) {
                CHECK(frame->connection == accepted.connection);
                CHECK_FALSE(is_gone);
                came += frame->bytes.size() == 1000 ? 1 : 0;
            }
            is_gone = is_gone || std::holds_alternative<PeerDown>(event);
        }
    }
    CHECK(came == count);
    CHECK(is_gone);
}

TEST_CASE("a connection that begins with nothing is kept for later", "[link]") {
    End server;
    End client;
    server.open({{client.keys.public_key, them}});
    client.open({});
    const auto endpoint = server.link->listen(any_port).value();
    const auto dialled = client.link->dial({endpoint}, server.keys.public_key, us);
    CHECK(await<PeerReached>(client, server).connection == dialled);
    await<PeerUp>(client, server);
    REQUIRE(client.link->send(dialled, {}));
    const auto kept = await<PeerUp>(server, client);
    CHECK(kept.is_spare);
    CHECK(kept.peer == them);
    REQUIRE(client.link->send(dialled, Bytes(10)));
    const auto used = await<FrameIn>(server, client);
    CHECK(used.connection == kept.connection);
    CHECK(used.bytes == Bytes(10));
}

TEST_CASE("the listening end can drop one peer", "[link]") {
    End server;
    End client;
    server.open({{client.keys.public_key, them}});
    client.open({});
    const auto endpoint = server.link->listen(any_port).value();
    const auto dialled = client.link->dial({endpoint}, server.keys.public_key, us);
    await<PeerUp>(client, server);
    REQUIRE(client.link->send(dialled, Bytes(10)));
    server.link->close(await<PeerUp>(server, client).connection);
    CHECK(await<PeerDown>(client, server).connection == dialled);
}

TEST_CASE("a key that is shut out is refused, and so is a server with another key", "[link]") {
    End server;
    End client;
    server.open({});
    client.open({});
    const auto endpoint = server.link->listen(any_port).value();
    client.link->dial({endpoint}, server.keys.public_key, us);
    const auto refused = await<PeerDown>(client, server).reason;
    CHECK((refused == EndReason::refused || refused == EndReason::not_let_in));
    client.link->dial({endpoint}, client.keys.public_key, us);
    CHECK(await<PeerDown>(client, server).reason != EndReason::refused);
}

TEST_CASE("nobody there is no answer, and a taken address is an error", "[link]") {
    End client;
    End other;
    client.open({});
    other.open({});
    client.link->dial({"tcp://127.0.0.1:9"}, other.keys.public_key, us);  // nothing listens there
    CHECK(await<PeerDown>(client, other).reason == EndReason::no_answer);
    const auto endpoint = client.link->listen(any_port).value();
    CHECK(other.link->listen(endpoint).error().code == Errc::unavailable);
}

TEST_CASE("what answers but speaks otherwise, as a login page does, is told from no answer",
          "[link]") {
    const int page = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(page, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(page, 4) == 0);
    REQUIRE(::getsockname(page, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    End client;
    client.open({});
    client.link->dial({fmt::format("tcp://127.0.0.1:{}", ntohs(address.sin_port))},
                      crypto::BoxKeyPair::random().public_key, us);
    std::optional<EndReason> reason;
    int visitor = -1;
    bool has_answered = false;
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (!reason && std::chrono::steady_clock::now() < end) {
        if (visitor < 0) {
            visitor = ::accept(page, nullptr, nullptr);
        }
        if (visitor >= 0 && !has_answered) {
            has_answered = true;
            const std::string_view answer = "HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n";
            REQUIRE(::send(visitor, answer.data(), answer.size(), MSG_NOSIGNAL) > 0);
        }
        for (const auto& event : client.link->wait({}, 10ms)) {
            if (const auto* down = std::get_if<PeerDown>(&event)) {
                reason = down->reason;
            }
        }
    }
    ::close(visitor);
    ::close(page);
    REQUIRE(reason.has_value());
    CHECK(words_of(*reason) == "no greeting");
}

TEST_CASE("an announced address of this machine is not connected to, by any name", "[link]") {
    const int service = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(service, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(service, 64) == 0);
    REQUIRE(::getsockname(service, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const auto port = ntohs(address.sin_port);
    End client;
    client.open({});
    const auto ended = [&](const Way& way) {
        const auto dialled = client.link->dial(way, crypto::BoxKeyPair::random().public_key, us);
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (std::chrono::steady_clock::now() < end) {
            for (const auto& event : client.link->wait({}, 10ms)) {
                if (const auto* down = std::get_if<PeerDown>(&event)) {
                    CHECK(down->connection == dialled);
                    return down->reason;
                }
            }
            if (const int visitor = ::accept(service, nullptr, nullptr); visitor >= 0) {
                ::close(visitor);
                return EndReason::no_greeting;
            }
        }
        FAIL("nothing happened in time");
        return EndReason::no_answer;
    };
    for (const auto* host : {"127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"}) {
        CAPTURE(host);
        Way way{fmt::format("tcp://{}:{}", host, port)};
        way.trust.word = Word::told;
        CHECK(ended(way) == EndReason::not_dialled);
        way.segment_max = 536;
        CHECK(ended(way) == EndReason::not_dialled);
        way.proxy = "127.0.0.1:9";
        if (std::string_view(host) != "0.0.0.0") {
            CHECK(ended(way) == EndReason::not_dialled);
        }
    }
    // A person's word is taken, and one attempt is one connection.
    Way way{fmt::format("tcp://127.0.0.1:{}", port)};
    CHECK(ended(way) == EndReason::no_greeting);
    for (int i = 0; i < 50; ++i) {
        client.link->wait({}, 10ms);
    }
    CHECK(::accept(service, nullptr, nullptr) < 0);
    ::close(service);
}

TEST_CASE("a stranger comes in as one, with its key, and only so many at a time", "[link]") {
    End server;
    End client;
    server.open({{client.keys.public_key, Stranger{}}});
    client.open({});
    const auto endpoint = server.link->listen(any_port).value();
    const auto elsewhere = server.link->listen("tcp://[::1]:*").value();
    const auto knock = [&](const std::string& at) {
        return client.link->dial({at}, server.keys.public_key, them);
    };
    const auto dialled = knock(endpoint);
    await<PeerUp>(client, server);
    REQUIRE(client.link->send(dialled, Bytes(10)));
    const auto stranger = await<link::StrangerUp>(server, client);
    CHECK(stranger.key == client.keys.public_key);
    REQUIRE(client.link->send(dialled, Bytes(20)));
    CHECK(await<FrameIn>(server, client).connection == stranger.connection);
    server.link->close(stranger.connection);
    CHECK(await<PeerDown>(client, server).connection == dialled);
    int let_in = 1;
    std::optional<EndReason> reason;
    for (; let_in < 100 && !reason; ++let_in) {
        const auto again = knock(endpoint);
        const auto end = std::chrono::steady_clock::now() + 20s;
        bool is_answered = false;
        while (!is_answered && std::chrono::steady_clock::now() < end) {
            for (const auto& event : client.link->wait({}, 10ms)) {
                if (const auto* down = std::get_if<PeerDown>(&event)) {
                    reason = down->reason;
                }
                is_answered = is_answered || !std::holds_alternative<PeerReached>(event);
            }
            server.link->wait({}, 10ms);
        }
        REQUIRE(is_answered);
        client.link->close(again);
    }
    CHECK((reason == EndReason::refused || reason == EndReason::not_let_in));
    CHECK(let_in < 20);
    // A caller that uses up the places of one address keeps nobody out at another.
    knock(elsewhere);
    await<PeerUp>(client, server);
}
