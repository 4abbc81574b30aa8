// The last step: records addressed to this office are opened, put into its inbox once, and
// receipted.
#pragma once

#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/intake.h"

namespace fieldpost::engine {

// Files a record addressed to this office. A record that does not open is kept and told as
// unreadable. While mail is locked, or the group's key has not come, the record waits unopened. It
// is receipted all the same, because it is here for good.
Result<void> deliver(Ledger& ledger, const storage::StoredRecord& record, const Header& header,
                     const Body& body, Via from, Now now, std::vector<Notice>& notify);

// Opens and files records that came or were written while mail was locked, or that came before
// their group's key. Works in order of arrival from `from` on, some megabytes a call. The result
// says where to go on. A record that does not open is told as unreadable from now on, though it was
// receipted. A record without its group's key goes on waiting until it expires. Adds the authors
// whose receipts may have changed.
Result<std::optional<storage::Arrival>> deliver_waiting(Ledger& ledger, storage::Arrival from,
                                                        std::set<OfficeId>& authors, Now now,
                                                        std::vector<Notice>& notify);

// Puts the record's numbers into our receipts. Its whole header must have been read.
void mark_receipted(Ledger& ledger, const Header& header, const RecordId& id);

}  // namespace fieldpost::engine
