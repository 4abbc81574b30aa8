// An office that its authority has cut off: what the cut-off keeps of it stays valid and is still
// passed on, everywhere, and nothing else of it is.
//
// Of a log that the cut-off lists N is everything behind its last number. Logs that it does not
// list are not kept, and the office's leaf says so (WIRE.md 6, *closed*). Registers up to the
// cut-off stay: they prove what was delivered.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Closes what the roster has cut off, wherever it is not closed yet. Not of this office itself: its
// people go on reading what they wrote.
Result<void> apply_cut_offs(Ledger& ledger);

// Whether a register of that office is newer than what is kept of it.
bool is_beyond_cut_off(const crypto::RosterOffice& signer, const RegisterVersion& version);

}  // namespace fieldpost::engine
