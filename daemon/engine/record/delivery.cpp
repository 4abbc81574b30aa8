#include "daemon/engine/record/delivery.h"

#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/membership/cut_offs.h"
#include "daemon/engine/membership/groups.h"
#include "daemon/engine/membership/replacements.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/carry_share.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/record/terminal.h"
#include "daemon/engine/record/versions.h"
#include "daemon/engine/record/withdrawal.h"

namespace fieldpost::engine {

namespace {

// The work is cut into slices, so that links are served between two of them. An entry costs a few
// reads besides its body.
constexpr std::size_t waiting_bytes_a_batch = std::size_t{4} << 20;
constexpr std::size_t waiting_entry_bytes = 16384;

}  // namespace

void mark_receipted(Ledger& ledger, const Header& header, const RecordId& id) {
    auto& state = ledger.edit_log(header.log);
    const auto numbers = without(IntervalSet{header.run()}, state.withdrawn);
    for (const auto run : numbers.intervals()) {
        // The bottom of a later part lies within the record.
        state.count_receipted(run, short_hash(id),
                              run.first == header.number ? short_hash(header.prev) : ShortHash{});
    }
}

namespace {

Result<crypto::FileKey> file_key_of(const Ledger& ledger, const Header& header) {
    const auto* author = ledger.roster().find(header.log.author);
    const auto* mail = ledger.config().mail;
    if (author == nullptr || mail == nullptr) {
        return fail(Errc::untrusted, "record: its author is unknown, or mail is locked");
    }
    const auto unwrap = [&](const Stanza& stanza, const crypto::BoxKeyPair& key) {
        return crypto::unwrap_file_key(ledger.network(), author->identity, header, stanza.recipient,
                                       stanza.epoch, key);
    };
    const auto* us = ledger.roster().find(ledger.us());
    bool may_open_later = false;
    // Offices stand before groups, so this office's own stanza is tried first.
    for (const auto& stanza : header.stanzas) {
        const auto prekey = mail->prekeys.find(stanza.epoch);
        if (stanza.recipient == ledger.us() && prekey != mail->prekeys.end()) {
            return unwrap(stanza, prekey->second);
        }
        if (us == nullptr || !is_group(stanza.recipient) || !is_in_group(*us, stanza.recipient)) {
            continue;
        }
        const auto key = group_key_of(ledger, stanza.recipient, stanza.epoch);
        if (key) {
            return unwrap(stanza, *key);
        }
        may_open_later = may_open_later || key.error().code == Errc::unavailable;
    }
    return may_open_later ? fail(Errc::unavailable, "record: the group's key has not come yet")
                          : fail(Errc::untrusted, "record: sealed under a prekey that is gone");
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
    for (const auto& unit : body.units) {
        TRY(check_kind(header.log.record_class, header.kind, unit));
    }
    return Opened{std::move(key), std::move(body)};
}

// An acknowledgement of one of our reports is filed with it.
Result<void> file_answer(Ledger& ledger, const storage::ReportKey& key, storage::Arrival arrival,
                         const Report& answer, Via from, Now now, std::vector<Notice>& notify) {
    if (!answer.reply_to || answer.reply_to->author != ledger.us() ||
        answer.outcome == ReplyOutcome::none || key.origin.record_class != RecordClass::reply) {
        return ok();
    }
    // Its recipient may know a reissue by the number of that record.
    const auto& named = answer.reply_to->origin;
    const auto about = TRY(
        report_under(ledger, {ledger.us(), named.incarnation, named.record_class}, named.number));
    const auto progress = TRY(ledger.store().report(about));
    if (!progress) {
        return ok();
    }
    // Only a recipient can answer a report. Others may know its ID too. An answer of a machine that
    // was replaced meanwhile is the answer of its office.
    const auto recipient = std::ranges::find_if(progress->recipients, [&](const auto& one) {
        return one.office == key.author || has_replaced(ledger, one.office, key.author);
    });
    if (recipient == progress->recipients.end()) {
        return ok();
    }
    // An office whose store was put back may have used a number twice. An answer to one of these
    // texts says nothing about the other.
    if (!TRY(may_have_hash(ledger, progress->arrival, answer.reply_to->hash))) {
        return ok();
    }
    ledger.write(storage::FileWith{about, storage::Filed::answer, arrival});
    if (TRY(prove(ledger, about,
                  {.of = Proof::Of::answered,
                   .recipient = recipient->office,
                   .answer = key.origin,
                   .outcome = answer.outcome},
                  now))) {
        // The recipient's newest answer counts. It settles what an older answer asked for.
        ledger.settle(What::correct, key.author, about);
        ledger.settle(What::declined, key.author, about);
        if (answer.outcome == ReplyOutcome::correct && progress->is_current()) {
            ledger.note(What::correct, {.office = key.author, .report = about, .via = from}, now,
                        notify);
        }
        if (answer.outcome == ReplyOutcome::refused && progress->is_current()) {
            ledger.note(What::declined, {.office = key.author, .report = about, .via = from}, now,
                        notify);
        }
    }
    ledger.note(What::acknowledged, {.office = key.author, .report = about, .via = from}, now,
                notify);
    return ok();
}

// True if people here can read the report. A report that did not open has a page too.
Result<bool> is_shown(const Ledger& ledger, const storage::ReportKey& report) {
    const auto page = TRY(ledger.store().report(report));
    return page && page->recipients.at(0).state != storage::State::failed;
}

// True if people here can read a report of this key, and it is not the one with this hash.
Result<bool> is_another_shown(const Ledger& ledger, const storage::ReportKey& report,
                              const std::function<Result<Hash>()>& hash) {
    if (!TRY(is_shown(ledger, report))) {
        return false;
    }
    const auto page = TRY(ledger.store().report(report));
    ReportHashPrefix start;
    std::ranges::copy(TRY(hash()).first(ReportHashPrefix::size), start.bytes.begin());
    return !TRY(may_have_hash(ledger, page->arrival, start));
}

// An author with more reports under one number hides only its own.
constexpr std::size_t twins_looked_at_max = 16;

// True if the report with this hash was shown before, beside the one of this key.
Result<bool> was_shown_as_twin(const Ledger& ledger, const storage::ReportKey& report,
                               const ReportHashPrefix& hash) {
    const auto twins =
        TRY(ledger.store().newest_filed(report, storage::Filed::twin, twins_looked_at_max));
    return std::ranges::any_of(twins, [&](const auto& one) { return one.hash == hash; });
}

}  // namespace

namespace {

// The record is kept: its author is told, and seals it again.
Result<void> file_unreadable(Ledger& ledger, const storage::StoredRecord& record, Via from, Now now,
                             std::vector<Notice>& notify) {
    storage::ArchiveEntry entry;
    entry.form = storage::ArchiveEntry::Form::unreadable;
    // The log may have been dropped since the record came. Then no receipt tells of it, and this
    // must not create it again.
    if (ledger.logs().contains(record.log)) {
        ledger.edit_log(record.log).count_unreadable(record.run);
    }
    ledger.write(storage::PutArchive{record.arrival, entry});
    const auto report = storage::report_in(record.log, record.run.first);
    // A report that was read here under this number is not hidden by a record that cannot be read.
    if (!TRY(ledger.store().report(report))) {
        storage::ReportProgress progress;
        progress.arrival = record.arrival;
        progress.recipients = {{.office = ledger.us(),
                                .state = storage::State::failed,
                                .reason = storage::FailReason::unreadable}};
        ledger.write(storage::PutReport{report, std::move(progress)});
    }
    ledger.note(What::failed, {.office = record.log.author, .report = report, .via = from}, now,
                notify);
    return ok();
}

struct Unit {
    storage::ReportKey key;
    storage::Arrival arrival{};
    const ReportUnit* unit = nullptr;
    // Its author signed another report under the same number, which was shown: that one, and the
    // hash of this one.
    std::optional<storage::ReportKey> twin{};
    ReportHashPrefix hash{};
};

// The reports of a record that are to be shown here.
struct ToShow {
    std::vector<Unit> units;
    bool is_filed_here = false;  // some were shown before, from this very record
    // Another report that its author signed under this number is shown here, and this one is not. A
    // receipt would say that it is.
    IntervalSet hidden;
};

// Reports that their author took back before they were opened are neither shown nor receipted. A
// reissue is withdrawn with the report that it repeats. A reissue of a report that was shown before
// is receipted and not shown again (P2). If its author signed two reports under that first number,
// and the other one was shown, the reissue is shown under the number of its own record.
Result<ToShow> to_show(Ledger& ledger, const storage::StoredRecord& record, const Header& header,
                       const Opened& opened) {
    ToShow result;
    std::set<storage::ReportKey> seen;
    std::optional<std::vector<Hash>> hashes;
    for (std::size_t i = 0; i < opened.body.units.size(); ++i) {
        const auto& unit = opened.body.units[i];
        const auto number = static_cast<Number>(header.number + i);
        storage::ReportKey key{header.log.author, origin_of(header, unit, i)};
        const storage::Arrival arrival{static_cast<std::uint64_t>(record.arrival) + i};
        const auto hash = [&]() -> Result<Hash> {
            if (!hashes) {
                hashes =
                    TRY(report_hashes(ledger, header, opened.body.units, opened.body.attachments));
            }
            return hashes->at(i);
        };
        std::optional<storage::ReportKey> twin;
        ReportHashPrefix start;
        if (unit.origin && TRY(is_another_shown(ledger, key, hash))) {
            std::ranges::copy(TRY(hash()).first(ReportHashPrefix::size), start.bytes.begin());
            if (TRY(was_shown_as_twin(ledger, key, start))) {
                continue;
            }
            twin = std::exchange(key, storage::report_in(header.log, number));
        }
        if (!seen.insert(key).second || is_beyond_cut_off(ledger, header.log, number)) {
            continue;
        }
        if (!unit.origin && TRY(is_another_shown(ledger, key, hash))) {
            result.hidden.add({number, number});
            continue;
        }
        if (TRY(is_shown(ledger, key))) {
            const auto page = TRY(ledger.store().report(key));
            result.is_filed_here = result.is_filed_here || (page && page->arrival == arrival &&
                                                            page->forgotten_at == WallTime{});
            continue;
        }
        if (TRY(is_withdrawn(ledger, key, header.log, number, hash))) {
            ledger.edit_log(header.log).withdraw(number);
            continue;
        }
        result.units.push_back({key, arrival, &unit, twin, start});
    }
    return result;
}

// Nobody here will read it. From here on it is carried for its other recipients, if it has any.
Result<void> only_carry(Ledger& ledger, const storage::StoredRecord& record, const Header& header) {
    ledger.write(storage::DropArchive{record.arrival});
    ledger.write(storage::PutExpiry{record.expires, record.arrival});
    ledger.count_carried(header.log, header.run(),
                         bytes_on_disk(header, record.blob != storage::Blob{}));
    return drop_if_ended(ledger, record, header);
}

void take_back_receipts(Ledger& ledger, const LogKey& log, const IntervalSet& numbers) {
    for (const auto run : numbers.intervals()) {
        ledger.edit_log(log).take_back_receipt(run);
    }
}

// Returns the numbers that must not be receipted.
Result<IntervalSet> file_opened(Ledger& ledger, const storage::StoredRecord& record,
                                const Header& header, const Opened& opened, Via from, Now now,
                                std::vector<Notice>& notify) {
    const auto shown = TRY(to_show(ledger, record, header, opened));
    if (shown.units.empty() && !shown.is_filed_here) {
        TRY(only_carry(ledger, record, header));
        return shown.hidden;
    }
    storage::ArchiveEntry entry;
    seal_for_archive(ledger, opened.key, header, opened.body.units, opened.body.attachments, entry);
    ledger.write(storage::PutArchive{record.arrival, entry});
    for (const auto& [key, arrival, unit, twin, hash] : shown.units) {
        storage::ReportProgress progress;
        progress.arrival = arrival;
        progress.recipients = {{.office = ledger.us(),
                                .state = storage::State::delivered,
                                .delivered_at = record.received}};
        const auto report = TRY(decode_report(unit->report));
        describe(ledger, header, key, report, progress);
        if (const auto as = storage::report_in(
                header.log,
                static_cast<Number>(header.number + static_cast<std::uint64_t>(arrival) -
                                    static_cast<std::uint64_t>(record.arrival)));
            as != key) {
            ledger.write(storage::PutReissue{as, {key.origin}});
        }
        if (twin) {
            ledger.write(storage::FileWith{*twin, storage::Filed::twin, arrival, hash});
        }
        ledger.write(storage::PutReport{key, std::move(progress)});
        TRY(find_corrections(ledger, key));
        ledger.note(What::received, {.office = header.log.author, .report = key, .via = from}, now,
                    notify);
        if (header.kind == static_cast<std::uint8_t>(RecordKind::acknowledgement)) {
            TRY(file_answer(ledger, key, arrival, report, from, now, notify));
        } else if (header.kind == static_cast<std::uint8_t>(RecordKind::withdrawal)) {
            TRY(take_withdrawal(ledger, key, arrival, report, from, now, notify));
        } else {
            TRY(file_correction(ledger, key, report));
        }
    }
    return shown.hidden;
}

// Files one entry that was made while mail was locked, or by schema 1.
Result<void> file_waiting(Ledger& ledger, const storage::StoredRecord& record,
                          const storage::ArchiveEntry& entry, Now now,
                          std::vector<Notice>& notify) {
    const auto header = TRY(decode_header(record.header));
    const Via from{record.log.author, How::local};
    if (is_beyond_cut_off(ledger, record.log, record.run.first) &&
        entry.form == storage::ArchiveEntry::Form::unopened) {
        if (ledger.logs().contains(record.log)) {
            // A later cut-off may keep it. Then it is to come again.
            ledger.edit_log(record.log).take_back_receipt(record.run);
        }
        return only_carry(ledger, record, header);  // and nobody carries it
    }
    if (ledger.peer(record.log.author).blocked) {
        return ok();
    }
    if (entry.form == storage::ArchiveEntry::Form::unopened) {
        const auto opened = open_for_us(ledger, header, Body{record.body, record.blob});
        if (!opened && opened.error().code == Errc::unavailable &&
            !record.expires.is_over_at(ledger.aged())) {
            return ok();  // it goes on waiting for the group's key
        }
        if (!opened) {
            return file_unreadable(ledger, record, from, now, notify);
        }
        const auto hidden = TRY(file_opened(ledger, record, header, *opened, from, now, notify));
        if (ledger.logs().contains(record.log)) {
            take_back_receipts(ledger, record.log, hidden);
        }
        return ok();
    }
    if (!file_again(ledger, record, header, entry)) {
        // No key opens this entry any more, so it does not wait for keys.
        auto lost = entry;
        lost.form = storage::ArchiveEntry::Form::unreadable;
        ledger.write(storage::PutArchive{record.arrival, lost});
        ledger.note(What::damaged, {.office = record.log.author, .detail = "an archive entry"}, now,
                    notify);
        return ok();
    }
    return describe_all(ledger, record);
}

}  // namespace

namespace {

// While mail is locked, only the author's statement can tell what it took back.
void note_told_withdrawn(Ledger& ledger, const Header& header) {
    const auto told = told_withdrawn(ledger, header.log, header.run());
    for (auto number = told.next(1); number; number = told.after(*number)) {
        ledger.edit_log(header.log).withdraw(*number);
    }
}

}  // namespace

Result<void> deliver(Ledger& ledger, const storage::StoredRecord& record, const Header& header,
                     const Body& body, Via from, Now now, std::vector<Notice>& notify) {
    ledger.edit_log(header.log).addresses_us = true;
    const bool may_open =
        ledger.config().mail != nullptr && !ledger.peer(header.log.author).blocked;
    const auto opened =
        may_open ? open_for_us(ledger, header, body)
                 : fail(Errc::unavailable, "record: mail is locked, or its author is blocked");
    if (!opened && opened.error().code == Errc::unavailable) {
        note_told_withdrawn(ledger, header);
        mark_receipted(ledger, header, record.id);
        storage::ArchiveEntry entry;
        entry.form = storage::ArchiveEntry::Form::unopened;
        ledger.write(storage::PutArchive{record.arrival, entry});
        return ok();
    }
    if (!opened && opened.error().code == Errc::corrupt) {
        return std::unexpected(opened.error());
    }
    if (!opened) {
        return file_unreadable(ledger, record, from, now, notify);
    }
    const auto hidden = TRY(file_opened(ledger, record, header, *opened, from, now, notify));
    mark_receipted(ledger, header, record.id);
    take_back_receipts(ledger, header.log, hidden);
    return ok();
}

Result<std::optional<storage::Arrival>> deliver_waiting(Ledger& ledger, storage::Arrival from,
                                                        std::set<OfficeId>& authors, Now now,
                                                        std::vector<Notice>& notify) {
    std::size_t done = 0;
    while (const auto arrival = TRY(ledger.store().waiting_for_keys(from))) {
        if (done >= waiting_bytes_a_batch) {
            return arrival;
        }
        from = storage::Arrival{static_cast<std::uint64_t>(*arrival) + 1};
        const auto record = TRY(ledger.store().record_until(*arrival, storage::WithBody::yes));
        const auto entry = TRY(ledger.store().archive(*arrival));
        if (!record || record->arrival != *arrival || !entry) {
            ledger.write(storage::DropArchive{*arrival});
            continue;
        }
        done += waiting_entry_bytes + TRY(decode_header(record->header)).body_bytes;
        authors.insert(record->log.author);
        TRY(file_waiting(ledger, *record, *entry, now, notify));
        if (ledger.write_failure()) {
            return std::unexpected(*ledger.write_failure());
        }
    }
    return std::optional<storage::Arrival>{};
}

}  // namespace fieldpost::engine
