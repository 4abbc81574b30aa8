#include "daemon/engine/record/stored_body.h"

#include "crypto/sealed_record.h"

namespace fieldpost::engine {

Result<Bytes> part_of(const storage::RecordStore& store, const storage::StoredRecord& record,
                      BodyShape shape, std::uint32_t part) {
    auto bytes = TRY(store.part(record.blob, part));
    if (!bytes || bytes->size() != part_size(shape, part)) {
        store.doubt(record.blob);
        return fail(Errc::corrupt, "store: a body lacks a part");
    }
    return std::move(*bytes);
}

namespace {

Result<bool> is_right(const Ledger& ledger, const storage::StoredRecord& record, BodyShape shape,
                      std::uint32_t part, BytesView bytes) {
    const auto& network = ledger.network();
    if (!shape.is_one_piece() && part > 1) {
        const auto list = TRY(part_of(ledger.store(), record, shape, 1));
        return equal(crypto::piece_hash(network, shape, bytes).view(),
                     BytesView(list).subspan((part - 2) * Hash::size, Hash::size));
    }
    const auto body = shape.is_one_piece() ? crypto::piece_hash(network, shape, bytes)
                                           : crypto::hash("segments", network, {bytes});
    return record.id.is_zero() ||
           crypto::record_id(network, TRY(decode_header(record.header)), body) == record.id;
}

}  // namespace

Result<Bytes> checked_part_of(const Ledger& ledger, const storage::StoredRecord& record,
                              BodyShape shape, std::uint32_t part) {
    auto bytes = TRY(part_of(ledger.store(), record, shape, part));
    if (!TRY(is_right(ledger, record, shape, part, bytes))) {
        ledger.store().doubt(record.blob);
        return fail(Errc::corrupt, "store: a body has a damaged part");
    }
    return bytes;
}

Result<Hash> body_hash_of(const Ledger& ledger, const storage::StoredRecord& record,
                          BodyShape shape) {
    const auto& network = ledger.network();
    if (record.blob == storage::forgotten_body) {
        ByteReader in(record.body);
        return in.read_array<Hash>();
    }
    if (shape.is_one_piece()) {
        return crypto::piece_hash(network, shape,
                                  record.blob == storage::Blob{}
                                      ? record.body
                                      : TRY(part_of(ledger.store(), record, shape, 1)));
    }
    return crypto::hash("segments", network, {TRY(part_of(ledger.store(), record, shape, 1))});
}

Result<Bytes> checked_piece_of(const Ledger& ledger, const storage::StoredRecord& record,
                               BodyShape shape) {
    // A body inside its record's row was checked with the row.
    return record.blob == storage::Blob{} ? Result<Bytes>(record.body)
                                          : checked_part_of(ledger, record, shape, 1);
}

}  // namespace fieldpost::engine
