// Goal: N of a log stays small whatever its author does, new records always pass, and all records
// that peers have arrive in the end.
// Method: one log and a peer that offers the numbers that N leaves out, lowest first.
#include "daemon/engine/record/log_bounds.h"
#include "daemon/engine/leaves.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "daemon/engine/record/intake.h"
#include "daemon/engine/record/terminal.h"
#include "daemon/engine/self_check.h"
#include "proto/limits.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using engine::bound_runs;
using storage::LogState;

namespace {

constexpr std::size_t runs_max = 64;
constexpr WallTime some_day{10 * 86400};

std::size_t runs_of(const LogState& state) {
    return state.known.intervals().size();
}

// Takes the peer's lowest numbers that N leaves out, some at a time, for a while.
void meet(LogState& state, const IntervalSet& peer, WallTime at) {
    for (int flight = 0; flight < 1000; ++flight) {
        auto offered = without(peer, state.known);
        if (offered.empty()) {
            return;
        }
        for (int i = 0; i < 20 && !offered.empty(); ++i) {
            const auto number = *offered.next(1);
            offered.remove({number, number});
            state.hold({number, number});
        }
        bound_runs(state, runs_max, {}, {}, at);
        REQUIRE(runs_of(state) <= runs_max);
    }
    FAIL("it goes on for ever");
}

IntervalSet every(Number step, Number first, Number last) {
    IntervalSet numbers;
    for (auto number = first; number <= last; number += step) {
        numbers.add(number);
    }
    return numbers;
}

}  // namespace

TEST_CASE("N has few runs, holds what is held, and never passes the highest number", "[engine]") {
    CHECK(rc::check([](const std::vector<std::pair<std::uint16_t, std::uint8_t>>& steps) {
        LogState state;
        WallTime at = some_day;
        Number top = 0;
        for (const auto& [value, what] : steps) {
            const Interval run{value + 1U, value + 1U + what % 3};
            switch (what % 4) {
                case 0:
                case 1:
                    state.hold(run);
                    break;
                case 2:
                    state.end({run});
                    break;
                default:
                    state.refuse(1, without({run}, state.known));
            }
            top = std::max(top, state.known.top());
            at = at.plus(std::int64_t{what} * 600);
            bound_runs(state, 16, {}, {}, at);
            RC_ASSERT(runs_of(state) <= 16);
            RC_ASSERT(state.known.top() <= top);
            RC_ASSERT(without(state.held, state.known).empty());
            RC_ASSERT(without(state.closed, state.known).empty());
            // Each number of N is in exactly one of four sets.
            auto all = united(state.held, state.terminal());
            for (const auto& [reason, numbers] : state.refused) {
                RC_ASSERT(intersection(all, numbers).empty());
                all.add(numbers);
            }
            RC_ASSERT(without(state.known, united(all, state.closed)).empty());
        }
    }));
}

TEST_CASE("a new number always passes, however many holes there are", "[engine]") {
    LogState state;
    for (Number number = 2; number < 2000; number += 2) {
        CHECK_FALSE(state.known.contains(number));
        state.hold({number, number});
        bound_runs(state, runs_max, {}, {}, some_day);
        CHECK(runs_of(state) <= runs_max);
    }
}

TEST_CASE("what a peer has arrives all, when a hostile carrier brought every second number first",
          "[engine]") {
    LogState state;
    const auto brought = every(2, 2, 10'000);
    for (const auto run : brought.intervals()) {
        state.hold(run);
        bound_runs(state, runs_max, {}, {}, some_day);
    }
    CHECK_FALSE(state.closed.empty());
    meet(state, {{1, 10'000}}, some_day);
    CHECK(state.held == IntervalSet{{1, 10'000}});
    CHECK(state.closed.empty());
}

TEST_CASE("holes that nobody can fill keep a window for a day, and no mail behind it", "[engine]") {
    LogState state;
    // An office was away, and gets the live ones of 3,000 numbers: every third. A second peer has
    // others, and the author is lost, so nobody says which are done.
    // Its clock was far ahead then, and has been set back.
    meet(state, every(3, 1, 3000), some_day.plus(std::int64_t{3650} * 86400));
    const auto rest = every(3, 2, 3000);
    auto at = some_day;
    for (int day = 0; day < 60 && !without(rest, state.held).empty(); ++day) {
        meet(state, rest, at);
        at = at.plus(engine::window_seconds);
        bound_runs(state, runs_max, {}, {}, at);
    }
    CHECK(without(rest, state.held).empty());
    // The author's last statement ends all holes, and opens everything.
    const IntervalSet done{{1, 3000}};
    state.end(done);
    bound_runs(state, runs_max, {}, done, at);
    CHECK(state.closed.empty());
    CHECK(state.known == IntervalSet{{1, 3000}});
}

TEST_CASE("a number of which some of the body is here is not closed", "[engine]") {
    LogState state;
    const auto even = every(2, 2, 1000);
    for (const auto run : even.intervals()) {
        state.hold(run);
    }
    bound_runs(state, runs_max, {{501, 501}, {601, 601}}, {}, some_day);
    CHECK_FALSE(state.known.contains(501));
    CHECK_FALSE(state.known.contains(601));
    CHECK(state.known.contains(503));
    CHECK(runs_of(state) <= runs_max);
}

TEST_CASE("what is refused has few runs too, and its lowest numbers are given up", "[engine]") {
    LogState state;
    state.refuse(1, every(2, 1, 6000));
    state.refuse(5, every(2, 10'001, 11'000));
    engine::bound_refused(state);
    std::size_t runs = 0;
    for (const auto& [reason, numbers] : state.refused) {
        runs += numbers.intervals().size();
    }
    CHECK(runs <= limits::refused_runs_max);
    // Numbers for this office are given up last.
    CHECK(state.refused.at(5) == every(2, 10'001, 11'000));
    CHECK(state.is_terminal({1, 1}));
    CHECK(state.is_refused({5999, 5999}));
}

TEST_CASE("an author has 32 logs, the highest, and a leaf that fits a frame", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    LoneOffice office(network, 0);
    auto& ledger = office.ledger();
    const auto author = network.offices[1].index;
    const auto log_of = [&](std::uint16_t ordinal, unsigned record_class) {
        return LogKey{author, {ordinal, 7}, static_cast<RecordClass>(record_class)};
    };
    for (std::uint16_t ordinal = 1; ordinal <= 20; ++ordinal) {
        for (unsigned record_class = 0; record_class < 4; ++record_class) {
            const auto log = log_of(ordinal, record_class);
            REQUIRE(engine::make_room_for(ledger, log).value());
            // The widest set of so many runs: gaps and lengths of four bytes each.
            IntervalSet wide;
            for (Number i = 0; i < limits::log_runs_max + 200; ++i) {
                const auto first = 1 + i * 3'500'000;
                wide.add({first, first + 1'700'000});
            }
            ledger.edit_log(log).end(wide);
        }
    }
    CHECK(std::ranges::distance(ledger.logs_of(author)) == 32);
    CHECK(ledger.logs_of(author).begin()->first == log_of(13, 0));
    // A lower one is gone for good, also after a start.
    CHECK_FALSE(engine::make_room_for(ledger, log_of(12, 3)).value());
    CHECK(engine::make_room_for(ledger, log_of(13, 0)).value());
    const auto leaf = engine::summary_of(ledger, author, engine::Detail::newest);
    const auto frame = encode_frame(Summary{false, {leaf}});
    INFO("a leaf of " << frame.size() << " bytes");
    CHECK(frame.size() < limits::frame_bytes_max);
    CHECK(decode_frame(frame).has_value());
    CHECK(engine::summary_of(ledger, author, engine::Detail::hash)
              .logs.front()
              .not_wanted.intervals()
              .size() <= limits::old_log_runs_max);
    office.write();
    CHECK(office.store().logs().value().size() == 32);
}

TEST_CASE("that a log is closed at a peer names no record that this office has lost", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    const LogKey log{network.offices[0].index, {1, 7}, RecordClass::normal};
    LogState state;
    state.hold({1, 3});
    state.published = 3;
    LoneOffice office(network, 0, {storage::PutLog{log, state}});
    const auto asked = [&](const IntervalSet& not_wanted) {
        return engine::unknown_number(office.ledger(), log, not_wanted);
    };
    CHECK_FALSE(asked({{1, 3}}).has_value());
    CHECK_FALSE(asked({{2, UINT32_MAX}}).has_value());
    CHECK_FALSE(asked({{1, 1}, {10, UINT32_MAX}}).has_value());
    CHECK(asked({{1, 1}, {10, 12}})->number == 10);
    CHECK(asked({{1, 1}, {10, 12}, {20, UINT32_MAX}})->number == 10);
}

TEST_CASE("custody tells what is urgent first, and what fits a frame", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    const auto author = network.offices[1].index;
    std::vector<storage::StoreChange> changes;
    std::uint64_t arrival = 1;
    for (const auto record_class : {RecordClass::urgent, RecordClass::bulk}) {
        const LogKey log{author, {1, 7}, record_class};
        LogState state;
        state.end({{1, 9000}});
        for (const auto held = every(3, 1, 9000); const auto run : held.intervals()) {
            state.hold(run);
            storage::StoredRecord record;
            record.arrival = storage::Arrival{arrival++};
            record.log = log;
            record.run = run;
            record.id.bytes[0] = static_cast<std::byte>(run.first);
            record.id.bytes[1] = static_cast<std::byte>(run.first >> 8);
            changes.emplace_back(storage::PutRecord{record});
        }
        changes.emplace_back(storage::PutLog{log, state});
    }
    LoneOffice office(network, 0, changes);
    auto custody = engine::custody_of(office.ledger(), author).value();
    REQUIRE(custody.logs.size() == 1);
    CHECK(custody.logs[0].record_class == RecordClass::urgent);
    CHECK(custody.logs[0].held.intervals().size() == limits::custody_runs_max);
    CHECK(custody.logs[0].held.contains(1));
    std::vector<ShortHash> ids;
    for (const auto run : custody.logs[0].held.intervals()) {
        const LogKey log{author, {1, 7}, RecordClass::urgent};
        ids.push_back(short_hash(*office.ledger().held_id(log, run.last).value()));
    }
    CHECK(custody.logs[0].tops == crypto::hash_of_tops(network.id(), ids));
    custody.version.incarnation = {1, 7};
    const auto frame = encode_frame(custody);
    CHECK(frame.size() <= limits::frame_bytes_max);
    CHECK(decode_frame(frame).has_value());
}
