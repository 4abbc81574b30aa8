#include "daemon/engine/clock.h"

#include <algorithm>

namespace fieldpost::engine {

namespace {

constexpr std::int64_t tolerance_seconds = 86400;
constexpr std::ptrdiff_t witnesses_min = 2;

std::int64_t seconds_between(WallTime from, WallTime to) {
    return to.unix_seconds() - from.unix_seconds();
}

std::int64_t seconds_between(Instant from, Instant to) {
    return std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
}

}  // namespace

void Clock::start(storage::OfficeMeta& meta, Now now) {
    if (now.wall < meta.mark) {
        meta.doubtful = true;
    }
}

std::ptrdiff_t Clock::witnesses(WallTime time, Now now) const {
    const auto agrees = [&](const auto& entry) {
        const auto& heard = entry.second;
        const auto theirs = heard.clock.plus(seconds_between(heard.at, now.steady));
        return std::abs(seconds_between(theirs, time)) <= tolerance_seconds;
    };
    return std::ranges::count_if(heard_, agrees);
}

bool Clock::may_set_back(WallTime mark, Now now) const {
    if (now.wall.is_surely_wrong()) {
        return false;  // who says the same is wrong too, or lies
    }
    const auto count = witnesses(now.wall, now);
    return count >= witnesses_min || (count == 1 && witnesses(mark, now) == 0);
}

bool Clock::advance(storage::OfficeMeta& meta, Now now) {
    const auto passed = last_ ? seconds_between(*last_, now.steady) : 0;
    if (last_ && passed == 0 && !is_waiting_) {
        return false;
    }
    // Whole seconds only, so that none is lost between two looks.
    last_ = last_ ? *last_ + std::chrono::seconds{passed} : now.steady;
    bool changed = false;
    if (seconds_between(now.wall, meta.mark) > tolerance_seconds && may_set_back(meta.mark, now)) {
        // The mark itself came from a clock that was wrong.
        meta.mark = now.wall;
        meta.aged = std::min(meta.aged, now.wall);
        meta.doubtful = false;
        changed = true;
    }
    meta.mark = std::max(meta.mark, now.wall);
    const auto drifted = meta.aged.plus(passed);
    const bool is_jump = seconds_between(drifted, now.wall) > tolerance_seconds;
    is_waiting_ = is_jump && witnesses(now.wall, now) < witnesses_min;
    meta.aged = std::max(drifted, is_waiting_ ? drifted : now.wall);
    return changed;
}

void Clock::trust(storage::OfficeMeta& meta, Now now) {
    meta.mark = now.wall;
    meta.aged = now.wall;
    meta.doubtful = false;
    is_waiting_ = false;
}

void Clock::hear(storage::OfficeMeta& meta, OfficeId peer, WallTime clock, Now now) {
    heard_[peer] = {clock, now.steady};
    offset_ = seconds_between(now.wall, clock);
    if (std::abs(*offset_) <= tolerance_seconds && now.wall >= meta.mark) {
        meta.doubtful = false;
    }
}

}  // namespace fieldpost::engine
