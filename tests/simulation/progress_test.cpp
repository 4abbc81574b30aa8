// Goal: the state that an author's office shows of a report never falls back, whatever is renewed
// or thrown away later (invariant I8).
// Method: small scenarios with daily statements and changed addresses; then weeks of an office's
// life in virtual time, one seed a run, checked after every step.
#include <fmt/format.h>
#include <catch2/catch.hpp>

#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::State;

TEST_CASE("a delivered report stays delivered when its author's statement is renewed",
          "[simulation]") {
    World world(1, {"hq", "hyesan"}, {});
    std::vector<storage::ReportKey> reports;
    for (int i = 0; i < 3; ++i) {
        reports.push_back(world.queue(hyesan, {hq}, RecordClass::normal).value());
    }
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    for (const auto& report : reports) {
        REQUIRE(world.view(hyesan, report).state == State::delivered);
    }
    SECTION("by a changed address") {
        world.advertise(hyesan, {"tcp://10.0.0.7:6743"});
    }
    SECTION("by the day") {
        world.run_for(25h);
    }
    world.run_until_idle(1h);
    REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal).has_value());
    world.run_until_idle(1h);
    for (const auto& report : reports) {
        CHECK(world.view(hyesan, report).state == State::delivered);
    }
}

TEST_CASE("a report that nobody got stays expired through every renewal, until a receipt comes",
          "[simulation]") {
    World world(2, {"hq", "hyesan", "pyongyang"}, {});
    const auto lost =
        world.queue(hyesan, {hq, pyongyang}, RecordClass::normal, 0, 3 * 86400).value();
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    world.cut(hyesan, pyongyang);
    world.stop(hq);
    world.run_for(24h * 5);
    const auto state_of = [&](Node recipient) {
        for (const auto& one : world.view(hyesan, lost).recipients) {
            if (one.proved.office == world.ledger(recipient).us()) {
                return one.proved.state;
            }
        }
        return State::queued;
    };
    CHECK(state_of(pyongyang) == State::delivered);
    CHECK(world.view(hyesan, lost).state == State::delivered);
    for (int day = 0; day < 5; ++day) {
        world.advertise(hyesan, {fmt::format("tcp://10.0.0.{}:6743", day + 1)});
        world.connect(hyesan, pyongyang);
        world.run_for(25h);
        CHECK(world.view(hyesan, lost).recipients.at(0).proved.state == State::expired);
        CHECK(state_of(pyongyang) == State::delivered);
    }
    CHECK(world.times_happened(hyesan, engine::What::expired, lost) == 1);
    world.check_everything();
}

TEST_CASE("a receipt that comes after its report has expired makes it delivered", "[simulation]") {
    World world(3, {"hq", "hyesan"}, {});
    const auto late = world.queue(hyesan, {hq}, RecordClass::normal, 0, 2 * 86400).value();
    // The report goes by stick. The receipt comes back after the report has expired at its author.
    const auto stick = world.write_bundle(hyesan);
    REQUIRE(stick.has_value());
    REQUIRE(world.read_bundle(hq, stick->bytes).has_value());
    world.run_for(24h * 4);
    CHECK(world.view(hyesan, late).state == State::expired);
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    CHECK(world.view(hyesan, late).state == State::delivered);
    CHECK(world.times_happened(hyesan, engine::What::delivered, late, hq) == 1);
    world.check_everything();
}

TEST_CASE("what a cut-off office carried is only here again, and what was for it has failed",
          "[simulation]") {
    World world(4, {"hq", "hyesan", "pyongyang"}, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto to_relay = world.queue(hyesan, {pyongyang, hq}, RecordClass::bulk, 300'000).value();
    world.stop(hq);
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    CHECK(world.view(hyesan, report).state == State::carried);
    CHECK(world.view(hyesan, report).recipients.at(0).proved.carried_by ==
          world.ledger(pyongyang).us());
    world.restart(hq);
    const auto unread = world.queue(hyesan, {pyongyang}, RecordClass::urgent, 0);
    world.cut(hyesan, pyongyang);
    world.crash(pyongyang);
    Revoke revoke;
    revoke.index = world.keys(pyongyang).index;
    world.change_roster({revoke});
    const auto unsent = world.queue(hyesan, {pyongyang}, RecordClass::normal);
    // hyesan does not know yet.
    world.cut(hq, hyesan);
    CHECK(world.view(hyesan, report).state == State::carried);
    REQUIRE(unread.has_value());
    REQUIRE(unsent.has_value());
    world.tell(hyesan, hq, RosterNews{{world.network().changes.back()}});
    CHECK(world.view(hyesan, report).state == State::queued);
    CHECK(world.view(hyesan, to_relay).state == State::queued);
    CHECK(world.view(hyesan, *unsent).state == State::failed);
    CHECK(world.view(hyesan, *unsent).reason == "revoked");
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    CHECK(world.view(hyesan, report).state == State::delivered);
}

namespace {

// Three weeks of four offices: statements are renewed every day, addresses change, machines are off
// for days or crash, links come for some minutes, and reports live for two days or for long.
void live_for_weeks(std::uint64_t seed) {
    CAPTURE(seed);
    World world(seed, {"hq", "hyesan", "pyongyang", "wonsan"},
                {.crash_before_commit = 0.0005, .crash_before_send = 0.0005, .latency = 200ms});
    auto& dice = world.dice();
    const auto any = [&](std::size_t below) { return dice() % below; };
    for (int day = 0; day < 21; ++day) {
        for (int part = 0; part < 4; ++part) {
            const Node a = any(world.size());
            const Node b = any(world.size());
            switch (any(8)) {
                case 0:
                case 1: {
                    std::vector<Node> to;
                    for (Node node = 0; node < world.size(); ++node) {
                        if (node != a && (node == b || any(3) == 0)) {
                            to.push_back(node);
                        }
                    }
                    if (!to.empty()) {
                        world.queue(a, to, static_cast<RecordClass>(1 + any(3)), 0,
                                    any(2) == 0 ? 2 * 86400 : 90 * 86400);
                    }
                    break;
                }
                case 2:
                    world.advertise(a, {fmt::format("tcp://10.0.{}.{}:6743", a, any(250))});
                    break;
                case 3:
                    if (world.is_up(a)) {
                        any(2) == 0 ? world.stop(a) : world.crash(a);
                    }
                    break;
                case 4:
                    if (world.is_up(a) && !world.promised().empty()) {
                        auto at = world.promised().begin();
                        std::advance(at, static_cast<std::ptrdiff_t>(any(world.promised().size())));
                        if (at->first.origin.record_class != RecordClass::reply &&
                            world.times_happened(a, engine::What::received, at->first) > 0) {
                            world.acknowledge(a, storage::ReportKey(at->first));
                        }
                    }
                    break;
                default:
                    world.restart(a);
                    world.restart(b);
                    world.connect(a, b);
                    break;
            }
            world.run_for(std::chrono::minutes{5 + any(30)});
            world.cut(a, b);
            world.run_for(5h);
        }
        world.run_for(4h);
    }
    world.check_everything();
}

}  // namespace

TEST_CASE("offices at rest write next to nothing in a month", "[simulation]") {
    World world(12, {"hq", "hyesan", "pyongyang"}, {});
    const auto report = world.queue(1, {0}, RecordClass::normal).value();
    world.connect(0, 1);
    world.connect(1, 2);
    world.run_for(72h);  // each office has signed its statements
    REQUIRE(world.has_received(0, report));
    const auto rows_of = [&](Node node) {
        std::size_t rows = 0;
        for (const auto& table : world.disk(node).tables) {
            rows += table.size();
        }
        return rows;
    };
    std::vector<std::size_t> before;
    for (Node node = 0; node < world.size(); ++node) {
        before.push_back(rows_of(node));
    }
    const auto sent = world.bytes_sent();
    constexpr std::uint64_t nights = 30;
    world.run_for(24h * nights);
    for (Node node = 0; node < world.size(); ++node) {
        CAPTURE(node);
        CHECK(rows_of(node) <= before[node]);
        CHECK(world.ledger(node).attention().items().size() <= 3);
    }
    // Each office's statement, once a day over each of two links, and the acknowledgements.
    CHECK(world.bytes_sent() - sent < nights * 3 * 2 * 1000);
    world.check_everything();
}

TEST_CASE("over weeks no report that is shown as delivered is ever shown as less", "[simulation]") {
    // A hundredth of FIELDPOST_SEEDS: each run takes as long as a hundred storms.
    const auto seeds =
        std::max<std::uint64_t>(6, number_from_environment("FIELDPOST_SEEDS", 0) / 100);
    for_each_seed(seeds, live_for_weeks);
}
