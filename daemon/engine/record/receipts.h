// Receipts: the registers by which this office tells each author what has arrived here.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Signs a newer receipt for each author whose logs changed since the last one. Where an author has
// torn its logs so that not all fits a register, first the numbers that it has closed itself fill
// the holes between the others (ReceiptLog::is_filled); then the highest numbers wait, of the least
// urgent class first: once the author has closed the lower ones there is room. An Error is the
// store's.
Result<void> renew_receipts(Ledger& ledger, const std::set<OfficeId>& authors, Now now);

}  // namespace fieldpost::engine
