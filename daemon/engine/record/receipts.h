// Receipts: the registers by which this office tells each author which of its records have arrived.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Signs a newer receipt for each author whose logs changed since the last one. An author may have
// torn its logs so that not all fits a register. Then, first, the numbers that the author has
// closed itself are left out. Next, the highest
// numbers are left out, of the least urgent class first. There is room for them once the author has
// closed the lower ones. An Error is the store's.
Result<void> renew_receipts(Ledger& ledger, const std::set<OfficeId>& authors, Now now);

}  // namespace fieldpost::engine
