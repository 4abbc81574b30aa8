// Goal: records that an office wrote before it was cut off still arrive everywhere, and later ones
// do not. All honest offices have the same leaf of it, whenever they learned of the cut-off.
// Method: some reports lie with a carrier; the authority cuts their author off; then all meet.
#include <catch2/catch.hpp>

#include "daemon/engine/leaves.h"
#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;

namespace {

constexpr Node taken = 3;

LogKey log_of(const World& world, RecordClass record_class) {
    return {world.keys(taken).index, {1, 7}, record_class};
}

// A cut-off that keeps everything published of that log so far.
CutOff::Log published(const World& world, RecordClass record_class) {
    const auto& state = world.ledger(taken).log(log_of(world, record_class));
    return {{1, 7}, record_class, state.published, state.published_id};
}

bool have_same_leaf(const World& world, Node a, Node b) {
    const auto leaf = [&](Node node) {
        auto& ledger = const_cast<engine::Ledger&>(world.ledger(node));
        return engine::summary_of(ledger, world.keys(taken).index, engine::Detail::all);
    };
    return leaf(a) == leaf(b);
}

}  // namespace

TEST_CASE("what an office wrote before its cut-off arrives, and nothing later", "[simulation]") {
    World world(71, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    world.connect(taken, pyongyang);
    std::vector<storage::ReportKey> normal;
    CutOff::Log kept;
    for (int i = 0; i < 3; ++i) {
        kept = i == 2 ? published(world, RecordClass::normal) : kept;
        normal.push_back(world.queue(taken, {hyesan}, RecordClass::normal).value());
        // One record each: those that follow each other closely travel as one.
        world.run_until_idle(1h);
    }
    const auto urgent = world.queue(taken, {hyesan}, RecordClass::urgent).value();
    world.run_until_idle(1h);
    world.crash(taken);
    const auto index = world.keys(taken).index;
    // hq knows none of these logs. It learns of the cut-off first.
    world.change_roster({Revoke{index, {{kept}, {1, 7}, 1'000'000}, "taken at a border"}});
    CHECK(world.ledger(hq).log(log_of(world, RecordClass::normal)).closed_from == kept.last + 1);
    world.connect(hq, pyongyang);
    world.run_until_idle(1h);
    const auto& held = world.ledger(pyongyang).log(log_of(world, RecordClass::normal)).held;
    CHECK(held.count() == 2);
    CHECK(held.top() == kept.last);
    CHECK_FALSE(world.ledger(pyongyang).logs().contains(log_of(world, RecordClass::urgent)));
    CHECK(have_same_leaf(world, hq, pyongyang));
    world.connect(pyongyang, hyesan);
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, normal[0]));
    CHECK(world.has_received(hyesan, normal[1]));
    CHECK_FALSE(world.has_received(hyesan, normal[2]));
    CHECK_FALSE(world.has_received(hyesan, urgent));
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    CHECK(have_same_leaf(world, hyesan, pyongyang));
    CHECK(have_same_leaf(world, hyesan, hq));
    CHECK(world.is_settled(hyesan, pyongyang));
    world.check_everything();
}

TEST_CASE("a second cut-off that keeps more opens what the first had closed", "[simulation]") {
    World world(72, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto first = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.connect(taken, pyongyang);
    world.run_until_idle(1h);
    const auto kept = published(world, RecordClass::normal);
    const auto second = world.queue(taken, {hyesan}, RecordClass::normal).value();
    world.run_until_idle(1h);
    const auto kept_later = published(world, RecordClass::normal);
    world.crash(taken);
    const auto index = world.keys(taken).index;
    world.change_roster({Revoke{index, {{kept}, {1, 7}, 1'000'000}, "lost"}});
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    CHECK(world.ledger(hyesan).log(log_of(world, RecordClass::normal)).known ==
          IntervalSet{{kept.last + 1, UINT32_MAX}});
    world.change_roster({Revoke{index, {{kept_later}, {1, 7}, 1'000'000}, "found"}});
    world.run_until_idle(1h);
    CHECK(world.ledger(hyesan).log(log_of(world, RecordClass::normal)).known ==
          IntervalSet{{kept_later.last + 1, UINT32_MAX}});
    // pyongyang has heard of neither: it still holds both.
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    CHECK(world.has_received(hyesan, first));
    CHECK(world.has_received(hyesan, second));
    CHECK(have_same_leaf(world, hyesan, pyongyang));
    world.check_everything();
}

TEST_CASE("registers up to a cut-off stay, and newer ones go", "[simulation]") {
    World world(73, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto report = world.queue(hyesan, {taken}, RecordClass::normal).value();
    world.connect(hyesan, taken);
    world.run_until_idle(1h);
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    const auto index = world.keys(taken).index;
    const auto receipt = world.ledger(hq).receipt(index, world.keys(hyesan).index);
    REQUIRE(receipt != nullptr);
    const RegisterKey key{index, static_cast<std::uint8_t>(RegisterKind::receipt),
                          receipt_subject(world.keys(hyesan).index)};
    const auto version = world.ledger(hq).newest(key)->version;
    world.crash(taken);
    const bool is_kept = GENERATE(true, false);
    const auto counter = is_kept ? version.counter : version.counter - 1;
    world.change_roster({Revoke{index, {{}, version.incarnation, counter}, "lost"}});
    world.run_until_idle(1h);
    for (const auto node : {hq, hyesan}) {
        CHECK((world.ledger(node).newest(key) != nullptr) == is_kept);
        CHECK((world.ledger(node).receipt(index, world.keys(hyesan).index) != nullptr) == is_kept);
    }
    // The state that was shown stays (I8).
    CHECK(world.view(hyesan, report).state == engine::State::delivered);
    CHECK(have_same_leaf(world, hq, hyesan));
    world.check_everything();
}

TEST_CASE("an office that is cut off hears of it from whomever it meets, and of nothing later",
          "[simulation]") {
    World world(74, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    world.connect(hq, hyesan);
    world.run_until_idle(1h);
    world.crash(taken);
    world.change_roster({Revoke{world.keys(taken).index, {}, "taken at a border"}});
    const auto version = world.ledger(hq).roster().version();
    const auto sent_to_camp = world.invite_and_join("camp");
    world.run_until_idle(1h);
    REQUIRE(world.ledger(hyesan).roster().version() > version);
    const auto report = world.queue(hq, {hyesan}, RecordClass::normal).value();

    world.restart(taken);
    world.connect(taken, hyesan);
    world.run_for(30s);
    CHECK(world.ledger(taken).roster().version() == version);
    CHECK(world.ledger(taken).roster().find(world.keys(taken).index)->state ==
          crypto::OfficeState::revoked);
    CHECK_FALSE(world.is_connected(taken, hyesan));
    CHECK_FALSE(world.ledger(taken).logs().contains(storage::log_of(report)));
    CHECK(world.offences(hyesan, taken).empty());
    // The office comes to the door again. It knows of its cut-off already, so it is told nothing.
    const auto before = world.bytes_sent();
    world.connect(taken, hyesan);
    world.run_for(30s);
    CHECK_FALSE(world.is_connected(taken, hyesan));
    CHECK(world.bytes_sent() - before < 400);
    CHECK(world.is_up(sent_to_camp));
}
