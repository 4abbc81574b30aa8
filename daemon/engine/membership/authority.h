// This office as the authority of its network: what it needs to sign a change of the roster.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// refused: this office is not the authority, or must not sign now. The detail is for people.
Result<void> check_authority(const Ledger& ledger);

// False if this store was put back, and has not met two other offices since. It may have forgotten
// changes that it signed.
bool knows_newest_roster(const Ledger& ledger);

// Signs the next change of the roster and applies it. check_authority() must have allowed it.
// malformed: the statements contradict the roster; nothing has changed.
Result<void> sign_roster_change(Ledger& ledger, std::vector<RosterStatement> statements, Now now);

}  // namespace fieldpost::engine
