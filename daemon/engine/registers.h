// Registers from others: verified, bounded, the newest kept, and what they say acted on.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Keeps it if it is newer, and returns true then. A receipt of records that this store does not
// know is kept and not acted on, and peers are asked for the proofs. untrusted: not signed by who
// it says, or about something that its signer has no say in. Of kinds that this release does not
// know an office has a bounded share.
Result<bool> take_register(Ledger& ledger, const Register& entry, Via from, Now now,
                           std::vector<Notice>& notify);

}  // namespace fieldpost::engine
