// An office that its authority has cut off. What the cut-off keeps stays valid and is still passed
// on everywhere. Nothing else of the office is.
//
// In a log that the cut-off lists, N is everything behind the last number that the cut-off names.
// Logs that it does not list are dropped, and the office's leaf says so (WIRE.md 6, *closed*).
// Registers up to the cut-off stay: they prove deliveries.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Closes the logs that the roster has cut off and that are still open. This office's own logs stay
// open: its people go on reading what they wrote.
Result<void> apply_cut_offs(Ledger& ledger);

// Tells people how many reports of the office were shown here that lie beyond its cut-off. To be
// called once for each new cut-off, for it looks at the office's reports, thousands at most.
Result<void> tell_of_reports_beyond(Ledger& ledger, OfficeId office, Now now);

// True if this office was revoked or has retired, as far as it knows. It may read, and others take
// nothing new of it.
bool is_shut_out(const Ledger& ledger);

// True if the author of the record was cut off before it: the cut-off does not keep this number.
bool is_beyond_cut_off(const Ledger& ledger, const LogKey& log, Number number);
// True if the cut-off of `signer` ends before `version`, so that the register is not kept.
bool is_beyond_cut_off(const crypto::RosterOffice& signer, const RegisterVersion& version);

}  // namespace fieldpost::engine
