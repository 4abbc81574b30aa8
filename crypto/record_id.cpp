#include "crypto/record_id.h"

namespace fieldpost::crypto {

Hash piece_hash(const NetworkId& network, BodyShape shape, BytesView piece) {
    return hash(shape.is_one_piece() ? "body" : "segment", network, {piece});
}

std::vector<Hash> piece_hashes(const NetworkId& network, BodyShape shape, BytesView body) {
    std::vector<Hash> hashes;
    hashes.reserve(shape.segment_count());
    for (std::uint32_t i = 0; i < shape.segment_count(); ++i) {
        hashes.push_back(piece_hash(network, shape,
                                    body.subspan(shape.segment_offset(i), shape.segment_size(i))));
    }
    return hashes;
}

Hash body_hash(const NetworkId& network, BodyShape shape, const std::vector<Hash>& pieces) {
    ensure(pieces.size() == shape.segment_count(), "a body has one hash a piece");
    if (shape.is_one_piece()) {
        return pieces.front();
    }
    ByteWriter all;
    for (const auto& piece : pieces) {
        all.raw(piece.view());
    }
    return hash("segments", network, {all.bytes()});
}

Hash header_rest_hash(const NetworkId& network, BytesView encoded_header) {
    return hash("record-header", network, {encoded_header.subspan(key_part_bytes)});
}

RecordId record_id(const NetworkId& network, BytesView key_part, const Hash& header_rest,
                   const Hash& body) {
    return RecordId{hash("record-id", network, {key_part, header_rest.view(), body.view()}).bytes};
}

RecordId record_id(const NetworkId& network, const Header& header, const Hash& body) {
    const auto encoded = encode_header(header);
    return record_id(network, BytesView(encoded).first(key_part_bytes),
                     header_rest_hash(network, encoded), body);
}

RecordId record_id(const NetworkId& network, const RecordProof& proof) {
    ByteWriter key;
    write(key, proof.key);
    return record_id(network, key.bytes(), proof.header_rest, proof.body);
}

Signature sign_record(const SigningKey& author, const NetworkId& network, const RecordId& id) {
    return author.sign("record", network, id.view());
}

bool verify_record(const SigningPublic& author, const NetworkId& network, const RecordId& id,
                   const Signature& signature) {
    return verify(author, "record", network, id.view(), signature);
}

}  // namespace fieldpost::crypto
