// How an office joins: the authority reserves an index and a name for it, and admits it once its
// request has come (proto/WIRE.md "Roster").
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// At the authority, with mail open: reserves an index for a new office, and answers with Invited or
// Declined.
void invite(Ledger& ledger, const InviteWanted& wanted, Now now, std::vector<Notice>& notify);

// At the authority, with mail open: admits one office whose request has come and whose invitation
// has not expired. True if the roster changed. Then call it again: another request may wait.
Result<bool> admit_enrolled(Ledger& ledger, Now now, std::vector<Notice>& notify);

}  // namespace fieldpost::engine
