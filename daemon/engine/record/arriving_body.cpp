#include "daemon/engine/record/arriving_body.h"

#include "crypto/sealed_record.h"
#include "daemon/engine/record/terminal.h"
#include "proto/limits.h"

namespace fieldpost::engine {

Result<ArrivingBody> ArrivingBody::begin(const Ledger& ledger, const Arriving& record,
                                         OfficeId from, Now now) {
    if (ledger.partials().contains(record.id)) {
        return go_on(ledger, record.id, from);
    }
    ArrivingBody body;
    body.record_ = record;
    body.expires_ = TRY(expiry_of(ledger, record.header, now));
    body.from_ = from;
    return body;
}

Result<std::optional<ArrivingBody>> ArrivingBody::resume(const Ledger& ledger, const RecordId& id,
                                                         OfficeId from) {
    if (!ledger.partials().contains(id)) {
        return std::optional<ArrivingBody>{};
    }
    return std::optional(TRY(go_on(ledger, id, from)));
}

Result<ArrivingBody> ArrivingBody::go_on(const Ledger& ledger, const RecordId& id, OfficeId from) {
    auto stored = TRY(ledger.store().partial(id));
    if (!stored) {
        return fail(Errc::corrupt, "store: a body under way is not there");
    }
    ArrivingBody body;
    body.record_ = {TRY(decode_header(stored->header)), stored->signature, stored->body_hash, id};
    body.expires_ = stored->expires;
    body.from_ = from;
    body.blob_ = stored->blob;
    body.is_from_one_ = stored->is_from_one;
    body.was_kept_ = true;
    if (!stored->is_from_one || stored->prefix_from == from) {
        body.prefix_part_ = stored->prefix_part;
        body.prefix_ = std::move(stored->prefix);
        body.prefix_from_ = stored->prefix_from;
    }
    return body;
}

// True if the record's log has room here. It had room when the body was opened. Other logs of the
// author may have taken it since.
bool ArrivingBody::has_log(const Ledger& ledger) const {
    const auto& log = record_.header.log;
    return ledger.logs().contains(log) ||
           (ledger.keeps(log) && std::ranges::distance(ledger.logs_of(log.author)) <
                                     static_cast<std::ptrdiff_t>(limits::logs_per_office_max));
}

const UnderWay* ArrivingBody::kept(const Ledger& ledger) const {
    const auto found = ledger.partials().find(record_.id);
    return found == ledger.partials().end() ? nullptr : &found->second;
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
    const auto* known = kept(ledger);
    if (has_made_way(ledger)) {
        return Took::no_room;
    }
    const bool is_urgent = record_.header.log.record_class == RecordClass::urgent;
    if (known != nullptr && known->checked.contains(chunk.part)) {
        // An urgent body is taken from all sources, each from its beginning to its end.
        return is_urgent ? Took::more : Took::out_of_place;
    }
    const auto size = part_size(shape, chunk.part);
    const bool goes_on = chunk.part == prefix_part_ && chunk.offset != 0;
    if (chunk.offset != (goes_on ? prefix_.size() : 0) ||
        chunk.bytes.size() > size - chunk.offset) {
        return Took::out_of_place;
    }
    if (!goes_on) {
        forget_beginning();
        prefix_part_ = chunk.part;
        prefix_from_ = from_;
    } else if (prefix_from_ != from_) {
        prefix_from_ = no_office;
    }
    prefix_.insert(prefix_.end(), chunk.bytes.begin(), chunk.bytes.end());
    is_touched_ = true;
    return prefix_.size() < size ? Took::more : TRY(check_part(ledger, chunk.part));
}

Result<ArrivingBody::Took> ArrivingBody::check_part(Ledger& ledger, std::uint32_t part) {
    const BodyShape shape{record_.header.body_bytes};
    const auto* known = kept(ledger);
    auto checked = known == nullptr ? IntervalSet{} : known->checked;
    Bytes list;
    if (!shape.is_one_piece() && part > 1) {
        if (!checked.contains(1)) {
            return Took::impossible;
        }
        const auto stored = TRY(ledger.store().part(known->blob, 1));
        if (!stored) {
            return fail(Errc::corrupt, "store: a list of segments is not there");
        }
        list = *stored;
    }
    if (!is_right(ledger, part, prefix_, list)) {
        const bool is_mixed = prefix_from_ != from_;
        forget_beginning();
        if (is_mixed) {
            is_from_one_ = true;
            put_progress(ledger);
        }
        return is_mixed ? Took::mixed : Took::spoiled;
    }
    if (!has_log(ledger) ||
        !make_room_under_way(ledger, record_.id, record_.header.log, prefix_.size(), 0)) {
        return Took::no_room;
    }
    choose_blob(ledger);
    ledger.write(storage::PutPart{blob_, part, std::move(prefix_)});
    forget_beginning();
    checked.add(part);
    is_whole_ = checked.contains_all({1, part_count(shape)});
    write(ledger, std::move(checked));
    return Took::more;
}

// Another source may have begun this body since this one was opened. The parts of both lie under
// one blob.
void ArrivingBody::choose_blob(Ledger& ledger) {
    if (const auto* known = kept(ledger)) {
        blob_ = known->blob;
    } else if (blob_ == storage::Blob{}) {
        blob_ = ledger.next_blob();
    }
}

void ArrivingBody::forget_beginning() {
    prefix_.clear();
    prefix_part_ = 0;
    is_touched_ = true;
}

bool ArrivingBody::is_terminal(const Ledger& ledger) const {
    return ledger.log(record_.header.log).is_terminal(record_.header.run());
}

Result<void> ArrivingBody::end_if_owed_to_nobody(Ledger& ledger) {
    const auto& header = record_.header;
    const auto run = header.run();
    if (!ledger.logs().contains(header.log)) {
        return ok();  // it must not be made again
    }
    for (std::uint64_t n = run.first; n <= run.last; ++n) {
        if (!is_owed_to_nobody(ledger, header, static_cast<Number>(n))) {
            return ok();
        }
    }
    return make_terminal(ledger, header.log, {run});
}

bool ArrivingBody::is_held(const Ledger& ledger) const {
    return ledger.log(record_.header.log).held.contains_any(record_.header.run());
}

bool ArrivingBody::has_made_way(const Ledger& ledger) const {
    return was_kept_ && kept(ledger) == nullptr;
}

std::uint64_t ArrivingBody::bytes_here(const Ledger& ledger) const {
    const auto* known = kept(ledger);
    return (known == nullptr ? 0 : known->checked_bytes) + prefix_.size();
}

void ArrivingBody::write(Ledger& ledger, IntervalSet checked) {
    storage::Partial row;
    row.id = record_.id;
    row.blob = blob_;
    row.expires = expires_;
    row.signature = record_.signature;
    row.header = encode_header(record_.header);
    row.body_hash = record_.body_hash;
    row.checked = std::move(checked);
    row.prefix_part = prefix_part_;
    row.prefix_from = prefix_from_;
    row.is_from_one = is_from_one_;
    row.prefix = prefix_;
    // The log is created now. So it counts among the author's logs, whose number is bounded, before
    // any record of it is held.
    ledger.edit_log(record_.header.log);
    ledger.put_partial(row);
    was_kept_ = true;
    is_touched_ = false;
}

void ArrivingBody::put_progress(Ledger& ledger) {
    const auto* known = kept(ledger);
    // A body of which nothing is here takes no room. A body that made way for others takes none
    // either.
    if (!std::exchange(is_touched_, false) ||
        (known == nullptr && (was_kept_ || prefix_.empty())) || !has_log(ledger) ||
        !make_room_under_way(ledger, record_.id, record_.header.log, 0, prefix_.size())) {
        return;
    }
    choose_blob(ledger);
    known = kept(ledger);
    write(ledger, known == nullptr ? IntervalSet{} : known->checked);
}

Result<Verdict> ArrivingBody::settle(Ledger& ledger, Via from, Now now,
                                     std::vector<Notice>& notify) {
    // The record may have come by another path meanwhile, or there may be no room for it any more.
    const auto verdict = TRY(judge(ledger, record_, from, now, notify));
    if (verdict != Verdict::wanted) {
        drop(ledger);
        return verdict;
    }
    TRY(keep(ledger, record_, {{}, blob_}, from, now, notify));
    ledger.count_received(record_.header.run());
    ledger.end_partial(record_.id);
    return Verdict::wanted;
}

void ArrivingBody::drop(Ledger& ledger) const {
    ledger.drop_partial(record_.id);
}

}  // namespace fieldpost::engine
