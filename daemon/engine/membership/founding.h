// The content that a new store needs before the first engine starts.
#pragma once

#include <vector>

#include "proto/register.h"
#include "proto/roster_change.h"
#include "storage/record_store.h"

namespace fieldpost::engine {

// The office's own page, the roster that admits it, and the registers that came with its
// invitation.
std::vector<storage::StoreChange> founding_changes(const NetworkId& network, OfficeId office,
                                                   Incarnation incarnation, WallTime mark,
                                                   const std::vector<RosterChange>& roster,
                                                   const std::vector<Register>& registers);

}  // namespace fieldpost::engine
