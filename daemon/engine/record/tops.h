// The records at the tops of the runs of a set, told as one short hash (WIRE.md 4, `tops`).
//
// A receipt and a statement of custody name numbers. Two copies of an office sign different records
// under the same numbers. Neighbours in a run were compared where they lie (chain.h). So an author
// whose own records give the same hash knows that all records meant are its own.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

struct NamedTops {
    IntervalSet numbers;
    ShortHash hash;
};
// Names the records at the tops of these numbers, or of most of them: a run whose highest number
// has lost its id here loses up to 15 numbers at its top, and is left out if that is not enough.
// Nothing could vouch for it. An Error is the store's.
Result<NamedTops> name_tops(const Ledger& ledger, const LogKey& log, const IntervalSet& numbers);

// The start of the id of the record that this store signed under an own number. Zeros: it knows
// that it has used the number, but not the id any more. Nothing: it has signed none.
Result<std::optional<ShortHash>> used_id(const Ledger& ledger, const LogKey& log, Number number);

// Checks what another office says of an own log. Returns the numbers that it is to be asked for,
// at most limits::proofs_asked_max. None: all the records are ours. If this store has lost the id
// of one of them, the hash cannot be checked, and counts as right.
Result<IntervalSet> tops_to_prove(Ledger& ledger, const LogKey& log, const IntervalSet& numbers,
                                  const ShortHash& tops);

}  // namespace fieldpost::engine
