// The state of one log at this office: numbers that it holds, and numbers that no peer need send
// it.
//
// N, *known*, is told to peers as: do not send me these. Some numbers of N are held (H), and some
// are refused (E). Where N is closed nothing more is known (daemon/engine/record/log_bounds.h). The
// rest is terminal (T), so T is not stored.
//
// N and E have few runs. H and the sets for receipts have as many runs as there are records here.
// They are stored in pages of 4,096 numbers, and a batch writes only the pages that it changed.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "proto/interval_set.h"
#include "proto/vocabulary.h"

namespace fieldpost::storage {

// The number of a page. It has the record numbers page * 4,096 to page * 4,096 + 4,095.
using NumberPage = std::uint32_t;
inline constexpr int number_page_bits = 12;

struct LogState {
    // --- read by all code; changed only by the functions below, which keep H, E and N together
    IntervalSet known;                            // N
    std::map<std::uint8_t, IntervalSet> refused;  // E by RefusalReason; none is empty
    IntervalSet held;                             // H
    // The content of our receipts. `receipted`: headers read whole, if the record was readable or
    // was not addressed to us. `unreadable`: records addressed to us that did not open. A number in
    // both was receipted while mail was locked and did not open afterwards. It is told as
    // unreadable.
    IntervalSet receipted;
    IntervalSet unreadable;
    // The ends of the runs of `receipted`, each list ascending. At a top: the start of the record's
    // id. At a bottom: the start of the id of the record before it, as its header names it. A
    // record that was carried, or told nothing new, is gone from the store when a receipt has to
    // name it, or when its neighbour comes. Ends are lacking where a receipt was taken back.
    struct End {
        Number number;
        ShortHash id;
        bool operator==(const End&) const = default;
    };
    using Ends = std::vector<End>;
    Ends tops;
    Ends bottoms;
    // Reports that their author took back: in an own log those that may have left this office, in
    // another's log those that this office has looked at. Those of them that were not shown here
    // are not in `receipted`.
    IntervalSet withdrawn;

    // --- the part in which N is not exact, and the start of the exact part (log_bounds.h)
    IntervalSet closed;
    Number window = 1;
    Number window_hole = 0;  // the lowest hole in the window, known since `window_since`
    WallTime window_since;

    // True if some numbers are addressed to us. A log without any needs no receipt.
    bool addresses_us = false;
    // From this number on the log is closed; 0: open.
    Number closed_from = 0;
    // Own logs only. Numbers up to `reserved` may have been used; `next` is the one to use next.
    Number next = 1;
    Number reserved = 0;
    // Own logs only: the last number of the newest record shown to any other office, and the
    // record's id.
    Number published = 0;
    RecordId published_id;
    bool operator==(const LogState&) const = default;

    // Pages that have changed since they were written.
    std::set<NumberPage> touched;

    // Makes the numbers held, whatever their state was before.
    void hold(Interval run);
    void refuse(std::uint8_t reason, const IntervalSet& numbers);
    // Makes refused numbers wanted again.
    void release(std::uint8_t reason, const IntervalSet& numbers);
    // Removes held numbers, and refuses them from now on.
    void let_go(std::uint8_t reason, const IntervalSet& numbers);
    // Makes held numbers wanted again, because their record is gone.
    void lose(const IntervalSet& numbers);
    // Makes the numbers terminal, whatever their state was before.
    void end(const IntervalSet& numbers);
    // `id`: the start of the record's id. `prev`: that of the record before it, zeros if unknown.
    void count_receipted(Interval run, const ShortHash& id, const ShortHash& prev);
    void count_unreadable(Interval run);
    // For records that were dropped unread.
    void take_back_receipt(Interval run);
    // Notes the end of a run again. Nothing happens if no run begins at this number.
    void note_bottom(Number number, const ShortHash& prev);
    void withdraw(Number number);

    [[nodiscard]] bool is_refused(Interval run) const;  // true if any of it is refused
    // True if all numbers of `run` are known to be owed to no recipient.
    [[nodiscard]] bool is_terminal(Interval run) const;
    [[nodiscard]] IntervalSet terminal() const;
    // True if no number of `run` need be looked at: each is held, terminal or refused.
    [[nodiscard]] bool has_judged(Interval run) const;

    // The id that is noted for this number. Nothing: it is no end, or its id is not known.
    [[nodiscard]] static std::optional<ShortHash> end_at(const Ends& ends, Number number);

private:
    void touch(Interval run);
};

}  // namespace fieldpost::storage
