// Leaves: what this office says of each office's logs and registers, and the hash of that. Offices
// compare leaves to find what each lacks (invariant I7, proto/WIRE.md "Leaves").
#pragma once

#include "daemon/engine/ledger.h"
#include "proto/sync_frames.h"

namespace fieldpost::engine {

// How much of an office's registers is told.
enum class Detail : std::uint8_t {
    hash,    // of all
    newest,  // those, and the hash, where there are many
    all,
};

Hash leaf_hash(const Ledger& ledger, OfficeId office);
// The leaf as it is told to `reader`: the beginning of a part that one source alone may continue is
// told to nobody else.
LeafSummary summary_of(Ledger& ledger, OfficeId office, Detail detail, OfficeId reader = no_office);
// The registers that the leaf of an office lists.
std::vector<RegisterSummary> register_list(const Ledger& ledger, OfficeId office);
RegistersHash registers_hash(const NetworkId& network, const std::vector<RegisterSummary>& list);

}  // namespace fieldpost::engine
