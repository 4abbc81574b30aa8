// Goal: a new office is admitted by any way that its request can go, and an old roster locks no
// office out.
// Method: named scenarios in calm weather.
#include <catch2/catch.hpp>

#include "daemon/engine/leaves.h"
#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;

namespace {

constexpr Node relay = 1;

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
    world.connect(hq, relay);
    world.run_until_idle(1h);
    world.cut(hq, relay);
    world.connect(relay, camp);
    world.run_until_idle(1h);
    CHECK_FALSE(world.ledger(camp).roster().find("camp")->is_member());
    CHECK(world.times_happened(hq, engine::What::received, *report) == 0);
    world.connect(hq, relay);
    world.run_until_idle(1h);
    CHECK(world.ledger(hq).roster().find("camp")->is_member());
    CHECK(world.ledger(camp).roster().find("camp")->is_member());
    CHECK(world.times_happened(hq, engine::What::received, *report) == 1);
    CHECK(world.times_happened(camp, engine::What::delivered, *report, hq) == 1);
    // And others can write to the camp.
    const auto answer = world.queue(hq, {camp}, RecordClass::normal);
    world.run_until_idle(1h);
    CHECK(world.times_happened(camp, engine::What::received, *answer) == 1);
    world.check_everything();
}

TEST_CASE(
    "two offices that had nothing to say to each other pass on what one of them has of a newer "
    "office",
    "[simulation]") {
    World world(3, {"hq", "hyesan"}, {});
    const auto meet = [&](Node a, Node b) {
        world.connect(a, b);
        world.run_until_idle(1h);
        world.cut(a, b);
    };
    meet(hq, hyesan);
    meet(hq, hyesan);  // now both remember that they had settled
    const auto camp = world.invite_and_join("camp");
    meet(camp, hq);
    // hyesan has not changed, and learns of the camp only in this meeting.
    meet(hyesan, hq);
    CHECK(world.ledger(hyesan).statement(world.keys(camp).index) != nullptr);
    CHECK(world.queue(hyesan, {camp}, RecordClass::normal).has_value());
}

TEST_CASE("what waited for an admission goes when the same two meet again", "[simulation]") {
    World world(3, {"hq", "pyongyang"}, {});
    const auto camp = world.invite_and_join("camp");
    const auto report = world.queue(camp, {hq}, RecordClass::normal);
    world.connect(hq, relay);
    world.run_until_idle(1h);
    world.cut(hq, relay);
    // The relay has nothing left for the camp. The camp has a report, and may not send it yet.
    world.connect(relay, camp);
    world.run_until_idle(1h);
    world.cut(relay, camp);
    world.connect(hq, relay);
    world.run_until_idle(1h);
    world.cut(hq, relay);
    world.connect(relay, camp);
    world.run_until_idle(1h);
    CHECK(world.times_happened(camp, engine::What::carried, *report, relay) == 1);
}

TEST_CASE("an invitee shows its invitation to a relay that never heard of it", "[simulation]") {
    World world(4, {"hq", "pyongyang"}, {});
    const auto camp = world.invite_and_join("camp");
    const auto report = world.queue(camp, {hq}, RecordClass::normal);
    world.connect(camp, relay);
    world.run_until_idle(1h);
    // The door took the roster and closed. Now the camp is let in as an invitee, and asks to be
    // admitted.
    CHECK_FALSE(world.is_connected(camp, relay));
    REQUIRE(world.ledger(relay).roster().find("camp") != nullptr);
    world.connect(camp, relay);
    world.run_until_idle(1h);
    world.cut(camp, relay);
    world.connect(relay, hq);
    world.run_until_idle(1h);
    CHECK(is_member(world, hq, "camp"));
    world.connect(relay, camp);
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
    REQUIRE(world.ledger(relay).roster().find("camp") == nullptr);
    world.connect(camp, relay);
    world.run_until_idle(1h);
    CHECK(is_member(world, relay, "camp"));
    CHECK(world.times_happened(camp, engine::What::carried, *report, relay) == 0);
    world.connect(camp, relay);
    world.run_until_idle(1h);
    CHECK(world.times_happened(camp, engine::What::carried, *report, relay) == 1);
}

TEST_CASE("machines that join with one invitation by different ways leave no two offices apart",
          "[simulation]") {
    constexpr Node other = 2;
    World world(6, {"hq", "pyongyang", "wonsan"}, {});
    const auto invite = world.invite("camp");
    const auto meet = [&](Node a, Node b) {
        world.connect(a, b);
        world.run_until_idle(1h);
        world.cut(a, b);
    };
    const auto enrolments = [&](Node of) {
        return engine::register_list(world.ledger(of), invite->index);
    };
    meet(hq, relay);
    meet(hq, other);
    meet(relay, world.join(*invite));
    meet(other, world.join(*invite));
    REQUIRE(enrolments(relay).size() == 1);
    REQUIRE(enrolments(other).size() == 1);
    REQUIRE(enrolments(relay) != enrolments(other));
    world.connect(relay, other);
    world.run_until_idle(1h);
    CHECK(enrolments(relay).size() == 2);
    CHECK(enrolments(relay) == enrolments(other));
    CHECK(world.is_settled(relay, other));
    world.cut(relay, other);
    // The authority admits one of them. A third machine comes to an office that has not heard of
    // the admission.
    meet(relay, hq);
    CHECK(is_member(world, hq, "camp"));
    meet(other, world.join(*invite));
    world.connect(hq, relay);
    world.connect(hq, other);
    world.run_until_idle(1h);
    for (const auto node : {hq, relay, other}) {
        CAPTURE(node);
        CHECK(is_member(world, node, "camp"));
        CHECK(enrolments(node).size() == 2);
        CHECK(enrolments(node) == enrolments(hq));
        CHECK(world.was_told(node, engine::What::second_enrolment));
    }
    CHECK(world.is_settled(hq, relay));
    CHECK(world.is_settled(hq, other));
    world.check_everything();
}

TEST_CASE("the authority hears of a second machine with an invitation whose first is far away",
          "[simulation]") {
    World world(7, {"hq", "pyongyang"}, {});
    const auto invite = world.invite("camp");
    const auto meet = [&](Node a, Node b) {
        world.connect(a, b);
        world.run_until_idle(1h);
        world.cut(a, b);
    };
    meet(hq, relay);
    const auto first = world.join(*invite);
    meet(relay, first);
    meet(relay, hq);
    REQUIRE(is_member(world, hq, "camp"));
    const auto told = [&] { return world.was_told(hq, engine::What::invitation_reused); };
    SECTION("the first, which has not heard of its admission, comes by its own key") {
        meet(first, hq);
        CHECK(is_member(world, first, "camp"));
        CHECK_FALSE(told());
    }
    SECTION("another machine is not let in, and comes again") {
        const auto second = world.join(*invite);
        int visits = 0;
        for (; visits < 20 && !told(); ++visits) {
            meet(second, hq);  // it dials
            world.run_for(20s);
        }
        CHECK(told());
        // Not at once: it might have been the first.
        CHECK(visits > 1);
    }
}
