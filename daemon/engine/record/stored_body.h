// Parts of the bodies that are held here, checked before anybody else sees them: a disk that
// damaged one would be blamed on this office, and the record is lost here (healing.h).
//
// Not here: bodies of which some parts lack still (arriving_body.h).
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// All of these: corrupt: the body is damaged. The store is in doubt about it then.

// One part, which is only there and of the right size.
Result<Bytes> part_of(const storage::RecordStore& store, const storage::StoredRecord& record,
                      BodyShape shape, std::uint32_t part);
// One part, compared with its hash.
Result<Bytes> checked_part_of(const Ledger& ledger, const storage::StoredRecord& record,
                              BodyShape shape, std::uint32_t part);
// A body in one piece, wherever it lies.
Result<Bytes> checked_piece_of(const Ledger& ledger, const storage::StoredRecord& record,
                               BodyShape shape);

}  // namespace fieldpost::engine
