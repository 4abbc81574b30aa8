// The records at the tops of the runs of a set, told as one short hash (WIRE.md 4, `tops`).
//
// A receipt and a statement of custody name numbers. Two copies of an office sign different records
// under the same numbers. Neighbours in a run were compared where they lie (chain.h). So an author
// whose own records give the same hash knows that all records meant are its own.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The hash for these numbers. A run whose highest number has lost its id here loses up to 15
// numbers at its top, and is removed if that is not enough: nothing could vouch for it. An Error is
// the store's.
Result<ShortHash> name_tops(const Ledger& ledger, const LogKey& log, IntervalSet& numbers);

// Checks what another office says of an own log. Returns the numbers that it is to be asked for,
// at most limits::proofs_asked_max. None: all the records are ours. If this store has lost the id
// of one of them, the hash cannot be checked, and counts as right.
Result<IntervalSet> tops_to_prove(Ledger& ledger, const LogKey& log, const IntervalSet& numbers,
                                  const ShortHash& tops);

}  // namespace fieldpost::engine
