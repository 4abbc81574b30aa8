#include "daemon/engine/record/record_frames.h"

#include "crypto/record_id.h"
#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/record/stored_body.h"

namespace fieldpost::engine {

namespace {

// The type and the size of each record in a frame.
constexpr std::size_t entry_head_bytes = 3;

Arriving with_id(const NetworkId& network, Header header, const Signature& signature,
                 const Hash& body_hash) {
    const auto id = crypto::record_id(network, header, body_hash);
    return {std::move(header), signature, body_hash, id};
}

}  // namespace

std::optional<Result<ReadRecord>> RecordReader::next() {
    if (at_ == news_.records.size()) {
        return std::nullopt;
    }
    auto one = read(news_.records[at_++]);
    if (one) {
        before_ = Neighbour{one->record.header, one->record.id};
    }
    return one;
}

Result<ReadRecord> RecordReader::read(BytesView entry) {
    ByteReader in(entry);
    auto header = TRY(restore_header(in, before_ ? &*before_ : nullptr));
    const auto signature = in.read_array<Signature>();
    const BodyShape shape{header.body_bytes};
    if (!signature || in.left() != header.body_bytes || header.body_bytes <= tag_bytes ||
        !shape.is_one_piece()) {
        return fail(Errc::malformed, "a record that is not as long as its header says");
    }
    const auto body = in.rest();
    return ReadRecord{
        with_id(network_, std::move(header), *signature, crypto::piece_hash(network_, shape, body)),
        body};
}

Result<Arriving> read_opened(const NetworkId& network, const StreamOpened& opened) {
    ByteReader in(opened.elided_header);
    auto header = TRY(restore_header(in, nullptr));
    TRY(in.expect_end("stream"));
    return with_id(network, std::move(header), opened.signature, opened.body_hash);
}

Result<bool> RecordPacker::add(const Ledger& ledger, const storage::StoredRecord& record,
                               const Header& header, std::size_t bytes_max) {
    ByteWriter entry;
    entry.raw(elide_header(header, before_ ? &*before_ : nullptr));
    entry.raw(record.signature.view());
    // A body in one piece may have come in chunks. Then it lies in a part.
    entry.raw(TRY(checked_piece_of(ledger, record, BodyShape{header.body_bytes})));
    if (!is_empty() && bytes_ + entry.size() > bytes_max) {
        return false;
    }
    bytes_ += entry.size() + entry_head_bytes;
    news_.records.push_back(entry.take());
    before_ = Neighbour{header, record.id};
    return true;
}

RecordNews RecordPacker::take() {
    bytes_ = 0;
    before_.reset();
    return std::exchange(news_, {});
}

Result<StreamOpened> opened_of(const Ledger& ledger, const storage::StoredRecord& record,
                               const Header& header, std::uint32_t stream) {
    const BodyShape shape{header.body_bytes};
    StreamOpened opened;
    opened.stream = stream;
    opened.elided_header = elide_header(header, nullptr);
    opened.signature = record.signature;
    if (shape.is_one_piece()) {
        const auto body = TRY(checked_piece_of(ledger, record, shape));
        opened.body_hash = crypto::piece_hash(ledger.network(), shape, body);
    } else {
        const auto list = TRY(checked_part_of(ledger, record, shape, 1));
        opened.body_hash = crypto::hash("segments", ledger.network(), {list});
    }
    return opened;
}

void RegisterPacker::add(const Register& entry) {
    bytes_ += encode_register(entry).size();
    news_.registers.push_back(entry);
}

RegisterNews RegisterPacker::take() {
    bytes_ = 0;
    return std::exchange(news_, {});
}

Custody signed_custody(Ledger& ledger, Custody custody, Now now) {
    custody.version = ledger.next_version();
    custody.at = ledger.wall(now);
    crypto::sign_custody(ledger.config().machine->identity, ledger.network(), custody);
    return custody;
}

}  // namespace fieldpost::engine
