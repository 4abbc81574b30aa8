// `queue --key`: what is queued a second time under a key is the same report, and gives its ID.
//
// Method: the store keeps a hash of what was queued under each key. The hash is made from the
// draft, so a newer command, or a change of the control protocol, does not change it.
// Errors: refused if another release made the hash and the report cannot be read here, because
// mail is locked.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

Result<std::optional<storage::KeyedReport>> report_under(const Ledger& ledger,
                                                         std::string_view key);
// The draft's report must have passed check_report. Two drafts are the same if a person would say
// so: the clock and its offset do not count, nor who is in a group now.
Result<bool> is_same(const Ledger& ledger, const storage::KeyedReport& queued, const Draft& draft);
void keep_key(Ledger& ledger, const Draft& draft, const storage::ReportKey& report);

}  // namespace fieldpost::engine
