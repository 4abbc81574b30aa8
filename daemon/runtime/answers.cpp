#include "daemon/runtime/answers.h"

#include <fmt/format.h>

#include "daemon/engine/membership/cut_offs.h"
#include "daemon/engine/queries.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/engine/self_check.h"
#include "daemon/runtime/answering.h"
#include "daemon/runtime/bundles.h"
#include "daemon/runtime/folders.h"
#include "daemon/runtime/sinks.h"
#include "proto/control.pb.h"
#include "proto/limits.h"
#include "proto/typed.h"

namespace fieldpost::runtime {

std::unexpected<Complaint> locked() {
    return complain(exit_refused, "locked", "mail is locked", "open it first: fieldpost unlock");
}

std::unexpected<Complaint> complain_stopped(const engine::Ledger& ledger) {
    const auto words = engine::stopped_words(ledger);
    return ledger.meta().goes_on ? complain(exit_failed, "busy", words.what, words.hint)
                                 : complain(exit_refused, "stopped", words.what, words.hint);
}

Complaint complaint_of(const Error& error) {
    switch (error.code) {
        case Errc::not_found:
            return {exit_not_found, "not_found", error.detail,
                    "see: fieldpost list, fieldpost roster"};
        case Errc::refused:
        case Errc::untrusted:
            return {exit_refused, "refused", error.detail, "see: fieldpost status"};
        case Errc::malformed:
        case Errc::limit_exceeded:
        case Errc::unsupported:
            return {exit_invalid, "invalid", error.detail,
                    "change it and try again; nothing was done"};
        case Errc::storage_full:
            return {exit_no_space, "no_space", error.detail,
                    "free space, then try again; nothing was done"};
        case Errc::unavailable:
            return {exit_failed, "unavailable", error.detail,
                    "nothing was done; try again when that has changed"};
        default:
            return {exit_failed, "failed", error.detail, "try again; see the daemon's log"};
    }
}

Bytes encode(const Complaint& complaint) {
    wire::Answer answer;
    auto* problem = answer.mutable_problem();
    problem->set_exit(complaint.exit);
    problem->set_code(complaint.code);
    problem->set_what(complaint.what);
    problem->set_next(complaint.next);
    for (const auto& id : complaint.ids) {
        problem->add_ids(id);
    }
    return encode(answer);
}

Bytes encode(const wire::Answer& answer) {
    Bytes bytes(answer.ByteSizeLong());
    answer.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

namespace {

using engine::Ledger;
using engine::ReportView;
using storage::WithBody;

std::string text_of(BytesView bytes) {
    return std::string(as_text(bytes));
}

constexpr std::size_t ids_max = 1000;
// A report with all its attachments, and what describes them.
constexpr std::uint64_t answer_bytes_max = limits::record_bytes_max + (8U << 20);

Complaint too_much() {
    return {exit_invalid, "invalid", "these reports are too large to be shown together",
            "ask for fewer"};
}

}  // namespace

bool is_group_name(std::string_view name) {
    return engine::group_named(name).has_value();
}

// The name of the office that wrote this report, if the report waits here until that office is
// blocked no more.
Result<std::optional<std::string>> blocked_author_of(const Ledger& ledger, const std::string& id) {
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (!ledger.peer(index).blocked) {
            continue;
        }
        const auto named = engine::named_by(ledger, index, id);
        if (!named || !*named) {
            continue;
        }
        const auto record = TRY(ledger.store().record(
            storage::log_of(**named), (*named)->origin.number, storage::WithBody::no));
        const auto entry = record ? TRY(ledger.store().archive(record->arrival)) : std::nullopt;
        if (entry && entry->form == storage::ArchiveEntry::Form::unopened) {
            return std::optional(office.name);
        }
    }
    return std::optional<std::string>{};
}

std::expected<std::vector<storage::ReportKey>, Complaint> keys_by_id(
    const Ledger& ledger, std::span<const std::string* const> ids) {
    if (ids.size() > ids_max) {
        return complain(exit_invalid, "invalid", fmt::format("{} IDs are too many", ids.size()),
                        fmt::format("name at most {} at a time", ids_max));
    }
    std::vector<storage::ReportKey> keys;
    std::vector<std::string> unknown;
    for (const auto* named : ids) {
        const auto& id = *named;
        if (!engine::is_id(id)) {
            return complain(exit_invalid, "invalid", fmt::format("{} is no ID", id),
                            "an ID looks like hyesan-42; see: fieldpost list", {id});
        }
        if (const auto key = ASK(or_complain(engine::find_id(ledger, id)))) {
            keys.push_back(*key);
        } else {
            unknown.push_back(id);
        }
    }
    if (!unknown.empty()) {
        if (const auto blocked = ASK(or_complain(blocked_author_of(ledger, unknown.front())))) {
            return complain(exit_refused, "blocked",
                            fmt::format("{} is kept here unread: this machine blocks {}",
                                        unknown.front(), *blocked),
                            fmt::format("to read it: fieldpost block {} --undo", *blocked),
                            unknown);
        }
        return complain(exit_not_found, "not_found",
                        fmt::format("no record {} here", unknown.front()), "see: fieldpost list",
                        unknown);
    }
    return keys;
}

std::expected<std::vector<ReportView>, Complaint> views_by_id(
    const Ledger& ledger, std::span<const std::string* const> ids) {
    std::vector<ReportView> views;
    std::set<storage::ReportKey> seen;
    std::uint64_t bytes = 0;
    for (const auto& key : ASK(keys_by_id(ledger, ids))) {
        if (!seen.insert(key).second) {
            continue;
        }
        views.push_back(ASK(or_complain(engine::view_of(ledger, key))));
        bytes += views.back().report ? views.back().report->text.size() : 0;
        if (bytes > answer_bytes_max) {
            return std::unexpected(too_much());
        }
    }
    return views;
}

namespace {

void add_recipients(const Ledger& ledger, const ReportView& view, wire::Entry& entry) {
    // If recipients answered differently, the answer that most needs the author is told.
    auto outcome = ReplyOutcome::none;
    for (const auto& one : view.recipients) {
        outcome = std::max(outcome, one.proved.outcome);
    }
    entry.set_outcome(static_cast<wire::Outcome>(outcome));
    for (const auto& [one, staff, note] : view.recipients) {
        auto* recipient = entry.add_recipients();
        recipient->set_office(engine::printed_name(ledger, one.office));
        recipient->set_state(std::string(engine::name_of(one.state)));
        recipient->set_reason(std::string(engine::name_of(one.reason)));
        recipient->set_carried_unix_s(unix_of(one.carried_at));
        recipient->set_delivered_unix_s(unix_of(one.delivered_at));
        recipient->set_acknowledged_unix_s(unix_of(one.acknowledged_at));
        recipient->set_outcome(static_cast<wire::Outcome>(one.outcome));
        recipient->set_staff(staff);
        recipient->set_note(note);
        recipient->set_answer_id(one.answer ? engine::printed_id(ledger, {one.office, *one.answer})
                                            : "");
        recipient->set_heard_unix_s(unix_of(ledger.peer(one.office).heard));
    }
}

Result<void> describe(const Ledger& ledger, const Report& report, wire::Entry& entry) {
    entry.set_is_open(true);
    entry.set_subject(report.subject);
    entry.set_type(report.type);
    entry.set_staff(report.staff);
    if (report.utc_offset_minutes) {
        entry.set_utc_offset_min(*report.utc_offset_minutes);
    }
    entry.set_form_version(report.form_version);
    entry.set_attachment_count(static_cast<std::uint32_t>(report.attachments.size()));
    entry.set_size_bytes(report.text.size() + report.attachment_bytes());
    if (report.subject.empty()) {
        entry.set_preview(TRY(preview_of(ledger, report)));
    }
    for (const auto& group : report.addressed) {
        entry.add_to(group);
    }
    if (report.reply_to) {
        entry.set_reply_to(
            engine::printed_id(ledger, {report.reply_to->author, report.reply_to->origin}));
    }
    if (report.replaces) {
        entry.set_replaces(
            engine::printed_id(ledger, {report.replaces->author, report.replaces->origin}));
    }
    return ok();
}

// Adds the offices that the report names, unless a group stands for them.
void add_named(const Ledger& ledger, const ReportView& view, wire::Entry& entry) {
    for (const auto& stanza : view.header.stanzas) {
        const auto* office = ledger.roster().find(stanza.recipient);
        const bool is_told =
            view.report && std::ranges::any_of(view.report->addressed, [&](const auto& name) {
                const auto group = engine::group_named(name);
                return group && (stanza.recipient == *group ||
                                 (office != nullptr && engine::is_in_group(*office, *group)));
            });
        if (!is_told) {
            entry.add_to(engine::printed_name(ledger, stanza.recipient));
        }
    }
}

}  // namespace

Result<wire::Entry> entry_of(const Ledger& ledger, const ReportView& view) {
    wire::Entry entry;
    entry.set_id(engine::printed_id(ledger, view.key));
    entry.set_seq(static_cast<std::uint64_t>(view.arrival));
    entry.set_change(view.change);
    entry.set_box(static_cast<wire::Box>(view.entry ? view.entry->box : Box::carried));
    entry.set_from(engine::printed_name(ledger, view.key.author));
    entry.set_author(value_of(view.key.author));
    entry.set_incarnation(view.key.origin.incarnation.ordinal);
    entry.set_number(view.key.origin.number);
    entry.set_priority(static_cast<wire::Priority>(view.header.log.record_class));
    entry.set_state(std::string(engine::name_of(view.state)));
    entry.set_reason(view.reason);
    entry.set_created_unix_s(view.header.created.unix_seconds());
    entry.set_received_unix_s(unix_of(view.record.received));
    entry.set_clock_doubtful((view.header.flags & flag_doubtful) != 0);
    entry.set_expires_unix_s(unix_of(view.record.expires));
    entry.set_count(view.entry ? 1 : view.header.count);
    entry.set_size_bytes(view.header.body_bytes);
    entry.set_is_acknowledgement(view.header.kind ==
                                 static_cast<std::uint8_t>(RecordKind::acknowledgement));
    if (view.replaced_by) {
        entry.set_replaced_by(engine::printed_id(ledger, *view.replaced_by));
    }
    if (view.withdrawn) {
        entry.set_withdrawn_unix_s(unix_of(view.withdrawn->at));
        entry.set_withdrawn_change(view.withdrawn->change);
        entry.set_withdrawal_reason(view.withdrawal_reason);
        entry.set_withdrawal_id(
            view.withdrawn->by ? engine::printed_id(ledger, {view.key.author, *view.withdrawn->by})
                               : "");
    }
    entry.set_forgotten_unix_s(unix_of(view.forgotten_at));
    entry.set_after_cut_off(
        view.key.author != ledger.us() &&
        engine::is_beyond_cut_off(ledger, storage::log_of(view.key), view.key.origin.number));
    if (!view.hash.is_zero()) {
        entry.set_hash(text_of(view.hash.view()));
    }
    add_recipients(ledger, view, entry);
    if (view.report) {
        TRY(describe(ledger, *view.report, entry));
    }
    add_named(ledger, view, entry);
    return entry;
}

Result<wire::Entry> whole_entry_of(const Ledger& ledger, ReportView view) {
    TRY(add_words(ledger, view));
    auto entry = TRY(entry_of(ledger, view));
    if (const auto newer =
            view.replaced_by ? TRY(ledger.store().report(*view.replaced_by)) : std::nullopt) {
        entry.set_replaced_by_seq(static_cast<std::uint64_t>(newer->arrival));
    }
    if (!view.report) {
        return entry;
    }
    entry.set_text(view.report->text);
    for (const auto& field : view.report->fields) {
        auto* added = entry.add_fields();
        added->set_key(field.key);
        added->set_value(field.value);
    }
    for (const auto& attachment : view.report->attachments) {
        auto* file = entry.add_attachments();
        file->set_name(attachment.name);
        file->set_size_bytes(attachment.size);
    }
    return entry;
}

namespace {

// Answers for the first of these reports, as many as a turn has time for. `add` puts one into the
// answer.
template <class Add>
std::expected<void, Complaint> answer_first(const Ledger& ledger,
                                            const std::vector<storage::ReportKey>& keys,
                                            const engine::IsSpent& is_spent, wire::Answer& answer,
                                            const Add& add) {
    std::set<storage::ReportKey> seen;
    std::uint32_t done = 0;
    while (done < keys.size() &&
           (done == 0 || !(is_spent() || answer.ByteSizeLong() >= page_bytes_max))) {
        const auto& key = keys[done++];
        if (seen.insert(key).second) {
            const auto view = ASK(or_complain(engine::view_of(ledger, key)));
            ASK(add(view));
        }
    }
    answer.set_done_ids(done);
    return {};
}

std::expected<void, Complaint> check_not_forgotten(const Ledger& ledger,
                                                   const storage::ReportKey& key) {
    const auto page = ASK(or_complain(ledger.store().report(key)));
    if (page && page->forgotten_at != WallTime{}) {
        const auto id = engine::printed_id(ledger, key);
        return complain(exit_not_found, "forgotten",
                        fmt::format("{} was forgotten here, on purpose", id),
                        fmt::format("its states are still there: fieldpost trace {}", id), {id});
    }
    return {};
}

Answered show(const Ledger& ledger, const wire::ShowRequest& request,
              const engine::IsSpent& is_spent) {
    wire::Answer answer;
    const auto keys = ASK(keys_by_id(ledger, all_of(request.ids())));
    for (const auto& key : keys) {
        if (!request.only_states()) {
            ASK(check_not_forgotten(ledger, key));
        }
    }
    if (request.only_check()) {
        return encode(answer);
    }
    const auto add = [&](const ReportView& view) -> std::expected<void, Complaint> {
        *answer.add_entries() = ASK(or_complain(
            request.only_states() ? entry_of(ledger, view) : whole_entry_of(ledger, view)));
        return {};
    };
    ASK(answer_first(ledger, keys, is_spent, answer, add));
    answer.set_is_cut_off(engine::is_shut_out(ledger));
    return encode(answer);
}

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

Answered attachment(const Ledger& ledger, const wire::AttachmentRequest& request) {
    const auto key = engine::find_id(ledger, request.id());
    if (key && !*key) {
        return complain(exit_not_found, "not_found", fmt::format("no record {} here", request.id()),
                        "see: fieldpost list", {request.id()});
    }
    // An ID that means two reports is no reason for an export to stop either.
    const auto piece = key ? engine::attachment_part(ledger, **key, request.attachment(),
                                                     request.offset(), piece_bytes)
                           : Result<Bytes>(std::unexpected(key.error()));
    if (!piece && piece.error().code != Errc::unavailable) {
        return complain(exit_failed, "unreadable",
                        fmt::format("an attachment of {} cannot be read here", request.id()),
                        "see: fieldpost attention", {request.id()});
    }
    wire::Answer answer;
    answer.set_piece(text_of(ASK(or_complain(piece))));
    return encode(answer);
}

// Reports of a machine that no office lets in go nowhere, so its people are told.
std::string obstacle_of(const Ledger& ledger) {
    if (engine::is_shut_out(ledger)) {
        return "this office was cut off, and sends nothing; see: fieldpost attention";
    }
    if (ledger.meta().stopped && !ledger.meta().goes_on) {
        return "this office has stopped, and sends nothing of its own; see: fieldpost attention";
    }
    const auto& items = ledger.attention().items();
    const auto item = items.lower_bound({engine::What::turned_away, OfficeId{}, {}});
    const bool is_turned_away =
        item != items.end() && item->first.what == engine::What::turned_away;
    return is_turned_away ? "no office lets this one in; see: fieldpost attention" : "";
}

std::expected<void, Complaint> add_trace(const Ledger& ledger, const ReportView& view, WallTime now,
                                         wire::Trace& trace) {
    *trace.mutable_entry() = ASK(or_complain(entry_of(ledger, view)));
    for (const auto office : ASK(or_complain(engine::carriers_of(ledger, view.key)))) {
        auto* carrier = trace.add_carried_by();
        carrier->set_office(engine::printed_name(ledger, office));
        // By the carrier's clock, unless that is ahead of ours.
        carrier->set_at_unix_s(unix_of(std::min(ledger.custody(office)->at, now)));
        carrier->set_heard_unix_s(unix_of(ledger.peer(office).heard));
    }
    if (!view.entry) {
        // A carrier keeps no events of what it cannot read, so that a flood of it costs none of
        // its own: since when it holds the record stands in the record.
        auto* held = trace.add_events();
        held->set_at_unix_s(unix_of(view.record.received));
        held->set_what(std::string(storage::kind_of(storage::What::carried).name));
        held->set_office(engine::printed_name(ledger, ledger.us()));
        held->set_how("local");
        held->set_words("held here since then");
    }
    const auto events = ASK(or_complain(ledger.store().events_of(view.key)));
    for (const auto& event : events) {
        constexpr std::array<const char*, 3> hows = {"local", "link", "bundle"};
        auto* added = trace.add_events();
        added->set_at_unix_s(unix_of(event.at));
        added->set_what(std::string(storage::kind_of(event.what).name));
        added->set_office(engine::printed_name(ledger, event.office));
        added->set_how(hows[std::min<std::size_t>(static_cast<std::size_t>(event.how), 2)]);
        if (event.how != engine::How::local) {
            added->set_via(engine::printed_name(ledger, event.via));
        }
        added->set_words(event.detail);
        added->set_times(event.count);
    }
    return {};
}

Answered trace(const Ledger& ledger, const wire::TraceRequest& request,
               const Surroundings& around) {
    wire::Answer answer;
    answer.set_obstacle(obstacle_of(ledger));
    const auto keys = ASK(keys_by_id(ledger, all_of(request.ids())));
    if (request.only_check()) {
        return encode(answer);
    }
    const auto add = [&](const ReportView& view) {
        return add_trace(ledger, view, ledger.wall(around.now), *answer.add_traces());
    };
    ASK(answer_first(ledger, keys, around.is_spent, answer, add));
    return encode(answer);
}

// A folder's trouble is kept for as long as it lasts, and shown.
constexpr std::size_t trouble_bytes_max = 1024;

Answered dispatch(const Ledger& ledger, const wire::Request& request, std::uint64_t first_request,
                  const Surroundings& around) {
    switch (request.what_case()) {
        case wire::Request::kQueue:
            return queue(ledger, request.queue(), first_request);
        case wire::Request::kList:
            return list(ledger, request.list(), around.is_spent);
        case wire::Request::kFeed:
            return feed(ledger, request.feed(), around.is_spent);
        case wire::Request::kShow:
            return show(ledger, request.show(), around.is_spent);
        case wire::Request::kAttachment:
            return attachment(ledger, request.attachment());
        case wire::Request::kAck:
            return acknowledge(ledger, request.ack(), first_request);
        case wire::Request::kWithdraw:
            return withdraw(ledger, request.withdraw(), first_request);
        case wire::Request::kForget:
            return forget(ledger, request.forget(), first_request);
        case wire::Request::kTrace:
            return trace(ledger, request.trace(), around);
        case wire::Request::kStatus:
            return status(ledger, around);
        case wire::Request::kPeers:
            return peers(ledger, request.peers(), around);
        case wire::Request::kRoster:
            return request.roster().confirm().empty()
                       ? roster(ledger, around)
                       : confirm(ledger, request.roster(), first_request);
        case wire::Request::kAttention:
            return request.attention().dismiss().empty()
                       ? attention(ledger, request.attention())
                       : dismiss(request.attention(), first_request);
        case wire::Request::kWatch:
            return watch(ledger, request.watch(), around);
        case wire::Request::kSync:
            return sync(ledger, request.sync(), around);
        case wire::Request::kBundleRead:
            return around.bundles->read(ledger, request.bundle_read(), around.now);
        case wire::Request::kBundleWrite:
            return around.bundles->write(ledger, request.bundle_write(), around.now);
        case wire::Request::kFolderState:
            return around.bundles->state(ledger, request.folder_state());
        case wire::Request::kFolderRow:
            return Bundles::row(request.folder_row());
        case wire::Request::kFolder:
            around.folders->note(
                request.folder().path(),
                std::string(cut_text(request.folder().trouble(), trouble_bytes_max)));
            return encode(wire::Answer{});
        case wire::Request::kSink:
            around.sinks->note(
                std::string(cut_text(request.sink().name(), Sinks::name_bytes_max)),
                std::string(cut_text(request.sink().trouble(), Sinks::trouble_bytes_max)),
                ledger.wall(around.now));
            return encode(wire::Answer{});
        case wire::Request::kCoverage:
            return coverage(ledger, request.coverage(), around);
        case wire::Request::kRevoke:
            return revoke(ledger, request.revoke(), first_request);
        case wire::Request::kBlock:
            return block(ledger, request.block(), first_request);
        case wire::Request::kContinueHere:
            return continue_here(ledger, request.continue_here(), first_request);
        case wire::Request::kInvite:
            return invite(ledger, request.invite(), first_request);
        default:
            return complain(exit_usage, "usage", "the daemon does not know this request",
                            "is it of another release than the command?");
    }
}

bool is_for_readers(wire::Request::WhatCase what) {
    switch (what) {
        case wire::Request::kList:
        case wire::Request::kFeed:
        case wire::Request::kShow:
        case wire::Request::kAttachment:
        case wire::Request::kTrace:
        case wire::Request::kStatus:
        case wire::Request::kSink:
            return true;
        default:
            return false;
    }
}

}  // namespace

Result<Handled> handle_request(const Ledger& ledger, BytesView bytes, Rights rights,
                               std::uint64_t first_request, const Surroundings& around) {
    wire::Request request;
    if (!request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return encode(Complaint{exit_usage, "usage", "the daemon cannot read this request",
                                "is it of another release than the command?"});
    }
    if (rights == Rights::reader && !is_for_readers(request.what_case())) {
        return encode(Complaint{exit_refused, "no_access",
                                "members of the group fieldpost-read may only read",
                                "ask an administrator to add you to the group fieldpost"});
    }
    auto answered = dispatch(ledger, request, first_request, around);
    if (!answered) {
        return encode(answered.error());
    }
    return std::move(*answered);
}

Result<Bytes> finish_request(const Ledger& ledger, const Pending& pending,
                             const std::vector<engine::Notice>& notices) {
    if (pending.finish) {
        return pending.finish(ledger, notices);
    }
    wire::Answer answer;
    for (const auto& notice : notices) {
        if (const auto* declined = std::get_if<engine::Declined>(&notice)) {
            auto complaint = complaint_of(declined->error);
            if (declined->same_key) {
                complaint.code = "key_used";
                complaint.ids = {engine::printed_id(ledger, *declined->same_key)};
            }
            return encode(complaint);
        }
        if (const auto* accepted = std::get_if<engine::Accepted>(&notice)) {
            answer.set_id(engine::printed_id(ledger, accepted->report));
            // A report that was queued before under the same key has its hash in the store.
            const auto hash = accepted->is_repeat
                                  ? TRY(engine::view_of(ledger, accepted->report)).hash
                                  : accepted->hash;
            answer.set_hash(text_of(hash.view()));
            for (const auto& one : accepted->left_out) {
                answer.add_left_out(engine::why_not(ledger, one));
            }
            answer.set_obstacle(obstacle_of(ledger));
        }
        if (const auto* invited = std::get_if<engine::Invited>(&notice)) {
            auto* invitation = answer.mutable_invitation();
            invitation->set_office(ledger.roster().find(invited->invite->index)->name);
            invitation->set_content(text_of(crypto::encode_invite_content(*invited->invite)));
            invitation->set_expires_unix_s(unix_of(invited->expires));
            invitation->set_is_anew(invited->is_anew);
            if (invited->cut_off != no_office) {
                invitation->set_has_cut_off(true);
                for (auto& id : kept_by(ledger, invited->cut_off,
                                        *ledger.roster().find(invited->cut_off)->cut_off)) {
                    invitation->add_kept(std::move(id));
                }
            }
        }
    }
    return encode(answer);
}

Bytes refuse_request(const Error& error) {
    return encode(complaint_of(error));
}

}  // namespace fieldpost::runtime
