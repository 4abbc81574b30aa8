// Records that a damaged disk took, and what lay about records that are whole (P8d).
//
// Numbers of a lost record leave H and N, so whoever still has it brings it again; that is so of
// own records too, if they were public. The page of an own one that nobody else is known to have
// says `failed: damaged`, until anybody brings it after all. Pages, boxes and expiries are made
// anew from what is left. All that people could read here and is gone is named in attention.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// After RecordStore::put_aside_damage(). Looks at all records.
Result<void> settle_lost_records(Ledger& ledger, Now now, std::vector<Notice>& notify);

// An own record that was lost, and that nobody has brought back in time, has ended. `arrival` is
// where it lay.
Result<void> expire_lost(Ledger& ledger, storage::Arrival arrival, Now now,
                         std::vector<Notice>& notify);

}  // namespace fieldpost::engine
