// Registers from others: verified, bounded, the newest kept, and what they say acted on.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

struct TakenRegister {
    bool is_new = false;
    // It speaks of a record of ours that this store does not know: not kept, and to be proved.
    std::optional<Prove> prove{};
};

// Keeps it if it is newer. untrusted: not signed by who it says, or about something that its signer
// has no say in. Of kinds that this release does not know an office has a bounded share.
Result<TakenRegister> take_register(Ledger& ledger, const Register& entry, Via from, Now now,
                                    std::vector<Notice>& notify);

}  // namespace fieldpost::engine
