// Goal: announcements of other offices make this one dial little, and never hide an honest address.
// Method: statements of offices in memory, and a link whose events nobody reads: each attempt stays
// under way until the test ends it. The addresses are of networks that nobody has (RFC 5737).
#include "daemon/runtime/dialler.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "crypto/box.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::runtime;
using namespace std::chrono_literals;

namespace {

// hq dials; the others announce.
struct Dialling {
    tests::Network network =
        tests::make_network({"hq", "hyesan", "pyongyang", "wonsan", "sinuiju", "kaesong"});
    tests::LoneOffice hq{network, 0};
    crypto::BoxKeyPair keys = crypto::BoxKeyPair::random();
    std::unique_ptr<link::ZmqLink> link =
        link::ZmqLink::open({keys.public_key, keys.secret.view()}, [](const BoxPublic&) {
            return std::nullopt;
        }).value();
    Dialler dialler;
    std::vector<PeerConfiguration> by_hand{};
    std::vector<Dialler::Target> nearby{};
    Now now = tests::LoneOffice::now();
    std::uint64_t version = 0;

    Dialling() { now.steady = Instant{1h}; }

    void announce(std::size_t place, std::vector<std::string> endpoints) {
        OfficeStatement statement;
        statement.endpoints = std::move(endpoints);
        Register entry;
        entry.key = {
            network.offices[place].index, static_cast<std::uint8_t>(RegisterKind::office), {}};
        entry.version = {{1, 7}, ++version};
        entry.at = tests::founded_at;
        entry.payload = encode_office_statement(statement);
        crypto::sign_register(network.offices[place].machine.identity, network.id(), entry);
        hq.ledger().keep_register(entry);
    }
    // Dials everything that is due.
    void turn() {
        dialler.set_targets(hq.ledger(), by_hand, nearby);
        dialler.permit([](OfficeId, const Policy&) { return Permit{.is_open = true}; }, now);
        dialler.dial_due(*link, hq.ledger(), {}, {}, now);
    }
    // The endpoints under way.
    [[nodiscard]] std::vector<std::string> under_way() const {
        std::vector<std::string> all;
        for (const auto& [target, attempt] : dialler.attempts()) {
            if (attempt.connection) {
                all.push_back(target.endpoint);
            }
        }
        return all;
    }
    void end_all(link::EndReason reason) {
        std::vector<link::ConnectionId> all;
        for (const auto& [target, attempt] : dialler.attempts()) {
            if (attempt.connection) {
                all.push_back(*attempt.connection);
            }
        }
        for (const auto connection : all) {
            link->close(connection);
            dialler.went(connection, reason, now);
        }
    }
    // How often each endpoint is dialled in this time, if nobody ever answers.
    std::map<std::string, int> dialled_in(std::chrono::milliseconds time) {
        std::map<std::string, int> all;
        for (const auto end = now.steady + time; now.steady < end;
             now.steady = now.steady + 250ms) {
            turn();
            for (const auto& endpoint : under_way()) {
                ++all[endpoint];
            }
            end_all(link::EndReason::no_answer);
        }
        return all;
    }
};

int sum(const std::map<std::string, int>& dialled) {
    int all = 0;
    for (const auto& [endpoint, times] : dialled) {
        all += times;
    }
    return all;
}

std::vector<std::string> ports_of(const std::string& host, int first) {
    std::vector<std::string> all;
    for (int i = 0; i < 8; ++i) {
        all.push_back(fmt::format("tcp://{}:{}", host, first + i));
    }
    return all;
}

}  // namespace

TEST_CASE("eight ports of one host that an office announces are tried one at a time", "[dialler]") {
    Dialling at;
    at.announce(1, ports_of("192.0.2.1", 2000));
    at.turn();
    CHECK(at.under_way().size() == 1);
    at.end_all(link::EndReason::no_answer);
    const auto dialled = at.dialled_in(15min);
    // All ports together are dialled as often as one port would be, each in its turn.
    CHECK(sum(dialled) <= 70);
    CHECK(dialled.size() == 8);
    for (const auto& [endpoint, times] : dialled) {
        CHECK(times >= 5);
    }
}

TEST_CASE("other spellings of a host, and ever new ports, begin nothing anew", "[dialler]") {
    Dialling at;
    at.announce(1, {"tcp://192.0.2.1:2000", "tcp://0xc0.0.2.1:2001", "tcp://3221225985:2002",
                    "tcp://[::ffff:192.0.2.1]:2003"});
    at.turn();
    CHECK(at.under_way().size() <= 1);
    at.end_all(link::EndReason::no_answer);
    int dialled = 0;
    for (int minute = 0; minute < 60; ++minute) {
        at.announce(1, ports_of("192.0.2.1", 2000 + 8 * minute));
        dialled += sum(at.dialled_in(1min));
    }
    CHECK(dialled <= 90);
}

TEST_CASE("names that an office announces are tried one at a time", "[dialler]") {
    Dialling at;
    std::vector<std::string> names;
    for (int i = 0; i < 8; ++i) {
        names.push_back(fmt::format("tcp://a{}.nobody.invalid:6743", i));
    }
    at.announce(1, names);
    at.turn();
    CHECK(at.under_way().size() == 1);
    at.end_all(link::EndReason::no_name);
}

TEST_CASE("other offices that announce an office's host do not keep it from being tried",
          "[dialler]") {
    Dialling at;
    at.announce(5, {"tcp://192.0.2.1:6743"});
    for (std::size_t liar = 1; liar < 5; ++liar) {
        at.announce(liar, ports_of("192.0.2.1", 2000));
    }
    at.turn();
    CHECK(at.under_way().size() == 4);
    at.end_all(link::EndReason::no_answer);
    // Those that were not tried yet go first.
    at.turn();
    CHECK(std::ranges::count(at.under_way(), "tcp://192.0.2.1:6743") == 1);
    at.end_all(link::EndReason::no_answer);
    const auto dialled = at.dialled_in(15min);
    CHECK(dialled.at("tcp://192.0.2.1:6743") >= 40);
}

TEST_CASE("an address that is told leaves room for those that are set by hand", "[dialler]") {
    Dialling at;
    for (std::size_t liar = 1; liar < 6; ++liar) {
        std::vector<std::string> hosts;
        for (int i = 0; i < 8; ++i) {
            hosts.push_back(fmt::format("tcp://198.51.100.{}:6743", 8 * liar + i));
        }
        at.announce(liar, hosts);
    }
    for (int i = 0; i < 20; ++i) {
        at.nearby.push_back(
            {fmt::format("tcp://203.0.113.{}:6743", i), at.network.offices[1].index});
    }
    at.turn();
    CHECK(at.under_way().size() == 8);
    at.by_hand = {{"tcp://192.0.2.9:22"}};
    at.now.steady = at.now.steady + 1ms;
    at.turn();
    CHECK(std::ranges::count(at.under_way(), "tcp://192.0.2.9:22") == 5);
    // Nothing is asked for again and again while there is no room.
    const auto wake = at.dialler.wake_at({}, at.now);
    CHECK((!wake || *wake > at.now.steady));
}

TEST_CASE("a name for which there was no place has not failed", "[dialler]") {
    Dialling at;
    at.by_hand = {{"tcp://hq.nobody.invalid:6743"}};
    at.turn();
    const auto before = at.under_way().size();
    REQUIRE(before > 0);
    at.end_all(link::EndReason::put_off);
    for (const auto& [target, attempt] : at.dialler.attempts()) {
        CHECK(attempt.failures == 0);
        CHECK_FALSE(attempt.reason);
        CHECK_FALSE(attempt.failing_since);
    }
    at.turn();
    CHECK(at.under_way().empty());
    at.now.steady = at.now.steady + 1s;
    at.turn();
    CHECK(at.under_way().size() == before);
    at.end_all(link::EndReason::put_off);
}

TEST_CASE("a name that led to an office is not asked for without end once it leads elsewhere",
          "[dialler]") {
    Dialling at;
    at.announce(1, {"tcp://a.nobody.invalid:6743"});
    at.turn();
    for (const auto& [target, attempt] : at.dialler.attempts()) {
        at.dialler.shook_hands(attempt.connection.value());
        at.dialler.came(attempt.connection.value(), at.now);
    }
    at.end_all(link::EndReason::link_went);
    at.now.steady = at.now.steady + 1s;
    // Somebody refuses each connection at once.
    int dialled = 0;
    for (const auto end = at.now.steady + 10min; at.now.steady < end;
         at.now.steady = at.now.steady + 50ms) {
        at.turn();
        dialled += static_cast<int>(at.under_way().size());
        at.end_all(link::EndReason::no_answer);
    }
    CHECK(dialled >= 64);
    CHECK(dialled <= 64 + 60);
}

TEST_CASE("the words of others are judged by the network that they are of", "[dialler]") {
    Dialling at;
    at.announce(1, {"tcp://127.0.0.1:6743"});
    const auto trust = [&](std::size_t place, const std::string& endpoint) {
        at.dialler.set_targets(at.hq.ledger(), at.by_hand, at.nearby);
        return at.dialler
            .way_of(at.dialler.attempts().at({endpoint, at.network.offices[place].index}))
            .trust;
    };
    CHECK(trust(1, "tcp://127.0.0.1:6743") == link::Trust{.word = link::Word::told});
    // Only the office that founded the network can say that all of it is on one machine.
    at.announce(0, {"tcp://127.0.0.1:6744"});
    CHECK(trust(1, "tcp://127.0.0.1:6743").is_on_one_machine);
    at.announce(0, {"tcp://192.0.2.7:6743"});
    CHECK_FALSE(trust(1, "tcp://127.0.0.1:6743").is_on_one_machine);
    at.nearby = {{"tcp://10.0.0.2:6743", at.network.offices[2].index}};
    CHECK(trust(2, "tcp://10.0.0.2:6743").word == link::Word::heard);
    at.by_hand = {{"tcp://127.0.0.1:6743"}};
    CHECK(trust(1, "tcp://127.0.0.1:6743").word == link::Word::by_hand);
}
