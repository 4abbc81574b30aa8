#include "daemon/runtime/neighbours.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::runtime;
using namespace std::chrono_literals;

namespace {

const crypto::NetworkAddress there{std::byte{1}};

struct Heard {
    tests::Network network = tests::make_network({"hq", "hyesan", "pyongyang"});
    tests::LoneOffice hq{network, 0};
    crypto::FoundingKey secret = crypto::FoundingKey::random();
    crypto::BeaconKey key = crypto::beacon_key(secret.view(), 0, network.id());
    Neighbours neighbours{secret, network.id()};
    Now now = tests::LoneOffice::now();

    Heard() { now.steady = Instant{1h}; }

    Bytes call(OfficeId from, std::uint16_t port) {
        crypto::BeaconNonce nonce;
        crypto::fill_random(nonce.bytes);
        return crypto::seal_beacon(key, network.id(), {from, port}, nonce, there);
    }
    void call_from(std::size_t place, const std::string& host, std::uint16_t port = 6743) {
        neighbours.hear({{call(office(place), port), there, host}}, hq.ledger(), now);
    }
    // The targets that are dialled when this call is heard.
    std::vector<Dialler::Target> hear(const Bytes& bytes, const std::string& host = "10.0.0.2",
                                      const crypto::NetworkAddress& sender = there) {
        neighbours.hear({{bytes, sender, host}}, hq.ledger(), now);
        return neighbours.take_due({}, now);
    }
    // All targets that are dialled in so much time, while nobody calls.
    std::vector<Dialler::Target> dialled_in(std::chrono::milliseconds time) {
        std::vector<Dialler::Target> all;
        const auto end = now.steady + time;
        while (true) {
            std::ranges::move(neighbours.take_due({}, now), std::back_inserter(all));
            const auto next = neighbours.due_at({});
            if (!next || *next > end) {
                now.steady = end;
                return all;
            }
            now.steady = std::max(*next, now.steady + 1ms);
        }
    }
    OfficeId office(std::size_t place) { return network.offices[place].index; }
};

}  // namespace

TEST_CASE("a call is noise that changes each time, and opens for members only", "[beacon]") {
    Heard heard;
    const auto once = heard.call(heard.office(1), 6743);
    const auto again = heard.call(heard.office(1), 6743);
    for (std::size_t i = 0; i + 4 <= once.size(); ++i) {
        CHECK_FALSE(std::equal(once.begin() + static_cast<std::ptrdiff_t>(i),
                               once.begin() + static_cast<std::ptrdiff_t>(i) + 4,
                               again.begin() + static_cast<std::ptrdiff_t>(i)));
    }
    const auto id = heard.network.id();
    const crypto::Beacon expected{heard.office(1), 6743};
    CHECK(crypto::open_beacon(heard.key, id, once, there) == expected);
    for (std::size_t bit = 0; bit < once.size() * 8; ++bit) {
        auto flipped = once;
        flipped[bit / 8] ^= std::byte{1} << (bit % 8);
        CHECK_FALSE(crypto::open_beacon(heard.key, id, flipped, there));
    }
    for (std::size_t size = 0; size < once.size(); ++size) {
        CHECK_FALSE(crypto::open_beacon(heard.key, id, BytesView(once).first(size), there));
    }
    CHECK_FALSE(crypto::open_beacon(heard.key, id, once, {std::byte{2}}));
    const auto others = crypto::beacon_key(crypto::FoundingKey::random().view(), 0, id);
    CHECK_FALSE(crypto::open_beacon(others, id, once, there));
}

TEST_CASE("calls of an epoch that all members have left are noise", "[beacon]") {
    Heard heard;
    auto& ledger = heard.hq.ledger();
    std::uint64_t counter = 0;
    const auto state = [&](std::size_t place, std::uint16_t epoch) {
        OfficeStatement statement;
        statement.transport_epoch = epoch;
        Register entry;
        entry.key = {heard.office(place), static_cast<std::uint8_t>(RegisterKind::office), {}};
        entry.version = {{1, 7}, ++counter};
        entry.payload = encode_office_statement(statement);
        ledger.keep_register(entry);
    };
    // pyongyang is cut off, so a new epoch begins.
    heard.network.change({Revoke{heard.office(2), {}, "lost"}}, tests::founded_at);
    REQUIRE(ledger.apply_roster_change(heard.network.changes.back(), heard.now));
    engine::tend_group_keys(ledger, heard.now);
    engine::Transport transport;
    const auto* newest = transport.newest(ledger);
    REQUIRE(newest != nullptr);
    CHECK(newest->epoch == 1);
    const auto of_old = heard.key.duplicate();
    const auto of_new = crypto::beacon_key(newest->secret.view(), 1, heard.network.id());
    const auto is_heard = [&](const crypto::BeaconKey& key, const std::string& host) {
        heard.key = key.duplicate();
        heard.now.steady = heard.now.steady + 1min;
        return !heard.hear(heard.call(heard.office(1), 6743), host).empty();
    };
    // A caller that knows the founding key only may be an office that was away.
    state(1, 0);
    CHECK(is_heard(of_old, "10.0.0.2"));
    CHECK(is_heard(of_new, "10.0.0.3"));
    state(1, 1);
    CHECK_FALSE(is_heard(of_old, "10.0.0.4"));
    CHECK(is_heard(of_new, "10.0.0.5"));
    // A new office is invited, and has to be found.
    Invitation invitation;
    invitation.index = OfficeId{9};
    invitation.name = "wonsan";
    heard.network.change({invitation}, tests::founded_at);
    REQUIRE(ledger.apply_roster_change(heard.network.changes.back(), heard.now));
    CHECK(is_heard(of_old, "10.0.0.6"));
    CHECK(is_heard(of_new, "10.0.0.7"));
}

TEST_CASE("an office that is heard is dialled, and not again at each call", "[beacon]") {
    Heard heard;
    const Dialler::Target expected{"tcp://10.0.0.2:6743", heard.office(1)};
    CHECK(heard.hear(heard.call(heard.office(1), 6743)) == std::vector{expected});
    for (int i = 0; i < 1000; ++i) {
        CHECK(heard.hear(heard.call(heard.office(1), 6743)).empty());
    }
    heard.now.steady = heard.now.steady + 20s;
    CHECK(heard.hear(heard.call(heard.office(1), 6743)).size() == 1);
    CHECK(heard.neighbours.targets(heard.now) == std::vector{expected});
    heard.now.steady = heard.now.steady + 16min;
    CHECK(heard.neighbours.targets(heard.now).empty());
}

TEST_CASE("a flood of calls causes a bounded number of attempts", "[beacon]") {
    Heard heard;
    std::size_t attempts = 0;
    for (int i = 0; i < 60'000; ++i) {
        heard.now.steady = heard.now.steady + 1ms;
        // A member that lies: every call is of another address.
        const auto bytes = heard.call(heard.office(1), static_cast<std::uint16_t>(1 + i));
        attempts += heard.hear(bytes, fmt::format("10.0.{}.{}", i / 256, i % 256)).size();
        REQUIRE(heard.neighbours.targets(heard.now).size() <= 4);
    }
    CHECK(attempts <= 61);
    // It does not keep another office from being found.
    heard.now.steady = heard.now.steady + 125ms;
    CHECK(heard.hear(heard.call(heard.office(2), 6743)).size() == 1);
}

TEST_CASE("one address that calls again and again, with ever new ports, hides no other",
          "[beacon]") {
    Heard heard;
    const auto flood = [&](std::chrono::milliseconds time) {
        std::size_t dialled = 0;
        for (const auto end = heard.now.steady + time; heard.now.steady < end;
             heard.now.steady = heard.now.steady + 5ms) {
            static std::uint16_t port = 0;
            dialled +=
                heard.hear(heard.call(heard.office(1), ++port == 0 ? ++port : port), "10.0.0.66")
                    .size();
        }
        return dialled;
    };
    // 200 calls a second: one endpoint is dialled each 20 s.
    CHECK(flood(60s) == 3);
    const Dialler::Target honest{"tcp://10.0.0.2:6743", heard.office(1)};
    heard.call_from(1, "10.0.0.2");
    CHECK(heard.neighbours.take_due({}, heard.now) == std::vector{honest});
    CHECK(flood(10min) <= 31);
    // It is still there to be dialled again, for it called within a quarter of an hour.
    CHECK(std::ranges::count(heard.neighbours.targets(heard.now), honest) == 1);
}

TEST_CASE("each address of a network has its turn, however many call for the same office",
          "[beacon]") {
    Heard heard;
    for (int i = 3; i < 255; ++i) {
        heard.call_from(1, fmt::format("10.0.0.{}", i));
    }
    const Dialler::Target honest{"tcp://10.0.0.2:6743", heard.office(1)};
    heard.call_from(1, "10.0.0.2");
    // The other addresses go on calling all the time.
    std::size_t dialled = 0;
    std::optional<std::size_t> turn;
    for (int second = 0; second < 260; ++second) {
        for (int i = 3; i < 255; ++i) {
            heard.call_from(1, fmt::format("10.0.0.{}", i), static_cast<std::uint16_t>(second + 1));
        }
        for (const auto& target : heard.dialled_in(1s)) {
            turn = target == honest ? std::optional(dialled) : turn;
            ++dialled;
        }
    }
    REQUIRE(turn.has_value());
    CHECK(*turn <= 253);
    CHECK(dialled <= 262);
}

TEST_CASE("an address where the office was reached keeps its place and goes first", "[beacon]") {
    Heard heard;
    const Dialler::Target honest{"tcp://10.0.0.2:6743", heard.office(1)};
    CHECK(heard.hear(heard.call(heard.office(1), 6743)) == std::vector{honest});
    heard.neighbours.reached(honest, heard.now);
    for (int i = 0; i < 70'000; ++i) {
        heard.call_from(1, fmt::format("10.{}.{}.66", i / 256, i % 256));
    }
    heard.dialled_in(30s);
    // Nor does a call that is forged in its name take its port away.
    heard.call_from(1, "10.0.0.2", 9);
    heard.dialled_in(10ms);
    const auto targets = heard.neighbours.targets(heard.now);
    CHECK(std::ranges::count(targets, honest) == 1);
    CHECK(targets.size() <= 6);
    heard.now.steady = heard.now.steady + 20s;
    heard.call_from(1, "10.0.0.2");
    const auto due = heard.neighbours.take_due({}, heard.now);
    CHECK(std::ranges::count(due, honest) == 1);
    // While the link is up it stays a target, though its calls are drowned.
    for (int minute = 0; minute < 60; ++minute) {
        heard.now.steady = heard.now.steady + 1min;
        heard.neighbours.reached(honest, heard.now);
    }
    CHECK(heard.neighbours.targets(heard.now) == std::vector{honest});
    CHECK_FALSE(
        std::ranges::count(heard.neighbours.targets({heard.now.steady + 16min, {}}), honest));
}

TEST_CASE("an office that comes back at another port of its address is dialled there", "[beacon]") {
    Heard heard;
    const auto first = heard.hear(heard.call(heard.office(1), 5000));
    REQUIRE(first.size() == 1);
    heard.neighbours.reached(first.front(), heard.now);
    heard.now.steady = heard.now.steady + 5s;
    heard.call_from(1, "10.0.0.2", 5001);
    const auto then = heard.dialled_in(20s);
    CHECK(then == std::vector{Dialler::Target{"tcp://10.0.0.2:5001", heard.office(1)}});
}

TEST_CASE("a flood in IPv6, where addresses never end, does not touch IPv4", "[beacon]") {
    Heard heard;
    for (int i = 0; i < 100'000; ++i) {
        heard.call_from(1, fmt::format("[fe80::{:x}:{:x}%eth0]", i / 65536, i % 65536));
    }
    heard.call_from(1, "10.0.0.2");
    const auto dialled = heard.dialled_in(2s);
    CHECK(std::ranges::count(dialled, Dialler::Target{"tcp://10.0.0.2:6743", heard.office(1)}) ==
          1);
    // One a second in IPv6.
    CHECK(dialled.size() <= 4);
    CHECK(heard.neighbours.targets(heard.now).size() <= 8);
}

TEST_CASE("an office that is linked is not dialled, and its address waits", "[beacon]") {
    Heard heard;
    heard.call_from(1, "10.0.0.2");
    const std::set linked{heard.office(1)};
    CHECK(heard.neighbours.take_due(linked, heard.now).empty());
    CHECK_FALSE(heard.neighbours.due_at(linked));
    CHECK(heard.neighbours.take_due({}, heard.now).size() == 1);
}

TEST_CASE("a flood for all offices is spent fairly among them", "[beacon]") {
    Heard heard;
    std::map<OfficeId, int> dialled;
    std::size_t all = 0;
    for (int i = 0; i < 30'000; ++i) {
        heard.now.steady = heard.now.steady + 1ms;
        heard.call_from(1, fmt::format("10.{}.{}.66", i / 256, i % 256));
        heard.call_from(2, fmt::format("10.{}.{}.66", i / 256, i % 256));
        heard.call_from(1, fmt::format("[fe80::{:x}%eth0]", i));
        heard.call_from(2, fmt::format("[fe80::{:x}%eth0]", i));
        for (const auto& target : heard.neighbours.take_due({}, heard.now)) {
            ++dialled[target.office];
            ++all;
        }
    }
    CHECK(all <= std::size_t{8} * 31);
    CHECK(dialled[heard.office(1)] >= 59);
    CHECK(dialled[heard.office(2)] >= 59);
}

TEST_CASE("calls of strangers, of ourselves and from elsewhere are nothing", "[beacon]") {
    Heard heard;
    CHECK(heard.hear(heard.call(heard.office(0), 6743)).empty());
    CHECK(heard.hear(heard.call(OfficeId{77}, 6743)).empty());
    CHECK(heard.hear(heard.call(heard.office(1), 0)).empty());
    CHECK(heard.hear(heard.call(heard.office(1), 6743), "10.0.0.2", {std::byte{9}}).empty());
    CHECK(heard.hear(Bytes(36)).empty());
    CHECK(heard.hear({}).empty());
    CHECK(heard.neighbours.targets(heard.now).empty());
}

TEST_CASE("an office calls often while it is alone, and soon when the network changes",
          "[beacon]") {
    Heard heard;
    auto& now = heard.now;
    const auto calls_in = [&](std::chrono::seconds time, bool is_linked) {
        int calls = 0;
        for (const auto end = now.steady + time; now.steady < end;
             now.steady = now.steady + 100ms) {
            calls += heard.neighbours.is_due(is_linked, now) ? 1 : 0;
        }
        return calls;
    };
    heard.neighbours.call_soon(now);
    CHECK(calls_in(10s, false) == 3);
    CHECK(calls_in(300s, false) == 10);
    calls_in(31s, true);
    CHECK(calls_in(1800s, true) == 3);
    // The link is lost: not ten minutes more.
    CHECK(calls_in(31s, false) == 1);
    heard.neighbours.call_soon(now);
    CHECK(calls_in(1s, true) == 1);
}

TEST_CASE("a socket is reached where it is bound, however its address is written", "[beacon]") {
    const auto address = [](const std::string& text) {
        link::BeaconSocket::Address bytes{};
        REQUIRE(::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1);
        return bytes;
    };
    const auto ipv4 = address("::ffff:10.78.5.1");
    for (const auto* bound :
         {"tcp://10.78.5.1:6743", "tcp://[::ffff:10.78.5.1]:6743", "tcp://[::ffff:a4e:501]:6743",
          "tcp://*:6743", "tcp://[::]:6743", "tcp://0.0.0.0:6743"}) {
        CAPTURE(bound);
        CHECK(port_reached_at(bound, ipv4) == 6743);
    }
    for (const auto* bound : {"tcp://10.78.5.2:6743", "tcp://[::ffff:10.78.5.2]:6743",
                              "tcp://[fe80::1]:6743", "tcp://127.0.0.1:6743"}) {
        CAPTURE(bound);
        CHECK(port_reached_at(bound, ipv4) == 0);
    }
    const auto ipv6 = address("fd00::5");
    CHECK(port_reached_at("tcp://[fd00:0:0::5]:7", ipv6) == 7);
    CHECK(port_reached_at("tcp://0.0.0.0:7", ipv6) == 0);
    CHECK(port_reached_at("tcp://[fd00::6]:7", ipv6) == 0);
}
