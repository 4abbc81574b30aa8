// Everything that a carrier can check of a record without opening it: its hashes, its id, its
// signature.
//
// The id covers the header and, by way of hashes, the body, so one signature covers all of it
// (proto/WIRE.md, "Record").
#pragma once

#include <vector>

#include "crypto/identity.h"
#include "proto/record.h"
#include "proto/register.h"

namespace fieldpost::crypto {

// The hashes of a sealed body's segments, or the hash of its one piece.
std::vector<Hash> piece_hashes(const NetworkId& network, BodyShape shape, BytesView body);
Hash piece_hash(const NetworkId& network, BodyShape shape, BytesView piece);
// `pieces` as piece_hashes gave them.
Hash body_hash(const NetworkId& network, BodyShape shape, const std::vector<Hash>& pieces);

Hash header_rest_hash(const NetworkId& network, BytesView encoded_header);
RecordId record_id(const NetworkId& network, BytesView key_part, const Hash& header_rest,
                   const Hash& body);
RecordId record_id(const NetworkId& network, const Header& header, const Hash& body);
RecordId record_id(const NetworkId& network, const RecordProof& proof);

Signature sign_record(const SigningKey& author, const NetworkId& network, const RecordId& id);
[[nodiscard]] bool verify_record(const SigningPublic& author, const NetworkId& network,
                                 const RecordId& id, const Signature& signature);

}  // namespace fieldpost::crypto
