// The state of one log at this office: numbers that it holds, and numbers that nobody need send it.
//
// N, *known*, is what peers are told: do not send me these. Some of it is held (H), some refused
// (E); where N is closed nothing more is known (daemon/engine/record/log_bounds.h); the rest is
// terminal (T). So T is not stored. N and E have few runs. H and what receipts tell have as many as
// there are records here; they are stored in pages of 4,096 numbers, and a batch writes those that
// it changed.
#pragma once

#include <map>
#include <set>

#include "proto/interval_set.h"
#include "proto/vocabulary.h"

namespace fieldpost::storage {

// The numbers page * 4,096 to page * 4,096 + 4,095.
using NumberPage = std::uint32_t;
inline constexpr int number_page_bits = 12;

struct LogState {
    // --- read by all; changed by the functions below only, which keep H, E and N together
    IntervalSet known;                            // N
    std::map<std::uint8_t, IntervalSet> refused;  // E by RefusalReason; none is empty
    IntervalSet held;                             // H
    // The content of our receipts: headers read whole whose record was readable or not addressed
    // to us; and records addressed to us that did not open. A number in both was receipted while
    // mail was locked, and did not open afterwards: it is told as unreadable.
    IntervalSet receipted;
    IntervalSet unreadable;

    // --- where N is not exact, and where it begins to be (log_bounds.h)
    IntervalSet closed;
    Number window = 1;
    Number window_hole = 0;  // the lowest hole there, and since when it is that
    WallTime window_since;

    ShortHash receipted_top_id;
    // Numbers addressed to us: a log without any needs no receipt.
    bool addresses_us = false;
    // From this number on the log is closed; 0: open.
    Number closed_from = 0;
    // Own logs only: numbers up to `reserved` may have been used; `next` is the one to use next.
    Number next = 1;
    Number reserved = 0;
    // Own logs only: the last number of the newest record shown to anyone, and its id.
    Number published = 0;
    RecordId published_id;
    bool operator==(const LogState&) const = default;

    // Pages that have changed since they were written.
    std::set<NumberPage> touched;

    // Held, however it stood before.
    void hold(Interval run);
    void refuse(std::uint8_t reason, const IntervalSet& numbers);
    // Numbers that were refused are wanted again.
    void release(std::uint8_t reason, const IntervalSet& numbers);
    // Held numbers go, and are refused from here on.
    void let_go(std::uint8_t reason, const IntervalSet& numbers);
    // Held numbers whose record is gone are wanted again.
    void lose(const IntervalSet& numbers);
    // Terminal, however it stood before.
    void end(const IntervalSet& numbers);
    void count_receipted(Interval run, const ShortHash& id);
    void count_unreadable(Interval run);

    [[nodiscard]] bool is_refused(Interval run) const;  // any of it
    // All of it is known to be owed to nobody.
    [[nodiscard]] bool is_terminal(Interval run) const;
    [[nodiscard]] IntervalSet terminal() const;
    // Nothing of it need be looked at: it is held, terminal or refused.
    [[nodiscard]] bool has_judged(Interval run) const;

private:
    void touch(Interval run);
};

}  // namespace fieldpost::storage
