// What this office says of itself to all others: prekeys, endpoints, and what of its logs is done.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Signs a newer register about this office if what it says has changed, or is a day old.
void renew_statement(Ledger& ledger, Now now);

}  // namespace fieldpost::engine
