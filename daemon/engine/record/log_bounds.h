// How much one author can make an office remember of its logs (P8b), by rules that are the same at
// all offices, because leaves follow from what they leave (invariant I7).
//
// Runs. N of a log has at most limits::log_runs_max runs, of an older incarnation than the author's
// highest one limits::old_log_runs_max. Where there would be more, N is exact in two places: its
// highest half, and a window that begins at the lowest hole. Everything between is *closed*: it
// counts as in N and nothing else is known of it. So new records always pass, low holes close as
// the author tells what is done, and the window moves up. If its lowest hole stays for a day it
// goes on to the next holes, and from the end to the lowest again. Closed is an order and no
// refusal: no receipt tells it, and a record from there that comes all the same is judged as any
// other.
//
// Logs. Of an author the limits::logs_per_office_max highest by (incarnation, class) are kept; a
// higher one takes the place of the lowest for good.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// How long a hole may keep a window.
inline constexpr std::uint32_t window_seconds = 86400;

// Closes what is too much, and opens all again once half of the runs are free, but what the author
// says is `done`. Of the numbers in `under_way` some of the body is here: they stay open. True:
// some of N was opened, so peers have to be told.
bool bound_runs(storage::LogState& state, std::size_t runs_max, const IntervalSet& under_way,
                const IntervalSet& done, WallTime aged);
// Beyond limits::refused_runs_max runs the lowest of E become terminal, what others may not write
// here last.
void bound_refused(storage::LogState& state);

// Drops the lowest, and what is held of them, until so many are left.
Result<void> drop_excess_logs(Ledger& ledger, OfficeId author, std::size_t logs_max);

// From this number on N is everything, unless it is already from a lower one on, and what is held
// there is dropped. Of this office's own log it is kept, though no peer takes it any more. The log
// must be kept here.
Result<void> close_log(Ledger& ledger, const LogKey& log, Number from);

// True if records of `log` are kept here. Drops the author's lowest log where that makes room.
Result<bool> make_room_for(Ledger& ledger, const LogKey& log);

}  // namespace fieldpost::engine
