// How much one author can make an office remember of its logs (P8b). The rules are the same at all
// offices, because a leaf depends on them (invariant I7).
//
// Runs. N of a log has at most limits::log_runs_max runs. In an incarnation below the author's
// highest it has at most limits::old_log_runs_max. Where there would be more, N is exact in two
// places: in its highest half, and in a window that begins at the lowest hole. Everything between
// them is *closed*: it counts as in N, and nothing else is known of it. So new records always pass,
// low holes close as the author tells which numbers are done, and the window moves up. If its
// lowest hole stays for a day the window goes on to the next holes, and from the end to the lowest
// again. Closed is an order and no refusal: no receipt tells it, and a record that comes from there
// all the same is judged as any other.
//
// Logs. The limits::logs_per_office_max highest logs of an author by (incarnation, class) are kept.
// A higher one takes the place of the lowest for good.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// How long one hole may hold a window in place.
inline constexpr std::uint32_t window_seconds = 86400;

// Closes numbers where N has more than `runs_max` runs. Opens all again once half of the runs are
// free, except numbers that the author says are `done`. Numbers in `under_way` stay open: some of
// their bodies is here. True: some of N was opened, so peers have to be told.
bool bound_runs(storage::LogState& state, std::size_t runs_max, const IntervalSet& under_way,
                const IntervalSet& done, WallTime aged);
// Beyond limits::refused_runs_max runs the lowest numbers of E become terminal. Numbers refused for
// lack of room go first.
void bound_refused(storage::LogState& state);

// Drops the author's lowest logs, with the records held of them, until `logs_max` are left.
Result<void> drop_excess_logs(Ledger& ledger, OfficeId author, std::size_t logs_max);

// Closes a log: from this number on N is everything. Records held there are dropped; those of this
// office's own log are kept, though no peer takes them any more. Does nothing if the log is closed
// from this number or a lower one already. The log must be kept here.
Result<void> close_log(Ledger& ledger, const LogKey& log, Number from);

// True if records of `log` are kept here. Drops the author's lowest log where that makes room.
Result<bool> make_room_for(Ledger& ledger, const LogKey& log);

}  // namespace fieldpost::engine
