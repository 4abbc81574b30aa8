#include "daemon/engine/record/log_bounds.h"

#include "daemon/engine/record/terminal.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// Runs of numbers under way that stay open, at most: each may split a closed place.
constexpr std::size_t under_way_max = 16;

void open_all(storage::LogState& state, const IntervalSet& done) {
    auto opened = std::exchange(state.closed, {});
    opened.remove(done);
    opened.remove(state.held);
    opened.remove(state.receipted);
    opened.remove(state.unreadable);
    opened.remove(state.withdrawn);
    for (const auto& [reason, numbers] : state.refused) {
        opened.remove(numbers);
    }
    state.known.remove(opened);
}

void close(storage::LogState& state, Number first, Number last, const IntervalSet& stays_open) {
    if (first <= last) {
        const auto place = without({{first, last}}, stays_open);
        state.closed.add(place);
        state.known.add(place);
    }
}

// Expects that everything is open. Closes the numbers between the two places where N is to be
// exact.
void close_between(storage::LogState& state, std::size_t runs_max, const IntervalSet& under_way) {
    IntervalSet stays_open;
    for (const auto run : under_way.intervals()) {
        if (stays_open.intervals().size() < under_way_max && !state.known.contains_any(run)) {
            stays_open.add(run);
        }
    }
    const auto runs = state.known.intervals();
    const auto half = (runs_max - 2 * stays_open.intervals().size() - 2) / 2;
    const auto& lowest_high = runs[runs.size() - half];
    const auto lowest_hole = state.known.next_absent(1).value_or(1);
    if (state.known.next_absent(state.window).value_or(lowest_high.first) >= lowest_high.first) {
        state.window = 1;
    }
    const auto first = static_cast<std::size_t>(
        std::ranges::lower_bound(runs, state.window, {}, &Interval::last) - runs.begin());
    const auto end = std::min(first + half, runs.size() - half);
    close(state, lowest_hole, state.window - 1, stays_open);
    if (first < end) {
        close(state, runs[end - 1].last + 1, lowest_high.first - 1, stays_open);
    }
}

void reshape(storage::LogState& state, std::size_t runs_max, const IntervalSet& under_way,
             const IntervalSet& done) {
    open_all(state, done);
    if (state.known.intervals().size() > runs_max) {
        close_between(state, runs_max, under_way);
    } else {
        state.window = 1;
    }
}

// The window goes on to the next closed place; behind the last it begins again.
void move_window(storage::LogState& state) {
    Number next = 1;
    for (const auto place : state.closed.intervals()) {
        if (place.first > state.window) {
            next = place.first;
            break;
        }
    }
    state.window = next;
}

}  // namespace

bool bound_runs(storage::LogState& state, std::size_t runs_max, const IntervalSet& under_way,
                const IntervalSet& done, WallTime aged) {
    const auto before = state.known;
    const auto is_stuck = !state.closed.empty() && state.window_hole != 0 &&
                          is_older_than(state.window_since, window_seconds, aged);
    if (is_stuck) {
        move_window(state);
    }
    const auto runs = state.known.intervals().size();
    if (is_stuck || runs > runs_max || (!state.closed.empty() && runs < runs_max / 2)) {
        reshape(state, runs_max, under_way, done);
    }
    const auto hole = state.closed.empty() ? 0 : state.known.next_absent(state.window).value_or(0);
    if (hole != state.window_hole || is_stuck) {
        state.window_hole = hole;
        state.window_since = aged;
    }
    return !without(before, state.known).empty();
}

void bound_refused(storage::LogState& state) {
    const auto runs = [&] {
        std::size_t count = 0;
        for (const auto& [reason, numbers] : state.refused) {
            count += numbers.intervals().size();
        }
        return count;
    };
    // The reasons in the order in which they are dropped: first those about records carried for
    // others.
    constexpr std::array lightest_first = {RefusalReason::no_room, RefusalReason::limit,
                                           RefusalReason::roster, RefusalReason::version};
    for (const auto reason : lightest_first) {
        const auto found = state.refused.find(static_cast<std::uint8_t>(reason));
        while (found != state.refused.end() && runs() > limits::refused_runs_max) {
            auto lowest = lower_half(found->second);
            if (lowest.empty()) {
                state.refused.erase(found);
                break;
            }
            found->second.remove(lowest);
        }
    }
}

Result<void> drop_excess_logs(Ledger& ledger, OfficeId author, std::size_t logs_max) {
    const auto logs = ledger.logs_of(author);
    auto excess = static_cast<std::size_t>(std::ranges::distance(logs));
    std::vector<LogKey> lowest;
    for (auto at = logs.begin(); excess > logs_max; ++at, --excess) {
        lowest.push_back(at->first);
    }
    for (const auto& log : lowest) {
        TRY(make_terminal(ledger, log, {{1, record_number_max}}));
        ledger.drop_log(log);
    }
    return ok();
}

Result<void> close_log(Ledger& ledger, const LogKey& log, Number from) {
    const auto closed_before = ledger.log(log).closed_from;
    if (closed_before != 0 && closed_before <= from) {
        return ok();
    }
    auto& state = ledger.edit_log(log);
    state.closed_from = from;
    const IntervalSet closed{{from, UINT32_MAX}};
    if (log.author == ledger.us()) {
        state.known.add(closed);
        return ok();
    }
    return make_terminal(ledger, log, closed);
}

Result<bool> make_room_for(Ledger& ledger, const LogKey& log) {
    if (!ledger.keeps(log)) {
        return false;
    }
    if (!ledger.logs().contains(log)) {
        TRY(drop_excess_logs(ledger, log.author, limits::logs_per_office_max - 1));
    }
    return true;
}

}  // namespace fieldpost::engine
