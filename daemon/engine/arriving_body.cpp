#include "daemon/engine/arriving_body.h"

#include "crypto/sealed_record.h"

namespace fieldpost::engine {

ArrivingBody ArrivingBody::begin(Ledger& ledger, const Arriving& record, Now now) {
    ArrivingBody body;
    body.record_ = record;
    body.is_touched_ = true;
    if (const auto known = ledger.partials().find(record.id); known != ledger.partials().end()) {
        body.partial_ = known->second;
        return body;
    }
    // It counts as one of its author's logs, whose number is bounded, before any of it is held.
    ledger.edit_log(record.header.log);
    body.partial_.id = record.id;
    body.partial_.blob = ledger.next_blob();
    body.partial_.since = ledger.wall(now);
    body.partial_.signature = record.signature;
    body.partial_.header = encode_header(record.header);
    body.partial_.body_hash = record.body_hash;
    return body;
}

Result<std::optional<ArrivingBody>> ArrivingBody::resume(const Ledger& ledger, const RecordId& id) {
    const auto known = ledger.partials().find(id);
    if (known == ledger.partials().end()) {
        return std::optional<ArrivingBody>{};
    }
    ArrivingBody body;
    body.partial_ = known->second;
    body.record_ = {TRY(decode_header(body.partial_.header)), body.partial_.signature,
                    body.partial_.body_hash, id};
    return std::optional(std::move(body));
}

// The list is checked whole before any segment is kept, so a carrier can spoil one segment at most.
bool ArrivingBody::is_right(const Ledger& ledger, std::uint32_t part, BytesView bytes,
                            BytesView list) const {
    const BodyShape shape{record_.header.body_bytes};
    const auto& network = ledger.network();
    if (shape.is_one_piece()) {
        return crypto::piece_hash(network, shape, bytes) == record_.body_hash;
    }
    if (part == 1) {
        return crypto::hash("segments", network, {bytes}) == record_.body_hash;
    }
    return equal(crypto::piece_hash(network, shape, bytes).view(),
                 list.subspan((part - 2) * Hash::size, Hash::size));
}

Result<ArrivingBody::Took> ArrivingBody::take(Ledger& ledger, const Chunk& chunk) {
    const BodyShape shape{record_.header.body_bytes};
    if (chunk.part > part_count(shape)) {
        return Took::impossible;
    }
    const auto size = part_size(shape, chunk.part);
    const bool goes_on = chunk.part == partial_.prefix_part;
    if (partial_.checked.contains(chunk.part) ||
        chunk.offset != (goes_on ? partial_.prefix.size() : 0) ||
        chunk.bytes.size() > size - chunk.offset) {
        return Took::out_of_place;
    }
    if (!goes_on) {
        partial_.prefix_part = chunk.part;
        partial_.prefix.clear();
    }
    partial_.prefix.insert(partial_.prefix.end(), chunk.bytes.begin(), chunk.bytes.end());
    is_touched_ = true;
    if (partial_.prefix.size() < size) {
        return Took::more;
    }
    Bytes list;
    if (!shape.is_one_piece() && chunk.part > 1) {
        if (!partial_.checked.contains(1)) {
            return Took::impossible;
        }
        const auto stored = TRY(ledger.store().part(partial_.blob, 1));
        if (!stored) {
            return fail(Errc::corrupt, "store: a list of segments is not there");
        }
        list = *stored;
    }
    if (!is_right(ledger, chunk.part, partial_.prefix, list)) {
        forget_beginning();
        return Took::spoiled;
    }
    ledger.write(storage::PutPart{partial_.blob, chunk.part, std::move(partial_.prefix)});
    forget_beginning();
    partial_.checked.add(chunk.part);
    is_whole_ = partial_.checked.contains_all({1, part_count(shape)});
    return Took::more;
}

void ArrivingBody::forget_beginning() {
    partial_.prefix.clear();
    partial_.prefix_part = 0;
    is_touched_ = true;
}

bool ArrivingBody::is_terminal(const Ledger& ledger) const {
    return ledger.log(record_.header.log).is_terminal(record_.header.run());
}

void ArrivingBody::put_progress(Ledger& ledger) {
    if (std::exchange(is_touched_, false)) {
        ledger.put_partial(partial_);
    }
}

Result<bool> ArrivingBody::settle(Ledger& ledger, Via from, Now now, std::vector<Notice>& notify) {
    // It may have come by another path meanwhile.
    if (TRY(judge(ledger, record_, from, now, notify)) != Verdict::wanted) {
        drop(ledger);
        return false;
    }
    TRY(keep(ledger, record_, {{}, partial_.blob}, from, now, notify));
    ledger.count_received(record_.header.run());
    ledger.drop_partial(record_.id);
    return true;
}

void ArrivingBody::drop(Ledger& ledger) const {
    ledger.write(
        storage::DropParts{partial_.blob, part_count(BodyShape{record_.header.body_bytes})});
    ledger.drop_partial(record_.id);
}

}  // namespace fieldpost::engine
