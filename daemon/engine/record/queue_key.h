// `queue --key`: a report queued again under the same key is not queued twice, and its first ID is
// given.
//
// Method: the store keeps a hash of the report that was queued under each key. The hash is made
// from the draft, so it is the same for a newer command and for a changed control protocol.
// Errors: refused if another release made the hash and the report cannot be read here, because mail
// is locked.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

Result<std::optional<storage::KeyedReport>> report_under(const Ledger& ledger,
                                                         std::string_view key);
// The draft's report must have passed check_report. Two drafts are the same if a person would say
// so: the clock, its offset and the present members of groups do not count.
Result<bool> is_same(const Ledger& ledger, const storage::KeyedReport& queued, const Draft& draft);
void keep_key(Ledger& ledger, const Draft& draft, const storage::ReportKey& report);

}  // namespace fieldpost::engine
