// Parts of the bodies that are held here, checked before any other office sees them. Otherwise this
// office would be blamed for a part that a disk has damaged. The record of such a part is lost here
// (healing.h).
//
// Not here: bodies of which some parts lack still (arriving_body.h).
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// All of these fail with `corrupt` if the body is damaged. The store then doubts that body.

// One part. Only its presence and its size are checked.
Result<Bytes> part_of(const storage::RecordStore& store, const storage::StoredRecord& record,
                      BodyShape shape, std::uint32_t part);
// One part, compared with its hash.
Result<Bytes> checked_part_of(const Ledger& ledger, const storage::StoredRecord& record,
                              BodyShape shape, std::uint32_t part);
// The hash of a whole body, as its record's id has it. Nothing is compared with anything. A body
// that was forgotten left its hash.
Result<Hash> body_hash_of(const Ledger& ledger, const storage::StoredRecord& record,
                          BodyShape shape);
// A body in one piece, from the record or from a part in the store.
Result<Bytes> checked_piece_of(const Ledger& ledger, const storage::StoredRecord& record,
                               BodyShape shape);

}  // namespace fieldpost::engine
