// The last step: what is addressed to this office is opened, put into its inbox once, and
// receipted.
#pragma once

#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/intake.h"

namespace fieldpost::engine {

// Files a record addressed to this office. One that does not open is kept and told as unreadable.
// While mail is locked, or its group's key has not come, it is receipted, for it is here for good,
// and waits unopened.
Result<void> deliver(Ledger& ledger, const storage::StoredRecord& record, const Header& header,
                     const Body& body, Via from, Now now, std::vector<Notice>& notify);

// Opens and files what came or was written while mail was locked, or before its group's key came,
// in order of arrival from `from` on, some megabytes of it; the result says where to go on. What
// does not open is told as unreadable from now on, though it was receipted; what lacks a group's
// key goes on waiting until it expires. Adds the authors whose receipts may have changed.
Result<std::optional<storage::Arrival>> deliver_waiting(Ledger& ledger, storage::Arrival from,
                                                        std::set<OfficeId>& authors, Now now,
                                                        std::vector<Notice>& notify);

// Its header was read whole: the numbers may stand in our receipts.
void mark_receipted(Ledger& ledger, const Header& header, const RecordId& id);

}  // namespace fieldpost::engine
