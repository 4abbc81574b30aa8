// Registers from others: verified, bounded, the newest kept, and what they say acted on.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// True if it was newer and is kept. untrusted: not signed by who it says, or about something that
// its signer has no say in. Of kinds that this release does not know an office has a bounded share.
Result<bool> take_register(Ledger& ledger, const Register& entry, OfficeId from, Now now,
                           std::vector<Notice>& notify);

}  // namespace fieldpost::engine
