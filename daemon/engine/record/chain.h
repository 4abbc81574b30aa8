// The chain of a log: each record names the id of the one before it (WIRE.md 3, `prev`).
//
// A receipt names the id of one record, the top. Its author takes all lower numbers of the receipt
// for received too, and is right if the records here are those of its own chain. Two copies of an
// office sign different records under the same numbers. So where two neighbours do not fit, nothing
// below is told as received any more, and whoever is linked is asked for its record. Two records
// under one number are proof of a fork (membership/forks.h), and the author writes again what was
// not received.
//
// Not seen here: copies whose records are no neighbours at this office.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// To be called once this record is kept and counted as received.
Result<void> check_neighbours(Ledger& ledger, const storage::StoredRecord& record,
                              const Header& header);

}  // namespace fieldpost::engine
