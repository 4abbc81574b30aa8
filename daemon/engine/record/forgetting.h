// Reports that people here forget: the readable copy goes, and cannot come back.
//
// The key to the words is destroyed, and so are the words of the answers. What stays says that the
// number was used: the page with its states, the report's hash, and the record's header and
// signature. Otherwise a peer that shows the record would make this office stop writing
// (self_check.h). A sealed copy that is carried for other recipients stays until they have it.
//
// Not here: copies of other offices, exports, backups.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Answers with Accepted or Declined. An own report that is still under way is refused. An Error is
// the store's.
Result<void> forget(Ledger& ledger, const ForgetWanted& wanted, Now now,
                    std::vector<Notice>& notify);

// True if this office still owes the report to somebody.
bool is_owed(const Ledger& ledger, const storage::ReportKey& report,
             const storage::ReportProgress& page);

}  // namespace fieldpost::engine
