// Takes damaged rows out of the tables that a start does not read: records, and everything that
// belongs to them. Their content is then missing, and no two rows that stay contradict each other.
//
// Not here: how an office replaces the missing content (daemon/engine/healing).
#pragma once

#include <set>

#include "storage/record_store.h"

namespace fieldpost::storage {

// Reads every row once. The parts of bodies are counted, not read. `doubted` are bodies that are
// known to be damaged. An Error means that the tables themselves failed.
Result<PutAside> put_aside_damage(CheckedTables& tables, const crypto::SealKey& seal_key,
                                  const std::set<Blob>& doubted);

}  // namespace fieldpost::storage
