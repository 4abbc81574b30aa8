// Damaged rows are taken out of the tables that a start does not read: records and all that belongs
// to them. What they said is then missing, and nothing left contradicts itself.
//
// Not here: what an office does about what is missing (daemon/engine/healing).
#pragma once

#include <set>

#include "storage/record_store.h"

namespace fieldpost::storage {

// Reads every row once; bodies in parts are counted, not read. `doubted` are bodies that are known
// to be damaged. An Error is of the tables themselves.
Result<PutAside> put_aside_damage(CheckedTables& tables, const crypto::SealKey& seal_key,
                                  const std::set<Blob>& doubted);

}  // namespace fieldpost::storage
