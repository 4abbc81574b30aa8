// Goal: a new office gets in by whatever way its request can go, and an old roster locks nobody
// out. Method: named scenarios in calm weather.
#include <catch2/catch.hpp>

#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;

namespace {

constexpr Node hq = 0;
constexpr Node pyongyang = 1;

bool is_member(const World& world, Node of, std::string_view name) {
    const auto* office = world.ledger(of).roster().find(name);
    return office != nullptr && office->is_member();
}

}  // namespace

TEST_CASE("a new office is admitted through a relay, and what it queued before arrives",
          "[simulation]") {
    World world(2, {"hq", "pyongyang"}, {});
    const auto camp = world.invite_and_join("camp");
    const auto report = world.queue(camp, {hq}, RecordClass::urgent);
    REQUIRE(report.has_value());
    world.run_until_idle(1h);
    CHECK_FALSE(world.ledger(camp).roster().find("camp")->is_member());
    // The relay hears of the invitation, then of the request, then of the admission.
    world.connect(hq, pyongyang);
    world.run_until_idle(1h);
    world.cut(hq, pyongyang);
    world.connect(pyongyang, camp);
    world.run_until_idle(1h);
    CHECK_FALSE(world.ledger(camp).roster().find("camp")->is_member());
    CHECK(world.times_happened(hq, engine::What::received, *report) == 0);
    world.connect(hq, pyongyang);
    world.run_until_idle(1h);
    CHECK(world.ledger(hq).roster().find("camp")->is_member());
    CHECK(world.ledger(camp).roster().find("camp")->is_member());
    CHECK(world.times_happened(hq, engine::What::received, *report) == 1);
    CHECK(world.times_happened(camp, engine::What::delivered, *report, hq) == 1);
    // And it can be written to.
    const auto answer = world.queue(hq, {camp}, RecordClass::normal);
    world.run_until_idle(1h);
    CHECK(world.times_happened(camp, engine::What::received, *answer) == 1);
    world.check_everything();
}

TEST_CASE("what waited for an admission goes when the same two meet again", "[simulation]") {
    World world(3, {"hq", "pyongyang"}, {});
    const auto camp = world.invite_and_join("camp");
    const auto report = world.queue(camp, {hq}, RecordClass::normal);
    world.connect(hq, pyongyang);
    world.run_until_idle(1h);
    world.cut(hq, pyongyang);
    // The relay has nothing left for the camp, which has something and may not send it yet.
    world.connect(pyongyang, camp);
    world.run_until_idle(1h);
    world.cut(pyongyang, camp);
    world.connect(hq, pyongyang);
    world.run_until_idle(1h);
    world.cut(hq, pyongyang);
    world.connect(pyongyang, camp);
    world.run_until_idle(1h);
    CHECK(world.times_happened(camp, engine::What::carried, *report, pyongyang) == 1);
}

TEST_CASE("an invitee shows its invitation to a relay that never heard of it", "[simulation]") {
    World world(4, {"hq", "pyongyang"}, {});
    const auto camp = world.invite_and_join("camp");
    const auto report = world.queue(camp, {hq}, RecordClass::normal);
    world.connect(camp, pyongyang);
    world.run_until_idle(1h);
    // The door took the roster and closed; now it is let in as what it is, and asks to be admitted.
    CHECK_FALSE(world.is_connected(camp, pyongyang));
    REQUIRE(world.ledger(pyongyang).roster().find("camp") != nullptr);
    world.connect(camp, pyongyang);
    world.run_until_idle(1h);
    world.cut(camp, pyongyang);
    world.connect(pyongyang, hq);
    world.run_until_idle(1h);
    CHECK(is_member(world, hq, "camp"));
    world.connect(pyongyang, camp);
    world.run_until_idle(1h);
    CHECK(world.times_happened(camp, engine::What::delivered, *report, hq) == 1);
    world.check_everything();
}

TEST_CASE("a member is not locked out by a relay's old roster", "[simulation]") {
    World world(5, {"hq", "pyongyang"}, {});
    const auto camp = world.invite_and_join("camp");
    world.connect(camp, hq);
    world.run_until_idle(1h);
    REQUIRE(is_member(world, camp, "camp"));
    world.cut(camp, hq);
    const auto report = world.queue(camp, {hq}, RecordClass::normal);
    REQUIRE(world.ledger(pyongyang).roster().find("camp") == nullptr);
    world.connect(camp, pyongyang);
    world.run_until_idle(1h);
    CHECK(is_member(world, pyongyang, "camp"));
    CHECK(world.times_happened(camp, engine::What::carried, *report, pyongyang) == 0);
    world.connect(camp, pyongyang);
    world.run_until_idle(1h);
    CHECK(world.times_happened(camp, engine::What::carried, *report, pyongyang) == 1);
}
