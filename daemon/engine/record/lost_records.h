// Records that a damaged disk took, and the damaged rows about records that are whole (P8d).
//
// Numbers of a lost record leave H and N, so any office that still has the record brings it again.
// Own records leave them too, if they were public. If no other office is known to have an own
// record, its page says `failed: damaged` until somebody brings it after all. Pages, boxes and
// expiries are made anew from the rest of the store. Attention names every report that people could
// read here and that is gone.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// After RecordStore::put_aside_damage(). Looks at all records.
Result<void> settle_lost_records(Ledger& ledger, Now now, std::vector<Notice>& notify);

// Ends an own record that was lost and that nobody has brought back in time. `arrival` is the one
// that the record had.
Result<void> expire_lost(Ledger& ledger, storage::Arrival arrival, Now now,
                         std::vector<Notice>& notify);

}  // namespace fieldpost::engine
