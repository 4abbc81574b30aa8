#include "daemon/engine/delivery.h"

#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/progress.h"

namespace fieldpost::engine {

Result<Bytes> body_of(const storage::RecordStore& store, const storage::StoredRecord& record) {
    if (record.blob == storage::Blob{}) {
        return record.body;
    }
    const BodyShape shape{TRY(decode_header(record.header)).body_bytes};
    Bytes body;
    body.reserve(shape.body_bytes);
    const std::uint32_t first = shape.is_one_piece() ? 1 : 2;
    for (auto part = first; part <= part_count(shape); ++part) {
        const auto bytes = TRY(store.part(record.blob, part));
        if (!bytes) {
            return fail(Errc::corrupt, "store: a body lacks a part");
        }
        body.insert(body.end(), bytes->begin(), bytes->end());
    }
    return body;
}

void mark_receipted(Ledger& ledger, const Header& header, const RecordId& id) {
    ledger.edit_log(header.log).count_receipted(header.run(), short_hash(id));
}

namespace {

Origin origin_of(const Header& header, const ReportUnit& unit, std::size_t position) {
    return unit.origin.value_or(Origin{header.log.incarnation, header.log.record_class,
                                       static_cast<Number>(header.number + position)});
}

Result<crypto::FileKey> file_key_of(const Ledger& ledger, const Header& header) {
    const auto* author = ledger.roster().find(header.log.author);
    const auto* mail = ledger.config().mail;
    if (author == nullptr || mail == nullptr) {
        return fail(Errc::untrusted, "record: its author is unknown, or mail is locked");
    }
    for (const auto& stanza : header.stanzas) {
        const auto prekey = mail->prekeys.find(stanza.epoch);
        if (stanza.recipient == ledger.us() && prekey != mail->prekeys.end()) {
            return crypto::unwrap_file_key(ledger.network(), author->identity, header, ledger.us(),
                                           stanza.epoch, prekey->second);
        }
    }
    return fail(Errc::untrusted, "record: sealed under a prekey that is gone");
}

// The sealed piece of a stored body, from wherever it lies.
crypto::PieceSource pieces_of(const Ledger& ledger, storage::Blob blob, BytesView one_piece,
                              BodyShape shape) {
    return [&ledger, blob, one_piece, shape](std::uint32_t piece) -> Result<Bytes> {
        if (blob == storage::Blob{}) {
            return to_bytes(one_piece);
        }
        const auto part = shape.is_one_piece() ? 1 : piece + 2;
        auto bytes = TRY(ledger.store().part(blob, part));
        return bytes ? Result<Bytes>(std::move(*bytes))
                     : fail(Errc::corrupt, "store: a body lacks a part");
    };
}

struct Opened {
    crypto::FileKey key;
    crypto::CheckedBody body;
};

Result<Opened> open_for_us(const Ledger& ledger, const Header& header, const Body& sealed) {
    auto key = TRY(file_key_of(ledger, header));
    const auto* author = ledger.roster().find(header.log.author);
    auto body = TRY(crypto::check_body(
        ledger.network(), author->identity, header, key,
        pieces_of(ledger, sealed.blob, sealed.one_piece, BodyShape{header.body_bytes})));
    return Opened{std::move(key), std::move(body)};
}

// True unless the hash shows that the answer is to another text than the one under that name here.
// A report that cannot be read here any more cannot be compared.
Result<bool> may_answer(const Ledger& ledger, const ReportHashPrefix& hash,
                        storage::Arrival arrival) {
    const auto record = TRY(ledger.store().record_until(arrival, storage::WithBody::yes));
    const auto entry = record ? TRY(ledger.store().archive(record->arrival)) : std::nullopt;
    if (!entry) {
        return true;
    }
    const auto opened = open_archived(ledger, *record, *entry, Opening::reports);
    const auto position =
        static_cast<std::uint64_t>(arrival) - static_cast<std::uint64_t>(record->arrival);
    return !opened || position >= opened->hashes.size() ||
           equal(opened->hashes[position].first(ReportHashPrefix::size), hash.view());
}

// An acknowledgement of one of our reports is filed with it.
Result<void> file_answer(Ledger& ledger, const storage::ReportKey& key, storage::Arrival arrival,
                         const Report& answer, Via from, Now now, std::vector<Notice>& notify) {
    if (!answer.reply_to || answer.reply_to->author != ledger.us() ||
        answer.outcome == ReplyOutcome::none || key.origin.record_class != RecordClass::reply) {
        return ok();
    }
    const storage::ReportKey about{answer.reply_to->author, answer.reply_to->origin};
    const auto progress = TRY(ledger.store().report(about));
    // Only whom it was for can answer it: anybody may know its ID.
    if (!progress || std::ranges::find(progress->recipients, key.author,
                                       &storage::Recipient::office) == progress->recipients.end()) {
        return ok();
    }
    // An office whose store was put back may have used a number twice: then an answer to the one
    // text says nothing of the other.
    if (!TRY(may_answer(ledger, answer.reply_to->hash, progress->arrival))) {
        return ok();
    }
    ledger.write(storage::AddAnswer{about, arrival});
    if (TRY(prove(ledger, about,
                  {.of = Proof::Of::answered,
                   .recipient = key.author,
                   .answer = key.origin,
                   .outcome = answer.outcome},
                  now))) {
        // Its newest answer counts, and what an older one asked for is settled by it.
        ledger.settle(What::correct, key.author, about);
        ledger.settle(What::declined, key.author, about);
        if (answer.outcome == ReplyOutcome::correct && !progress->replaced_by) {
            ledger.note(What::correct, {.office = key.author, .report = about, .via = from}, now,
                        notify);
        }
        if (answer.outcome == ReplyOutcome::refused && !progress->replaced_by) {
            ledger.note(What::declined, {.office = key.author, .report = about, .via = from}, now,
                        notify);
        }
    }
    ledger.note(What::acknowledged, {.office = key.author, .report = about, .via = from}, now,
                notify);
    return ok();
}

// A correction is filed with what it corrects, which its author alone can do.
Result<void> file_replacement(Ledger& ledger, const storage::ReportKey& key,
                              storage::Arrival arrival, const Report& report) {
    if (!report.replaces || report.replaces->author != key.author) {
        return ok();
    }
    const storage::ReportKey original{report.replaces->author, report.replaces->origin};
    if (log_of(original) == log_of(key) && key.origin <= original.origin) {
        return ok();  // nobody corrects what comes later: two that did would hide each other
    }
    ledger.write(storage::AddAnswer{original, arrival});
    return replace(ledger, original, key);
}

// Corrections of a report that came before it.
Result<void> find_replacements(Ledger& ledger, const storage::ReportKey& original) {
    for (const auto arrival : TRY(ledger.store().answers(original))) {
        const auto record = TRY(ledger.store().record_until(arrival, storage::WithBody::no));
        if (record && record->log.author == original.author) {
            const auto position =
                static_cast<std::uint64_t>(arrival) - static_cast<std::uint64_t>(record->arrival);
            TRY(replace(ledger, original,
                        storage::report_in(record->log,
                                           static_cast<Number>(record->run.first + position))));
        }
    }
    return ok();
}

}  // namespace

namespace {

// True if people here can read the report. A report that did not open has a page too.
Result<bool> is_shown(const Ledger& ledger, const storage::ReportKey& report) {
    const auto page = TRY(ledger.store().report(report));
    return page && page->recipients.at(0).state != storage::State::failed;
}

}  // namespace

Result<void> deliver(Ledger& ledger, const storage::StoredRecord& record, const Header& header,
                     const Body& body, Via from, Now now, std::vector<Notice>& notify) {
    auto& state = ledger.edit_log(header.log);
    state.addresses_us = true;
    storage::ArchiveEntry entry;
    entry.box = storage::ArchiveEntry::Box::inbox;
    const auto opened = open_for_us(ledger, header, body);
    if (!opened && opened.error().code == Errc::corrupt) {
        return std::unexpected(opened.error());
    }
    if (!opened) {
        // Kept all the same: the author is told, and re-seals.
        entry.unreadable = true;
        state.count_unreadable(record.run);
        ledger.write(storage::PutArchive{record.arrival, entry});
        const auto report = storage::report_in(header.log, header.number);
        // One that was read here under this number is not hidden by one that cannot be.
        if (!TRY(ledger.store().report(report))) {
            storage::ReportProgress progress;
            progress.arrival = record.arrival;
            progress.recipients = {{.office = ledger.us(),
                                    .state = storage::State::failed,
                                    .reason = storage::FailReason::unreadable}};
            ledger.write(storage::PutReport{report, std::move(progress)});
        }
        ledger.note(What::failed,
                    {.office = header.log.author,
                     .report = storage::report_in(header.log, header.number),
                     .via = from},
                    now, notify);
        return ok();
    }
    mark_receipted(ledger, header, record.id);
    entry.sealed_file_key =
        seal_for_archive(ledger, opened->key, header, opened->body.units, opened->body.attachments);
    ledger.write(storage::PutArchive{record.arrival, entry});
    const auto* own = ledger.author_on(header.log);
    for (std::size_t i = 0; i < opened->body.units.size(); ++i) {
        const auto& unit = opened->body.units[i];
        // Withdrawn in time: receipted, and not shown.
        if (own != nullptr && own->withdrawn.contains(static_cast<Number>(header.number + i))) {
            continue;
        }
        const storage::ReportKey key{header.log.author, origin_of(header, unit, i)};
        // A reissue of what was shown before is receipted, and not shown again (P2).
        if (TRY(is_shown(ledger, key))) {
            continue;
        }
        const storage::Arrival arrival{static_cast<std::uint64_t>(record.arrival) + i};
        storage::ReportProgress progress;
        progress.arrival = arrival;
        progress.recipients = {{.office = ledger.us(),
                                .state = storage::State::delivered,
                                .delivered_at = ledger.wall(now)}};
        ledger.write(storage::PutReport{key, std::move(progress)});
        TRY(find_replacements(ledger, key));
        ledger.note(What::received, {.office = header.log.author, .report = key, .via = from}, now,
                    notify);
        if (header.kind == static_cast<std::uint8_t>(RecordKind::acknowledgement)) {
            TRY(file_answer(ledger, key, arrival, TRY(decode_report(unit.report)), from, now,
                            notify));
        } else {
            TRY(file_replacement(ledger, key, arrival, TRY(decode_report(unit.report))));
        }
    }
    return ok();
}

namespace {

// Of all reports of a record, in order.
Result<std::vector<Hash>> hashes_of(const Ledger& ledger, const Header& header,
                                    const std::vector<ReportUnit>& units,
                                    std::span<const Hash> attachments) {
    std::vector<Hash> hashes;
    for (std::size_t i = 0; i < units.size(); ++i) {
        const auto files = TRY(decode_report(units[i].report)).attachments.size();
        if (files > attachments.size()) {
            return fail(Errc::corrupt, "record: fewer attachments than its reports have");
        }
        hashes.push_back(crypto::report_hash(ledger.network(), header.log.author,
                                             origin_of(header, units[i], i), units[i].report,
                                             attachments.first(files)));
        attachments = attachments.subspan(files);
    }
    return hashes;
}

crypto::SealKey archive_key(const Ledger& ledger) {
    return crypto::own_key_of(ledger.config().mail->archive, ledger.network());
}

// An entry opens only beside the record that it was made for.
Bytes archive_context(const Header& header) {
    ByteWriter context;
    write(context, key_part_of(header));
    return context.take();
}

}  // namespace

Result<std::vector<Hash>> attachment_hashes(const NetworkId& network,
                                            const std::vector<ReportUnit>& units, BytesView bytes) {
    std::vector<Hash> hashes;
    for (const auto& unit : units) {
        for (const auto& file : TRY(decode_report(unit.report)).attachments) {
            if (file.size > bytes.size()) {
                return fail(Errc::corrupt, "record: shorter than its attachments");
            }
            hashes.push_back(crypto::attachment_hash(network, bytes.first(file.size)));
            bytes = bytes.subspan(file.size);
        }
    }
    return hashes;
}

Bytes seal_for_archive(const Ledger& ledger, const crypto::FileKey& key, const Header& header,
                       const std::vector<ReportUnit>& units, std::span<const Hash> attachments) {
    ByteWriter content;
    content.raw(key.view());
    if (!attachments.empty()) {
        const auto hashes = hashes_of(ledger, header, units, attachments);
        ensure(hashes.has_value(), "what was opened or sealed has all its attachments");
        for (const auto& hash : *hashes) {
            content.raw(hash.view());
        }
    }
    return crypto::seal_value(archive_key(ledger), archive_context(header), content.bytes());
}

Result<OpenedRecord> open_archived(const Ledger& ledger, const storage::StoredRecord& record,
                                   const storage::ArchiveEntry& entry, Opening opening) {
    const auto* mail = ledger.config().mail;
    const auto* author = ledger.identity_of(record.log.author);
    if (mail == nullptr || author == nullptr || entry.sealed_file_key.empty()) {
        return fail(Errc::untrusted, "record: locked, forgotten or unreadable");
    }
    OpenedRecord opened;
    opened.header = TRY(decode_header(record.header));
    const auto content = TRY(crypto::open_value(archive_key(ledger), archive_context(opened.header),
                                                entry.sealed_file_key));
    if (content.size() < crypto::FileKey::size) {
        return fail(Errc::corrupt, "archive: a file key of another size");
    }
    const auto key = crypto::FileKey::from(BytesView(content).first(crypto::FileKey::size));
    if (opening == Opening::attachments) {
        auto body = TRY(crypto::open_body(ledger.network(), *author, opened.header, key,
                                          TRY(body_of(ledger.store(), record))));
        opened.units = std::move(body.units);
        opened.attachments = std::move(body.attachments);
    } else {
        opened.units = TRY(crypto::open_reports(
            ledger.network(), *author, opened.header, key,
            pieces_of(ledger, record.blob, record.body, BodyShape{opened.header.body_bytes})));
    }
    for (const auto& unit : opened.units) {
        opened.reports.push_back(TRY(decode_report(unit.report)));
    }
    ByteReader hashes(BytesView(content).subspan(crypto::FileKey::size));
    while (!hashes.at_end()) {
        opened.hashes.push_back(TRY(hashes.read_array<Hash>()));
    }
    if (opened.hashes.empty()) {
        const auto attachments =
            TRY(attachment_hashes(ledger.network(), opened.units, opened.attachments));
        opened.hashes = TRY(hashes_of(ledger, opened.header, opened.units, attachments));
    }
    if (opened.hashes.size() != opened.units.size()) {
        return fail(Errc::corrupt, "archive: not as many hashes as reports");
    }
    return opened;
}

}  // namespace fieldpost::engine
