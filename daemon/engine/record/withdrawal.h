// A report that its author takes back (WIRE.md "A withdrawal").
//
// A report that never left this office never leaves. One that may have left ends: the author's
// statement says so to everybody, and carriers drop it. A withdrawal tells its recipients the
// reason, if they can be sealed to. A recipient that learns of it in time does not show the report,
// and does not receipt it.
// One that has shown it marks it as withdrawn.
#pragma once

#include <functional>

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Takes back an own report, and answers with Accepted or Declined. A report that was taken back
// before stays as it is. An Error is the store's.
Result<void> withdraw(Ledger& ledger, const WithdrawalWanted& wanted, Now now,
                      std::vector<Notice>& notify);

// A withdrawal was filed here under `key`.
Result<void> take_withdrawal(Ledger& ledger, const storage::ReportKey& key,
                             storage::Arrival arrival, const Report& withdrawal, Via from, Now now,
                             std::vector<Notice>& notify);

// True if the author took the report back before it is shown here: by its statement, or by a
// withdrawal of the text with this hash. `number` in `log` holds it, perhaps as a reissue.
Result<bool> is_withdrawn(const Ledger& ledger, const storage::ReportKey& report, const LogKey& log,
                          Number number, const std::function<Result<Hash>()>& hash);
// The numbers of a run that the author's statement says are taken back.
IntervalSet told_withdrawn(const Ledger& ledger, const LogKey& log, Interval run);

// Marks reports here that the newest statement of `author` says are taken back. Looks at `left`
// numbers at most, and counts them off. True: there are more.
Result<bool> apply_withdrawn(Ledger& ledger, OfficeId author, std::size_t& left, Now now,
                             std::vector<Notice>& notify);

}  // namespace fieldpost::engine
