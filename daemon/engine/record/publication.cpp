#include "daemon/engine/record/publication.h"

#include "crypto/sealed_record.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/engine/record/delivery.h"
#include "daemon/engine/record/stored_body.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

using storage::StoredRecord;

// A report that takes half of a pack alone gains nothing in a pack.
constexpr std::size_t unit_body_bytes_max = limits::pack_body_bytes_max / 2;
// All reports of a pack live as long as its newest, so their times must not be far apart.
constexpr std::int64_t apart_seconds_max = 86400;
constexpr std::uint32_t apart_of_lifetime = 16;

// An estimate of the bytes that bodies of `alone_bytes` take in one record. Measured on natural
// text in four languages: 0.54 of the text for a report alone, 0.38 for twenty-four together. An
// estimate too low costs a second sealing, one too high a few bytes.
constexpr std::size_t together(std::size_t alone_bytes) {
    return alone_bytes * 3 / 4;
}

struct Unpublished {
    StoredRecord record;
    Header header;
};

Result<std::optional<Unpublished>> waiting(const Ledger& ledger, const LogKey& log, Number number) {
    auto record = TRY(ledger.store().record(log, number, storage::WithBody::yes));
    if (!record) {
        return std::optional<Unpublished>{};
    }
    auto header = TRY(decode_header(record->header));
    return Unpublished{std::move(*record), std::move(header)};
}

bool can_be_packed(const Ledger& ledger, const Unpublished& one) {
    return ledger.config().mail != nullptr && one.header.count == 1 &&
           one.header.body_bytes <= unit_body_bytes_max && one.record.blob == storage::Blob{} &&
           !one.record.expires.is_over_at(ledger.aged()) &&
           std::ranges::none_of(one.header.stanzas,
                                [](const Stanza& stanza) { return is_group(stanza.recipient); });
}

bool may_follow(const Unpublished& first, const Unpublished& last, const Unpublished& next) {
    const auto& a = first.header;
    const auto& b = next.header;
    const auto apart = b.created.unix_seconds() - a.created.unix_seconds();
    const auto arrival = static_cast<std::uint64_t>(last.record.arrival) + 1;
    // Lists and cursors go by arrival, so each report must keep its arrival.
    return next.record.arrival == storage::Arrival{arrival} && b.number == last.header.number + 1 &&
           apart >= 0 && apart <= apart_seconds_max &&
           apart <= a.lifetime_seconds / apart_of_lifetime && b.kind == a.kind &&
           b.flags == a.flags && b.lifetime_seconds == a.lifetime_seconds &&
           b.extension == a.extension &&
           std::ranges::equal(a.stanzas, b.stanzas, {}, &Stanza::recipient, &Stanza::recipient);
}

// The records from `first` on that one record may replace, as many as will fit.
Result<std::vector<Unpublished>> neighbours(const Ledger& ledger, Unpublished first, Number last) {
    std::vector<Unpublished> all;
    std::size_t alone = first.header.body_bytes;
    all.push_back(std::move(first));
    while (can_be_packed(ledger, all.back()) && all.back().header.number < last &&
           all.size() < limits::run_count_max) {
        const auto& end = all.back().header;
        if (!ledger.log(end.log).held.contains(end.number + 1)) {
            break;
        }
        auto next = TRY(waiting(ledger, end.log, end.number + 1));
        // The record of a reissue goes when it has ended, so it holds nothing else.
        const bool is_alike =
            TRY(ledger.store().reissued(storage::report_in(end.log, end.number))).has_value() ==
            TRY(ledger.store().reissued(storage::report_in(end.log, end.number + 1))).has_value();
        if (!next || !is_alike || !can_be_packed(ledger, *next) ||
            !may_follow(all.front(), all.back(), *next) ||
            together(alone + next->header.body_bytes) > limits::pack_body_bytes_max) {
            break;
        }
        alone += next->header.body_bytes;
        all.push_back(std::move(*next));
    }
    return all;
}

struct Contents {
    std::vector<ReportUnit> units;
    std::vector<std::size_t> attachment_ends;  // for each unit
    Bytes attachments;
};

// The contents of the records, up to the first that cannot be opened.
Result<Contents> contents_of(const Ledger& ledger, const std::vector<Unpublished>& all) {
    Contents contents;
    for (const auto& one : all) {
        const auto entry = TRY(ledger.store().archive(one.record.arrival));
        auto opened = entry ? open_archived(ledger, one.record, *entry, Opening::attachments)
                            : fail(Errc::untrusted, "record: not in the outbox");
        if (!opened || opened->units.front().report.empty()) {
            break;
        }
        contents.units.push_back(std::move(opened->units.front()));
        contents.attachments.insert(contents.attachments.end(), opened->attachments.begin(),
                                    opened->attachments.end());
        contents.attachment_ends.push_back(contents.attachments.size());
    }
    return contents;
}

Result<crypto::SealedRecord> seal_together(const Ledger& ledger,
                                           const std::vector<Unpublished>& all,
                                           const std::vector<crypto::Recipient>& recipients,
                                           Contents& contents) {
    while (true) {
        const auto count = contents.units.size();
        Header header = all.front().header;
        header.count = static_cast<std::uint8_t>(count);
        header.created = all[count - 1].header.created;
        auto sealed =
            crypto::seal_record(ledger.network(), ledger.config().machine->identity.public_key(),
                                header, recipients, contents.units, contents.attachments);
        if (sealed || sealed.error().code != Errc::limit_exceeded || count <= 2) {
            return sealed;
        }
        const auto fewer = std::max<std::size_t>(2, count * 3 / 4);
        contents.units.resize(fewer);
        contents.attachments.resize(contents.attachment_ends[fewer - 1]);
    }
}

// Makes one record in the place of `all`, or of as many of them as fit, without id and signature.
// Its archive entry is written and the replaced records are dropped. Nothing if no two of them can
// become one.
Result<std::optional<StoredRecord>> pack(Ledger& ledger, const std::vector<Unpublished>& all) {
    std::optional<StoredRecord> nothing;
    if (all.size() < 2) {
        return nothing;
    }
    auto contents = TRY(contents_of(ledger, all));
    if (contents.units.size() < 2) {
        return nothing;
    }
    std::set<OfficeId> to;
    for (const auto& stanza : all.front().header.stanzas) {
        to.insert(stanza.recipient);
    }
    const auto recipients = recipients_of(ledger, to);
    if (!recipients) {
        return nothing;  // for example, a recipient is no member any more
    }
    const auto sealed = seal_together(ledger, all, *recipients, contents);
    if (!sealed) {
        return nothing;
    }
    const auto& header = sealed->header;
    for (std::size_t i = 0; i < header.count; ++i) {
        const auto& old = all[i].record;
        ledger.write(storage::DropExpiry{old.expires, old.arrival});
        if (i > 0) {
            ledger.write(storage::DropRecord{old.arrival, old.log, old.run.first});
            ledger.write(storage::DropArchive{old.arrival});
        }
    }
    auto record = all.front().record;
    record.run = header.run();
    record.expires = header.created.plus(header.lifetime_seconds);
    record.header = encode_header(header);
    record.body = sealed->body;
    ledger.write(storage::PutExpiry{record.expires, record.arrival});
    storage::ArchiveEntry entry;
    entry.box = Box::outbox;
    seal_for_archive(ledger, sealed->file_key, header, contents.units,
                     TRY(attachment_hashes(ledger.network(), contents.units, contents.attachments)),
                     entry);
    ledger.write(storage::PutArchive{record.arrival, entry});
    return record;
}

}  // namespace

Result<void> publish(Ledger& ledger, const LogKey& log, Number number, std::size_t bytes) {
    std::size_t published = 0;
    while (ledger.log(log).published < number && published < bytes) {
        const auto& state = ledger.log(log);
        const auto next = state.held.after(state.published);
        if (!next || *next > number) {
            return ok();
        }
        auto first = TRY(waiting(ledger, log, *next));
        if (!first) {
            return fail(Errc::corrupt, "store: an own record is not there");
        }
        const auto together = TRY(neighbours(ledger, std::move(*first), number));
        const auto packed = TRY(pack(ledger, together));
        auto record = packed.value_or(together.front().record);
        auto header = TRY(decode_header(record.header));
        header.prev = prev_of(state.published_id);
        record.id =
            crypto::record_id(ledger.network(), header,
                              TRY(body_hash_of(ledger, record, BodyShape{header.body_bytes})));
        record.signature =
            crypto::sign_record(ledger.config().machine->identity, ledger.network(), record.id);
        record.header = encode_header(header);
        ledger.write(storage::PutRecord{record});
        auto& edited = ledger.edit_log(log);
        edited.published = record.run.last;
        edited.published_id = record.id;
        published += header.body_bytes;
    }
    return ok();
}

}  // namespace fieldpost::engine
