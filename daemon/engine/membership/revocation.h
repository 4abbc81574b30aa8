// How the authority ends an office: up to which record of each log, and up to which register,
// what it signed stays valid. What follows from that at each office is in cut_offs.h.
#pragma once

#include <span>

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The cut-off that keeps all of `office` that is known here: records that lie or have lain here, or
// that other members have receipted. What the office alone says of its logs does not count: its
// keys may be in other hands already. If the office was cut off before, its marks stay as they are.
// In the log of each report in `keep` the mark is that report in place of this, with all of its
// run.
Result<CutOff> cut_off_of(const Ledger& ledger, OfficeId office,
                          std::span<const storage::ReportKey> keep);

// Why this office cannot be ended here now. An invited office can: then its invitation ends.
Result<void> check_revocation(const Ledger& ledger, OfficeId office);

// Answers with Revoked or Declined.
Result<void> revoke(Ledger& ledger, const RevocationWanted& wanted, Now now,
                    std::vector<Notice>& notify);

}  // namespace fieldpost::engine
