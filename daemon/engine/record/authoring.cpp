#include "daemon/engine/record/authoring.h"

#include <fmt/format.h>

#include "crypto/sealed_record.h"
#include "daemon/engine/membership/cut_offs.h"
#include "daemon/engine/membership/groups.h"
#include "daemon/engine/queries.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/delivery.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/record/queue_key.h"
#include "daemon/engine/record/versions.h"
#include "daemon/engine/self_check.h"
#include "proto/limits.h"
#include "proto/size_text.h"

namespace fieldpost::engine {

using storage::FailReason;

namespace {

// Numbers that a crash may leave unused.
constexpr Number number_block = 16;

LogKey own_log(const Ledger& ledger, RecordClass record_class) {
    return {ledger.us(), ledger.meta().incarnation, record_class};
}

// The recipient's own key, or the reason why it has none here.
std::expected<crypto::Recipient, FailReason> recipient_for(const Ledger& ledger, OfficeId index) {
    if (ledger.is_closed(index)) {
        return std::unexpected(FailReason::closed);
    }
    if (ledger.peer(index).blocked) {
        return std::unexpected(FailReason::blocked);
    }
    const auto* statement = ledger.statement(index);
    if (statement == nullptr || statement->prekeys.empty() ||
        !crypto::is_key(statement->prekeys.back().key) ||
        !ledger.is_own_prekey(index, statement->prekeys.back())) {
        return std::unexpected(FailReason::no_key);
    }
    const auto& prekey = statement->prekeys.back();
    return crypto::Recipient{index, prekey.epoch, prekey.key};
}

}  // namespace

std::uint32_t usual_lifetime_seconds() {
    return limits::lifetime_seconds_default;
}

std::string why_not(const Ledger& ledger, const LeftOut& one) {
    const auto why = one.reason == FailReason::closed
                         ? " is closed: it has signed different records under the same numbers, "
                           "until headquarters replaces it"
                     : one.reason == FailReason::blocked
                         ? " is blocked on this machine"
                         : " has not published a key of its own to seal to yet";
    return printed_name(ledger, one.office) + why;
}

namespace {

bool is_member(const Ledger& ledger, OfficeId index) {
    const auto* office = ledger.roster().find(index);
    return office != nullptr && office->is_member() && index != ledger.us();
}

// The recipients that a draft is sealed to, and the members of its groups that get nothing.
struct Addressed {
    std::vector<crypto::Recipient> recipients;
    std::vector<LeftOut> left_out;
};

Result<Addressed> name_each(const Ledger& ledger, const std::set<OfficeId>& to,
                            const Draft& draft) {
    Addressed addressed;
    for (const auto index : to) {
        if (!is_member(ledger, index)) {
            return fail(Errc::refused, "a recipient is no member of the network");
        }
        const auto recipient = recipient_for(ledger, index);
        if (recipient) {
            addressed.recipients.push_back(*recipient);
            continue;
        }
        const LeftOut one{index, recipient.error()};
        if (!draft.may_leave_out.contains(index)) {
            return fail(Errc::unavailable, why_not(ledger, one));
        }
        addressed.left_out.push_back(one);
    }
    return addressed;
}

// The stanzas of a record that cannot name all recipients. There is one for each addressed group
// that has a key. There is one for each recipient that is in none of these groups or has no slot of
// their keys.
Result<Addressed> name_groups(const Ledger& ledger, const Draft& draft) {
    const std::set<OfficeId> groups(draft.groups.begin(), draft.groups.end());
    std::set<OfficeId> to(draft.to.begin(), draft.to.end());
    std::vector<crypto::Recipient> sealed_to;
    std::set<OfficeId> named_by_group;
    for (const auto group : groups) {
        const auto key = usable_group_key(ledger, group);
        if (!key) {
            continue;
        }
        std::size_t served = 0;
        for (const auto index : draft.to) {
            const auto* office = ledger.roster().find(index);
            if (office == nullptr || !is_in_group(*office, group)) {
                continue;
            }
            named_by_group.insert(index);
            if (key->holders.contains(index) && to.erase(index) > 0) {
                ++served;
            }
        }
        if (served > 0) {
            sealed_to.push_back({group, key->epoch, key->key});
        }
    }
    if (!sealed_to.empty()) {
        // A member without a slot and without a key of its own still gets its group's record. It
        // opens the record once it has a slot.
        std::erase_if(to, [&](OfficeId index) {
            const auto recipient = recipient_for(ledger, index);
            return named_by_group.contains(index) && !recipient &&
                   recipient.error() == FailReason::no_key;
        });
    }
    const auto most = limits::recipients_max - sealed_to.size();
    if (to.size() > most && groups.empty()) {
        return fail(Errc::limit_exceeded,
                    fmt::format("a report names {} offices at most; address a group such as @all",
                                limits::recipients_max));
    }
    if (to.size() > most) {
        return fail(Errc::unavailable,
                    fmt::format("{} of {} recipients have no group key of headquarters yet, or are "
                                "in none of these groups; {} of them can be named at most",
                                to.size(), draft.to.size(), most));
    }
    auto addressed = TRY(name_each(ledger, to, draft));
    addressed.recipients.insert(addressed.recipients.begin(), sealed_to.begin(), sealed_to.end());
    return addressed;
}

}  // namespace

Result<std::vector<crypto::Recipient>> recipients_of(const Ledger& ledger,
                                                     const std::set<OfficeId>& to) {
    return TRY(name_each(ledger, to, {})).recipients;
}

namespace {

Result<Addressed> address(const Ledger& ledger, const Draft& draft) {
    auto addressed = TRY(draft.to.size() > limits::recipients_max
                             ? name_groups(ledger, draft)
                             : name_each(ledger, {draft.to.begin(), draft.to.end()}, draft));
    if (addressed.recipients.empty() && addressed.left_out.empty()) {
        return fail(Errc::malformed, "no recipient");
    }
    if (addressed.recipients.empty()) {
        return fail(Errc::unavailable,
                    "nobody there can be sent to: " + why_not(ledger, addressed.left_out.front()));
    }
    return addressed;
}

// A large body is stored as it will be sent: in parts, with the list of their hashes first.
storage::Blob store_parts(Ledger& ledger, BodyShape shape, BytesView body) {
    const auto blob = ledger.next_blob();
    ByteWriter list;
    for (const auto& piece : crypto::piece_hashes(ledger.network(), shape, body)) {
        list.raw(piece.view());
    }
    ledger.write(storage::PutPart{blob, 1, list.take()});
    for (std::uint32_t segment = 0; segment < shape.segment_count(); ++segment) {
        ledger.write(storage::PutPart{
            blob, segment + 2,
            to_bytes(body.subspan(shape.segment_offset(segment), shape.segment_size(segment)))});
    }
    return blob;
}

}  // namespace

Result<Prepared> prepare(Ledger& ledger, const Draft& draft, ReportUnit unit, Now now) {
    Prepared prepared;
    auto addressed = TRY(address(ledger, draft));
    prepared.left_out = std::move(addressed.left_out);
    const auto& recipients = addressed.recipients;
    const auto log = own_log(ledger, draft.record_class);
    Header header;
    header.log = log;
    header.number = ledger.log(log).next;
    header.kind = static_cast<std::uint8_t>(draft.kind);
    header.flags = ledger.meta().doubtful ? flag_doubtful : 0;
    header.created = ledger.wall(now);
    header.lifetime_seconds = draft.lifetime_seconds;
    if (std::ranges::any_of(recipients, is_group, &crypto::Recipient::office)) {
        header.group_roster_version = ledger.roster().version();
    }
    const bool is_urgent = draft.record_class == RecordClass::urgent;
    const auto too_large = [&] {
        return fail(Errc::limit_exceeded,
                    is_urgent ? fmt::format("an urgent report is at most {} with its attachments",
                                            exact_size(limits::urgent_record_bytes_max))
                              : fmt::format("a report is at most {} with its attachments, sealed "
                                            "and padded; about {} always fit",
                                            exact_size(limits::record_bytes_max),
                                            exact_size(limits::record_bytes_max / 16 * 15)));
    };
    // The limit is of the size that people count, before compression.
    if (is_urgent &&
        unit.report.size() + draft.attachments.size() > limits::urgent_record_bytes_max) {
        return too_large();
    }
    const std::vector<ReportUnit> units = {std::move(unit)};
    auto sealing =
        crypto::seal_record(ledger.network(), ledger.config().machine->identity.public_key(),
                            header, recipients, units, draft.attachments);
    if (!sealing && sealing.error().code == Errc::limit_exceeded) {
        return too_large();
    }
    prepared.sealed = TRY(std::move(sealing));
    // Reads the header as other offices will: no draft may make a record that they refuse.
    const auto read = decode_header(encode_header(prepared.sealed.header));
    if (!read || *read != prepared.sealed.header) {
        return fail(Errc::malformed,
                    read ? "a record that others would read otherwise" : read.error().detail);
    }
    prepared.attachments = TRY(attachment_hashes(ledger.network(), units, draft.attachments));
    prepared.entry.box = Box::outbox;
    seal_for_archive(ledger, prepared.sealed.file_key, prepared.sealed.header, units,
                     prepared.attachments, prepared.entry);
    prepared.report = units.front().report;
    return prepared;
}

storage::StoredRecord store(Ledger& ledger, const Prepared& prepared) {
    const auto& header = prepared.sealed.header;
    storage::StoredRecord record;
    record.arrival = ledger.next_arrival(1);
    record.log = header.log;
    record.run = header.run();
    record.received = header.created;
    record.expires = header.created.plus(header.lifetime_seconds);
    record.header = encode_header(header);
    const BodyShape shape{header.body_bytes};
    if (shape.is_one_piece()) {
        record.body = prepared.sealed.body;
    } else {
        record.blob = store_parts(ledger, shape, prepared.sealed.body);
    }
    ledger.write(storage::PutRecord{record});
    ledger.write(storage::PutExpiry{record.expires, record.arrival});
    auto& state = ledger.edit_log(header.log);
    ensure(state.next <= state.reserved, "a number is reserved before it is used");
    state.hold(record.run);
    ++state.next;
    if (state.next + number_block / 2 > state.reserved) {
        state.reserved = state.next + number_block;
    }
    ledger.tell_held(header.log, record.run);
    ledger.write(storage::PutArchive{record.arrival, prepared.entry});
    return record;
}

namespace {

// An Error is the store's. Then a part may be written already, and the batch is dropped.
Result<storage::ReportKey> write_record(Ledger& ledger, const Draft& draft,
                                        const Prepared& prepared, Now now,
                                        std::vector<Notice>& notify) {
    const auto record = store(ledger, prepared);
    const Origin origin{record.log.incarnation, record.log.record_class, record.run.first};
    const storage::ReportKey key{ledger.us(), origin};
    storage::ReportProgress progress;
    progress.arrival = record.arrival;
    progress.box = Box::outbox;
    for (const auto office : draft.to) {
        storage::Recipient one{.office = office};
        const auto& left_out = prepared.left_out;
        if (const auto out = std::ranges::find(left_out, office, &LeftOut::office);
            out != left_out.end()) {
            one.state = storage::State::failed;
            one.reason = out->reason;
        }
        progress.recipients.push_back(one);
    }
    describe(ledger, prepared.sealed.header, key, draft.report, progress);
    ledger.write(storage::PutReport{key, std::move(progress)});
    ledger.note(What::queued, {.office = ledger.us(), .report = key, .detail = draft.report.staff},
                now, notify);
    TRY(file_correction(ledger, key, draft.report));
    if (const auto& named = draft.report.withdraws) {
        ledger.write(storage::FileWith{{named->author, named->origin},
                                       storage::Filed::withdrawal,
                                       record.arrival,
                                       named->hash});
    }
    if (draft.report.reply_to && draft.kind == RecordKind::acknowledgement) {
        const storage::ReportKey about{draft.report.reply_to->author,
                                       draft.report.reply_to->origin};
        ledger.write(storage::FileWith{about, storage::Filed::answer, record.arrival});
        TRY(prove(ledger, about,
                  {.of = Proof::Of::answered,
                   .recipient = ledger.us(),
                   .answer = origin,
                   .outcome = draft.report.outcome},
                  now));
    }
    return key;
}

}  // namespace

Result<Result<Written>> write(Ledger& ledger, const Draft& draft, Now now,
                              std::vector<Notice>& notify) {
    if (ledger.meta().stopped) {
        return Result<Written>(fail_stopped(ledger));
    }
    if (is_shut_out(ledger)) {
        return Result<Written>(fail(Errc::refused, "this office is no member any more"));
    }
    if (ledger.config().mail == nullptr && ledger.meta().archive_key.is_zero()) {
        return Result<Written>(
            fail(Errc::refused, "mail is locked, and was never open here with this release"));
    }
    if (draft.report.attachment_bytes() != draft.attachments.size()) {
        return Result<Written>(
            fail(Errc::malformed, "the attachments are not of the size they were said to be"));
    }
    auto report_to_write = draft.report;
    report_to_write.created = ledger.wall(now);
    if (const auto fits = check_report(report_to_write); !fits) {
        return Result<Written>(std::unexpected(fits.error()));
    }
    auto prepared = prepare(ledger, draft, {std::nullopt, encode_report(report_to_write)}, now);
    if (!prepared) {
        return Result<Written>(std::unexpected(prepared.error()));
    }
    const auto report = TRY(write_record(ledger, draft, *prepared, now, notify));
    return Result<Written>(Written{report,
                                   crypto::report_hash(ledger.network(), ledger.us(), report.origin,
                                                       prepared->report, prepared->attachments),
                                   std::move(prepared->left_out)});
}

Result<void> submit(Ledger& ledger, const Submitted& submitted, Now now,
                    std::vector<Notice>& notify) {
    const auto& draft = submitted.draft;
    const auto decline = [&](Error error, std::optional<storage::ReportKey> same_key = {}) {
        notify.emplace_back(Declined{submitted.request, std::move(error), same_key});
    };
    if (!draft.key.empty()) {
        if (const auto fits = check_report(draft.report); !fits) {
            decline(fits.error());
            return ok();
        }
        if (const auto used = TRY(report_under(ledger, draft.key))) {
            const auto same = is_same(ledger, *used, draft);
            if (same && *same) {
                notify.emplace_back(Accepted{submitted.request, used->report, {}, true});
            } else if (same) {
                decline(Error{Errc::malformed, "this key was used before with other content"},
                        used->report);
            } else {
                decline(same.error());
            }
            return ok();
        }
    }
    auto written = TRY(write(ledger, draft, now, notify));
    if (!written) {
        decline(written.error());
        return ok();
    }
    if (!draft.key.empty()) {
        keep_key(ledger, draft, written->report);
    }
    notify.emplace_back(Accepted{submitted.request, written->report, written->hash, false,
                                 std::move(written->left_out)});
    return ok();
}

Result<std::uint32_t> count_undelivered(const Ledger& ledger, Now now) {
    std::uint32_t count = 0;
    for (const auto& [log, state] : ledger.logs()) {
        if (log.author != ledger.us() || log.record_class == RecordClass::reply) {
            continue;
        }
        // A log ascends in time, so the search ends at the first record that is young.
        for (auto number = state.held.next(1); number; number = state.held.after(*number)) {
            const auto record = TRY(ledger.store().record(log, *number, storage::WithBody::no));
            if (!record || record->received.plus(undelivered_seconds) > ledger.wall(now)) {
                break;
            }
            ++count;
        }
    }
    return count;
}

void reserve_numbers(Ledger& ledger) {
    for (std::uint8_t c = 0; c < record_classes; ++c) {
        auto& state = ledger.edit_log(own_log(ledger, static_cast<RecordClass>(c)));
        if (state.reserved >= state.next) {
            // Records under these numbers, if any, were never committed and are lost.
            state.end({{state.next, state.reserved}});
            state.next = state.reserved + 1;
        }
        state.reserved = state.next + number_block;
    }
}

void release_numbers(Ledger& ledger) {
    for (std::uint8_t c = 0; c < record_classes; ++c) {
        auto& state = ledger.edit_log(own_log(ledger, static_cast<RecordClass>(c)));
        state.reserved = state.next - 1;
    }
    auto& meta = ledger.edit_meta();
    meta.counter_reserved = meta.next_counter - 1;
}

}  // namespace fieldpost::engine
