// The chain of a log: each record names the id of the one before it (WIRE.md 3, `prev`).
//
// A receipt vouches for the records at the tops of its runs (tops.h). Its author takes the lower
// numbers of each run for received too, and is right if the records here are those of its own
// chain. Two copies of an office sign different records under the same numbers. So where two
// neighbours do not fit, nothing below is told as received any more, and whoever is linked is asked
// for its record. Two records under one number are proof of a fork (membership/forks.h), and the
// author writes again what was not received.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The records on both sides of a run, as far as they are known here, by the starts of ids.
struct Neighbours {
    std::optional<ShortHash> before;         // of the record before it
    std::optional<ShortHash> prev_of_after;  // that the record after it names
};
// To be called before the run's record is counted as received.
Result<Neighbours> neighbours_of(const Ledger& ledger, const LogKey& log, Interval run);

// To be called once this record is kept and counted as received.
Result<void> check_neighbours(Ledger& ledger, const storage::StoredRecord& record,
                              const Header& header, const Neighbours& neighbours);

}  // namespace fieldpost::engine
