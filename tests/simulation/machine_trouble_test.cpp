// Goal: a store put back from a copy, a full share, a wrong clock and a revoked office each cost
// what daemon/DESIGN.md says, and no more. Method: named scenarios in calm weather.
#include <catch2/catch.hpp>

#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;

namespace {

constexpr std::int64_t days = 86400;

bool is_stopped(const World& world, Node node) {
    return world.ledger(node).meta().stopped;
}

}  // namespace

TEST_CASE("a store put back from a copy is caught by its marker, and goes on with new IDs",
          "[simulation]") {
    World world(1, {"hq", "hyesan"}, {});
    const auto copy = world.disk(1);
    REQUIRE(world.queue(1, {0}, RecordClass::normal).has_value());
    world.crash(1);
    world.put_back(1, copy);
    world.restart(1);
    CHECK_FALSE(is_stopped(world, 1));
    CHECK(world.was_told(1, What::rolled_back));
    const auto later = world.queue(1, {0}, RecordClass::normal);
    REQUIRE(later.has_value());
    CHECK(engine::printed_id(world.ledger(1), *later) == "hyesan.2-1");
}

TEST_CASE("a store put back with its marker is caught by what a peer holds", "[simulation]") {
    World world(2, {"hq", "hyesan", "pyongyang"}, {});
    const auto copy = world.disk(1);
    const auto report = world.queue(1, {0}, RecordClass::normal);
    REQUIRE(report.has_value());
    world.connect(1, 2);
    world.run_until_idle(1h);
    REQUIRE(world.times_happened(1, What::carried, *report, 2) == 1);
    world.crash(1);
    world.put_back(1, copy);
    world.lose_marker(1);
    world.restart(1);
    CHECK_FALSE(is_stopped(world, 1));
    world.connect(1, 2);
    world.run_until_idle(1h);
    CHECK_FALSE(is_stopped(world, 1));
    CHECK(world.was_told(1, What::rolled_back));
    // Its earlier reports are not harmed.
    world.cut(1, 2);
    world.connect(2, 0);
    world.run_until_idle(1h);
    CHECK(world.times_happened(0, What::received, *report) == 1);
}

TEST_CASE("a store put back that has used a number again is caught before the report is lost",
          "[simulation]") {
    World world(8, {"hq", "hyesan"}, {});
    REQUIRE(world.queue(1, {0}, RecordClass::normal).has_value());
    world.connect(0, 1);
    world.run_until_idle(1h);
    world.stop(1);
    const auto copy = world.disk(1);
    world.restart(1);
    const auto lost = world.queue(1, {0}, RecordClass::normal);
    world.connect(0, 1);
    world.run_until_idle(1h);
    REQUIRE(world.times_happened(0, What::received, *lost) == 1);
    world.stop(1);
    world.put_back(1, copy);
    world.lose_marker(1);
    world.restart(1);
    const auto again = world.queue(1, {0}, RecordClass::normal);
    REQUIRE(again == lost);
    world.connect(0, 1);
    world.run_until_idle(1h);
    CHECK_FALSE(is_stopped(world, 1));
    CHECK(world.was_told(1, What::rolled_back));
    // The report goes under a new number, and both texts are there.
    world.connect(0, 1);
    world.run_until_idle(1h);
    CHECK(world.inbox(0).size() == 3);
    CHECK(world.times_happened(1, What::delivered, *again) == 1);
    CHECK(engine::printed_id(world.ledger(1), *again) ==
          engine::printed_id(world.ledger(0), *lost));
    const auto as = world.progress(1, *again)->recipients.front().reissued_as.value();
    CHECK(as.incarnation.ordinal == 2);
    // Each office finds it by the number under which the other one may have it.
    for (const Node node : {0, 1}) {
        CHECK(world.read_from(node, [&](const storage::RecordStore&) {
            return engine::find_id(world.ledger(node), "hyesan.2-1");
        }));
    }
    CHECK(world.acknowledge(0, {again->author, as}).has_value());
    world.run_until_idle(1h);
    CHECK(world.progress(1, *again)->recipients.front().state == engine::State::acknowledged);
}

TEST_CASE("a carrier without room says so, and takes it once there is room", "[simulation]") {
    World world(3, {"hq", "hyesan", "pyongyang"}, {});
    world.set_carry_limit(2, 150'000);  // for one of them, as they lie on the disk
    const auto large = world.queue(1, {0}, RecordClass::bulk, 80'000);
    const auto second = world.queue(1, {0}, RecordClass::bulk, 60'000);
    REQUIRE((large && second));
    world.connect(1, 2);
    world.run_until_idle(1h);
    CHECK(world.times_happened(1, What::carried, *large, 2) +
              world.times_happened(1, What::carried, *second, 2) ==
          1);
    const auto& state = world.ledger(2).log({large->author, {1, 7}, RecordClass::bulk});
    CHECK(state.refused.contains(static_cast<std::uint8_t>(RefusalReason::no_room)));
    // The carried report reaches hq. That makes room for the other one, on a link that is up.
    world.connect(2, 0);
    world.run_until_idle(1h);
    CHECK(world.times_happened(0, What::received, *large) == 1);
    CHECK(world.times_happened(0, What::received, *second) == 1);
    CHECK(world.times_happened(1, What::delivered, *large, 0) == 1);
    CHECK(world.times_happened(1, What::delivered, *second, 0) == 1);
    world.check_everything();
}

// Seed 7772: the carrier waited until it let a record go, and it never did.
TEST_CASE("a carrier that may carry more takes what it had no room for", "[simulation]") {
    World world(17, {"hq", "hyesan", "pyongyang"}, {});
    world.set_carry_limit(2, 20'000);
    const auto report = world.queue(1, {0}, RecordClass::bulk, 60'000);
    world.connect(1, 2);
    world.run_until_idle(1h);
    REQUIRE(world.times_happened(1, What::carried, *report, 2) == 0);
    world.set_carry_limit(2, 1'000'000);
    world.run_until_idle(1h);
    CHECK(world.times_happened(1, What::carried, *report, 2) == 1);
}

TEST_CASE("what gave way for room and came again is not sent twice over a link", "[simulation]") {
    // World checks each frame that is sent.
    World world(18, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto report = world.queue(1, {0}, RecordClass::normal);
    world.connect(1, 2);
    world.connect(2, 3);
    world.run_until_idle(1h);
    REQUIRE(world.times_happened(1, What::carried, *report, 3) == 0);
    REQUIRE(world.ledger(3).log(log_of(*report)).held.contains(report->origin.number));
    world.set_carry_limit(2, 1);
    world.run_for(20min);
    REQUIRE_FALSE(world.ledger(2).log(log_of(*report)).held.contains(report->origin.number));
    world.set_carry_limit(2, 1'000'000);
    world.run_for(20min);
    CHECK(world.ledger(2).log(log_of(*report)).held.contains(report->origin.number));
    world.check_everything();
}

TEST_CASE("what a full disk put off comes when the same two meet again", "[simulation]") {
    World world(10, {"hq", "hyesan"}, {});
    const auto report = world.queue(1, {0}, RecordClass::normal, 3'500);
    REQUIRE(report.has_value());
    // A sixteenth is kept free: not full to the last byte, and too full for this.
    world.set_disk_limit(0, world.disk(0).used_bytes * 16 / 15 + 3'000);
    world.connect(0, 1);
    world.run_until_idle(1h);
    REQUIRE(world.times_happened(0, What::received, *report) == 0);
    REQUIRE(world.is_connected(0, 1));
    CHECK(world.was_told(0, What::disk_full));
    world.cut(0, 1);
    world.set_disk_limit(0, 0);
    world.connect(0, 1);
    world.run_until_idle(1h);
    CHECK(world.times_happened(0, What::received, *report) == 1);
    CHECK(world.times_happened(1, What::delivered, *report, 0) == 1);
}

TEST_CASE("a receipt that speaks of another life mutes nobody but itself", "[simulation]") {
    World world(11, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto report = world.queue(1, {0}, RecordClass::normal);
    REQUIRE(report.has_value());
    // wonsan lies about a record that hyesan never wrote, and pyongyang carries the lie.
    Receipt lie;
    lie.logs.push_back({{1, 7}, RecordClass::normal, ShortHash{}, {{5000, 5000}}, {}, {}});
    lie.logs[0].tops.bytes.fill(std::byte{7});
    Register entry;
    entry.key = {world.keys(3).index, static_cast<std::uint8_t>(RegisterKind::receipt),
                 receipt_subject(world.keys(1).index)};
    entry.version = {{1, 7}, 1'000'000};
    entry.at = founded_at;
    entry.payload = encode_receipt(lie);
    crypto::sign_register(world.keys(3).machine.identity, world.network().id(), entry);
    world.tell(2, 3, RegisterNews{{entry}});
    world.connect(1, 2);
    world.run_until_idle(1h);
    CHECK_FALSE(is_stopped(world, 1));
    const auto later = world.queue(1, {0}, RecordClass::normal);
    world.run_until_idle(1h);
    CHECK(world.times_happened(1, What::carried, *report, 2) == 1);
    CHECK(world.times_happened(1, What::carried, *later, 2) == 1);
}

TEST_CASE("what nobody took before its time ran out expires, and its author is told",
          "[simulation]") {
    World world(4, {"hq", "hyesan", "pyongyang"}, {});
    const auto report = world.queue(1, {0}, RecordClass::normal, 0, 2 * days);
    REQUIRE(report.has_value());
    world.connect(1, 2);
    world.run_until_idle(1h);
    world.pass(std::chrono::hours{24 * 3});
    world.run_until_idle(1h);
    CHECK(world.times_happened(1, What::expired, *report) == 1);
    CHECK(world.ledger(2).log({report->author, {1, 7}, RecordClass::normal}).held.empty());
    // Its recipient would take it even now, but no office brings it any more.
    world.connect(2, 0);
    world.run_until_idle(1h);
    CHECK(world.times_happened(0, What::received, *report) == 0);
    CHECK(world.inbox(1).empty());
}

TEST_CASE("a clock that jumps ahead expires nothing until two peers bear it out", "[simulation]") {
    World world(5, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto report = world.queue(1, {0}, RecordClass::normal);
    REQUIRE(report.has_value());
    const LogKey log{report->author, {1, 7}, RecordClass::normal};
    world.connect(1, 2);
    world.run_until_idle(1h);
    world.set_clock(2, std::int64_t{200} * days);
    world.crash(2);
    world.restart(2);
    world.run_until_idle(2h);
    CHECK(world.ledger(2).log(log).held.contains(report->origin.number));
    CHECK(world.ledger(2).clock().is_waiting());
    // One witness is not enough.
    world.set_clock(1, std::int64_t{200} * days);
    world.set_clock(3, std::int64_t{200} * days);
    world.connect(2, 1);
    world.run_until_idle(2h);
    CHECK(world.ledger(2).log(log).held.contains(report->origin.number));
    world.connect(2, 3);
    world.run_until_idle(2h);
    CHECK_FALSE(world.ledger(2).clock().is_waiting());
    CHECK_FALSE(world.ledger(2).log(log).held.contains(report->origin.number));
}

TEST_CASE("a person who dismisses the clock says that it is right", "[simulation]") {
    World world(9, {"hq", "hyesan"}, {});
    const auto report = world.queue(1, {0}, RecordClass::normal, 0, 2 * days);
    REQUIRE(report.has_value());
    world.set_clock(1, std::int64_t{5} * days);
    world.crash(1);
    world.restart(1);
    world.run_until_idle(2h);
    REQUIRE(world.ledger(1).clock().is_waiting());
    CHECK(world.times_happened(1, What::expired, *report) == 0);
    const engine::Attention::Key clock{What::clock, world.keys(1).index};
    world.dismiss(1, world.ledger(1).attention().items().at(clock).number);
    world.run_until_idle(2h);
    CHECK_FALSE(world.ledger(1).clock().is_waiting());
    CHECK(world.times_happened(1, What::expired, *report) == 1);
    CHECK_FALSE(world.ledger(1).attention().items().contains(clock));
}

TEST_CASE("what is written at the end of time does not expire at once, and arrives",
          "[simulation]") {
    World world(10, {"hq", "hyesan"}, {});
    world.set_clock(1, UINT32_MAX);
    world.crash(1);
    world.restart(1);
    const auto report = world.queue(1, {0}, RecordClass::normal).value();
    world.run_until_idle(2h);
    CHECK(world.times_happened(1, What::expired, report) == 0);
    world.set_clock(1, 0);
    world.crash(1);
    world.restart(1);
    world.connect(1, 0);
    world.run_until_idle(1h);
    CHECK(world.has_received(0, report));
    CHECK(world.times_happened(1, What::delivered, report) == 1);
    // Its statement is renewed each day again.
    const RegisterKey statement{
        world.keys(1).index, static_cast<std::uint8_t>(RegisterKind::office), {}};
    CHECK(world.ledger(0).newest(statement)->at < founded_at.plus(10 * days));
}

TEST_CASE("a clock that has lost the time is not believed, whoever says the same", "[simulation]") {
    World world(11, {"hq", "hyesan", "pyongyang"}, {});
    const auto lost = -std::int64_t{founded_at.seconds} - 30 * days;
    for (const Node node : {1, 2}) {
        world.set_clock(node, lost);
        world.crash(node);
        world.restart(node);
    }
    world.connect(1, 2);
    world.run_until_idle(1h);
    CHECK(world.ledger(1).meta().mark >= founded_at);
    CHECK(world.ledger(1).meta().doubtful);
}

TEST_CASE("a mark that a wrong clock drove ahead is set back once a peer agrees with the clock",
          "[simulation]") {
    World world(6, {"hq", "hyesan", "pyongyang"}, {});
    const auto start_with_clock = [&](std::int64_t ahead) {
        world.set_clock(1, ahead);
        world.crash(1);
        world.restart(1);
    };
    const auto mark_is_before = [&](std::int64_t time) {
        return world.ledger(1).meta().mark < founded_at.plus(time);
    };
    start_with_clock(4000 * days);
    REQUIRE(world.queue(1, {0}, RecordClass::normal).has_value());
    start_with_clock(0);
    CHECK(world.ledger(1).meta().doubtful);
    CHECK_FALSE(mark_is_before(3999 * days));
    SECTION("an office that meets one other only") {
        world.connect(1, 0);
        world.run_until_idle(1h);
        CHECK_FALSE(world.ledger(1).meta().doubtful);
        CHECK(mark_is_before(10 * days));
        // Its reports have the right date from then on.
        const auto report = world.queue(1, {0}, RecordClass::normal);
        REQUIRE(report.has_value());
        world.run_until_idle(1h);
        CHECK(world.times_happened(1, What::delivered, *report) == 1);
    }
    SECTION("one that agrees with the clock against one that agrees with the mark, then two") {
        world.set_clock(2, 4000 * days);
        world.connect(1, 2);
        world.run_until_idle(1h);
        CHECK_FALSE(mark_is_before(3999 * days));
        world.connect(1, 0);
        world.run_until_idle(1h);
        CHECK(world.ledger(1).meta().doubtful);
        CHECK_FALSE(mark_is_before(3999 * days));
    }
    SECTION("one whose clock is wrong otherwise") {
        world.set_clock(0, 300 * days);
        world.connect(1, 0);
        world.run_until_idle(1h);
        CHECK(world.ledger(1).meta().doubtful);
        CHECK_FALSE(mark_is_before(3999 * days));
    }
}

TEST_CASE("nothing is owed to an office that was revoked, and nobody speaks to it",
          "[simulation]") {
    World world(7, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto report = world.queue(1, {3}, RecordClass::normal);
    const auto both = world.queue(1, {0, 3}, RecordClass::normal);
    REQUIRE((report && both));
    world.connect(1, 2);
    world.connect(2, 3);
    world.cut(2, 3);
    world.run_until_idle(1h);
    world.crash(3);
    world.change_roster({Revoke{world.keys(3).index, {}, "taken at a border"}});
    world.connect(0, 2);
    world.run_until_idle(1h);
    const LogKey log{report->author, {1, 7}, RecordClass::normal};
    CHECK(world.ledger(2).log(log).is_terminal({report->origin.number, report->origin.number}));
    CHECK(world.ledger(1).log(log).is_terminal({report->origin.number, report->origin.number}));
    CHECK(world.times_happened(0, What::received, *both) == 1);
    CHECK(world.times_happened(1, What::delivered, *report) == 0);
    CHECK(world.times_happened(1, What::delivered, *both, 0) == 1);
    CHECK(world.times_happened(1, What::delivered, *both, 3) == 0);
}
