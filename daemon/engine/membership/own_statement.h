// The statement of this office to all others: its prekeys, its endpoints, and which numbers of its
// logs are done.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Signs a newer statement if the content has changed or the newest one is a day old.
void renew_statement(Ledger& ledger, Now now);

}  // namespace fieldpost::engine
