// After a start: what the store could not give back, or what an older build let in that nobody else
// would read, is put aside, log by log, and said in attention (P8d). Too many runs of a log are
// closed as in any batch (log_bounds.h).
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// In the first batch. If a log of this office is damaged it signs nothing any more: which numbers
// it has used is not known. `checked`: all rows of the store were looked at before it was loaded.
Result<void> put_aside_damage(Ledger& ledger, const std::optional<storage::PutAside>& checked,
                              Now now, std::vector<Notice>& notify);

}  // namespace fieldpost::engine
