// The requests that make this office write: reports, answers, invitations.
#include <fmt/format.h>

#include "daemon/engine/membership/cut_offs.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/engine/record/forgetting.h"
#include "daemon/engine/record/queue_key.h"
#include "daemon/engine/record/versions.h"
#include "daemon/runtime/answering.h"
#include "proto/control.pb.h"
#include "proto/limits.h"

namespace fieldpost::runtime {

namespace {

using engine::Ledger;
using engine::ReportView;

// Members of a group, without us.
std::vector<OfficeId> members_of(const Ledger& ledger, OfficeId group) {
    std::vector<OfficeId> members;
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (engine::is_in_group(office, group) && office.is_member() && index != ledger.us()) {
            members.push_back(index);
        }
    }
    return members;
}

// True if an office bore this name until it was revoked or has retired.
bool has_ended(const Ledger& ledger, const std::string& name) {
    return std::ranges::any_of(ledger.roster().offices_named(name),
                               [](const auto* office) { return office->has_keys(); });
}

// An office that was cut off may read what it has. It writes nothing that others would take.
std::expected<void, Complaint> check_may_write(const Ledger& ledger) {
    if (engine::is_shut_out(ledger)) {
        return complain(exit_refused, "revoked", "this office was cut off",
                        "it can still read and export what it has; ask the authority");
    }
    if (ledger.meta().stopped) {
        return complain_stopped(ledger);
    }
    return {};
}

struct Addressees {
    std::vector<OfficeId> offices;
    std::vector<OfficeId> groups;
    std::vector<std::string> group_names;
    std::set<OfficeId> named{};
};

std::expected<Addressees, Complaint> addressees_of(const Ledger& ledger,
                                                   const std::vector<std::string>& names) {
    Addressees addressees;
    for (const auto& name : names) {
        if (name.starts_with('@')) {
            const auto group = engine::group_named(name);
            if (!group) {
                return complain(exit_not_found, "not_found",
                                fmt::format("there is no group {}", name),
                                "groups are @hq, @field, @relay and @all", {name});
            }
            const auto members = members_of(ledger, *group);
            if (members.empty()) {
                return complain(exit_not_found, "not_found", fmt::format("nobody is in {}", name),
                                "see: fieldpost roster");
            }
            addressees.offices.insert(addressees.offices.end(), members.begin(), members.end());
            addressees.groups.push_back(*group);
            addressees.group_names.push_back(name);
            continue;
        }
        const auto* office = ledger.roster().find(name);
        if (office == nullptr && has_ended(ledger, name)) {
            return complain(exit_refused, "revoked",
                            fmt::format("{} is no office of this network any more", name),
                            "queue it for another; see: fieldpost roster", {name});
        }
        if (office == nullptr) {
            return complain(exit_not_found, "not_found",
                            fmt::format("no office is called {}", name), "see: fieldpost roster",
                            {name});
        }
        if (office->index == ledger.us()) {
            return complain(exit_invalid, "invalid",
                            "a report cannot be addressed to its own office",
                            "name another with --to");
        }
        if (ledger.peer(office->index).blocked) {
            return complain(exit_refused, "blocked",
                            fmt::format("{} is blocked on this machine", name),
                            fmt::format("to end that: fieldpost block {} --undo", name), {name});
        }
        if (!office->is_member()) {
            return complain(exit_refused, "refused", fmt::format("{} has not joined yet", name),
                            "queue it once fieldpost roster shows it as active", {name});
        }
        addressees.offices.push_back(office->index);
        addressees.named.insert(office->index);
    }
    std::ranges::sort(addressees.offices);
    const auto twice = std::ranges::unique(addressees.offices);
    addressees.offices.erase(twice.begin(), twice.end());
    return addressees;
}

ReportRef reference_to(const ReportView& view) {
    ReportRef ref{view.key.author, view.key.origin, {}};
    std::ranges::copy(view.hash.first(ReportHashPrefix::size), ref.hash.bytes.begin());
    return ref;
}

// An offset that a client gives out of range stays so, and is refused with the report.
void set_utc_offset(const auto& request, Report& report) {
    if (request.has_utc_offset_min()) {
        report.utc_offset_minutes =
            static_cast<std::int16_t>(std::clamp(request.utc_offset_min(), -1440, 1440));
    }
}

// For a correction or a withdrawal, which goes to the same offices. Where there are too many to be
// named, its groups stand for their members.
std::vector<std::string> names_of_recipients(const Ledger& ledger, const ReportView& view) {
    std::vector<std::string> names;
    std::vector<OfficeId> groups;
    if (view.recipients.size() > limits::recipients_max && view.report) {
        for (const auto& name : view.report->addressed) {
            if (const auto group = engine::group_named(name)) {
                names.push_back(name);
                groups.push_back(*group);
            }
        }
    }
    for (const auto& one : view.recipients) {
        const auto* office = ledger.roster().find(one.proved.office);
        if (office != nullptr && office->is_member() &&
            std::ranges::none_of(
                groups, [&](OfficeId group) { return engine::is_in_group(*office, group); })) {
            names.push_back(engine::printed_name(ledger, one.proved.office));
        }
    }
    return names;
}

std::set<OfficeId> rest_of(const std::vector<OfficeId>& all, const std::set<OfficeId>& some) {
    std::set<OfficeId> rest(all.begin(), all.end());
    std::erase_if(rest, [&](OfficeId one) { return some.contains(one); });
    return rest;
}

// Makes the draft an answer. Its author is addressed if nobody else is named.
std::expected<void, Complaint> answer_report(const Ledger& ledger,
                                             const wire::QueueRequest& request,
                                             engine::Draft& draft,
                                             std::vector<std::string>& names) {
    const auto* original = &request.reply_to();
    const auto views = ASK(views_by_id(ledger, {&original, 1}));
    draft.report.reply_to = reference_to(views.front());
    if (names.empty() && views.front().key.author != ledger.us()) {
        names.push_back(engine::printed_name(ledger, views.front().key.author));
    }
    return {};
}

// Makes the draft a correction. The recipients of the corrected report are addressed if nobody else
// is named.
std::expected<void, Complaint> correct_report(const Ledger& ledger,
                                              const wire::QueueRequest& request,
                                              engine::Draft& draft,
                                              std::vector<std::string>& names) {
    const auto* original = &request.replaces();
    const auto views = ASK(views_by_id(ledger, {&original, 1}));
    if (views.front().key.author != ledger.us()) {
        return complain(exit_refused, "refused", "only an own report can be replaced",
                        "use --reply-to to answer another office's", {request.replaces()});
    }
    const auto& newer = views.front().replaced_by;
    // A repeated command finds its report by the key, even if the report was corrected since.
    const auto used = request.key().empty()
                          ? std::nullopt
                          : ASK(or_complain(engine::report_under(ledger, request.key())));
    if (views.front().withdrawn && !used) {
        const auto standing = ASK(or_complain(engine::standing_version(ledger, views.front().key)));
        const auto id = standing ? engine::printed_id(ledger, *standing) : "";
        return complain(
            exit_invalid, "invalid", fmt::format("{} was withdrawn", request.replaces()),
            id.empty() ? "queue it anew, without --replaces"
                       : fmt::format("{} counts now; correct that: --replaces {}", id, id),
            {request.replaces()});
    }
    if (newer && !used) {
        const auto id = engine::printed_id(ledger, *newer);
        return complain(exit_invalid, "invalid",
                        fmt::format("{} was corrected by {} already", request.replaces(), id),
                        fmt::format("correct that: --replaces {}", id), {id});
    }
    draft.report.replaces = reference_to(views.front());
    const auto& before = views.front().report;
    if (!before && ledger.config().mail == nullptr) {
        return locked();
    }
    if (!before && !used) {
        return complain(exit_refused, "refused",
                        fmt::format("{} cannot be read here any more", request.replaces()),
                        "queue it anew, without --replaces", {request.replaces()});
    }
    draft.report.version = before ? before->version + 1 : 1;
    if (draft.report.version > 1) {
        draft.report.first_version =
            before->version == 1 ? before->replaces : before->first_version;
    }
    if (request.to().empty()) {
        std::ranges::copy(names_of_recipients(ledger, views.front()), std::back_inserter(names));
    }
    return {};
}

}  // namespace

Answered queue(const Ledger& ledger, const wire::QueueRequest& request, std::uint64_t number) {
    ASK(check_may_write(ledger));
    if (request.priority() == wire::PRIORITY_REPLY || !wire::Priority_IsValid(request.priority())) {
        return complain(
            exit_invalid, "invalid",
            fmt::format("there is no priority {}", static_cast<int>(request.priority())),
            "it is 1 for urgent, 2 for normal or 3 for bulk");
    }
    engine::Submitted submitted;
    submitted.request = number;
    auto& draft = submitted.draft;
    auto names = std::vector<std::string>(request.to().begin(), request.to().end());
    if (!request.reply_to().empty()) {
        ASK(answer_report(ledger, request, draft, names));
    }
    if (!request.replaces().empty()) {
        ASK(correct_report(ledger, request, draft, names));
    }
    if (names.empty()) {
        return complain(exit_usage, "usage", "nobody is addressed",
                        "name an office or group with --to");
    }
    auto addressees = ASK(addressees_of(ledger, names));
    // A correction goes to whom the report went; only who is named now has to get it.
    draft.may_leave_out =
        rest_of(addressees.offices, request.to().empty() && !request.replaces().empty()
                                        ? std::set<OfficeId>{}
                                        : addressees.named);
    draft.to = std::move(addressees.offices);
    draft.groups = std::move(addressees.groups);
    draft.report.addressed = std::move(addressees.group_names);
    draft.record_class = static_cast<RecordClass>(request.priority());
    draft.lifetime_seconds = request.lifetime_s();
    draft.report.text = request.text();
    draft.report.subject = request.subject();
    draft.report.type = request.type();
    draft.report.staff = request.staff();
    draft.report.form_version = request.form_version();
    set_utc_offset(request, draft.report);
    for (const auto& field : request.fields()) {
        draft.report.fields.push_back({field.key(), field.value()});
    }
    if (request.only_check()) {
        if (const auto fits = check_report(draft.report); !fits) {
            return std::unexpected(complaint_of(fits.error()));
        }
        return encode(wire::Answer{});
    }
    ByteWriter attachments;
    for (const auto& file : request.attachments()) {
        draft.report.attachments.push_back(
            {file.name(), static_cast<std::uint32_t>(file.content().size())});
        attachments.raw(as_bytes(file.content()));
    }
    draft.attachments = attachments.take();
    if (request.text().empty() && request.fields().empty() && request.attachments().empty()) {
        return complain(exit_invalid, "invalid", "there is nothing to send",
                        "give a text, a --field or an --attach");
    }
    draft.key = request.key();
    return Pending{{std::move(submitted)}, {}};
}

const engine::Declined* declined_in(const std::vector<engine::Notice>& notices) {
    for (const auto& notice : notices) {
        if (const auto* declined = std::get_if<engine::Declined>(&notice)) {
            return declined;
        }
    }
    return nullptr;
}

Answered acknowledge(const Ledger& ledger, const wire::AckRequest& request,
                     std::uint64_t first_request) {
    ASK(check_may_write(ledger));
    Pending pending;
    wire::Answer answer;
    if (request.outcome() == wire::OUTCOME_NONE || !wire::Outcome_IsValid(request.outcome())) {
        return complain(exit_invalid, "invalid",
                        fmt::format("there is no outcome {}", static_cast<int>(request.outcome())),
                        "it is 1 for accepted, 2 for correct or 3 for refused");
    }
    const auto outcome = static_cast<ReplyOutcome>(request.outcome());
    const auto views = ASK(views_by_id(ledger, all_of(request.ids())));
    // All or none of them are answered.
    std::set<OfficeId> authors;
    for (const auto& view : views) {
        if (view.key.author == ledger.us()) {
            continue;
        }
        authors.insert(view.key.author);
        const auto* author = ledger.roster().find(view.key.author);
        const bool is_blocked = ledger.peer(view.key.author).blocked;
        if (is_blocked || author == nullptr || !author->is_member()) {
            const auto id = engine::printed_id(ledger, view.key);
            return complain(
                exit_refused, is_blocked ? "blocked" : "revoked",
                fmt::format("{} {}: {} cannot be answered",
                            engine::printed_name(ledger, view.key.author),
                            is_blocked ? "is blocked on this machine" : "was cut off", id),
                "leave it out", {id});
        }
    }
    if (!authors.empty()) {
        ASK(or_complain(engine::recipients_of(ledger, authors)));
    }
    for (const auto& view : views) {
        const auto id = engine::printed_id(ledger, view.key);
        if (!view.entry || view.entry->box != Box::inbox) {
            return complain(exit_refused, "refused", fmt::format("{} was not received here", id),
                            "only a recipient acknowledges", {id});
        }
        auto* entry = answer.add_entries();
        entry->set_id(id);
        entry->set_state("acknowledged");
        // For a report in the inbox the page has one recipient: this office.
        if (!view.recipients.empty() && view.recipients.front().proved.answer) {
            const auto& [before, staff, note] = view.recipients.front();
            if (before.outcome == outcome && staff == request.staff() && note == request.note()) {
                continue;  // said already: a command that is repeated writes nothing
            }
            auto* replaced = entry->add_recipients();
            replaced->set_outcome(static_cast<wire::Outcome>(before.outcome));
            replaced->set_staff(staff);
            replaced->set_acknowledged_unix_s(unix_of(before.acknowledged_at));
        }
        engine::Submitted submitted;
        submitted.request = first_request + pending.inputs.size();
        auto& draft = submitted.draft;
        draft.kind = RecordKind::acknowledgement;
        draft.record_class = RecordClass::reply;
        draft.to = {view.key.author};
        draft.report.text = request.note();
        draft.report.staff = request.staff();
        draft.report.outcome = outcome;
        set_utc_offset(request, draft.report);
        draft.report.reply_to = reference_to(view);
        pending.inputs.emplace_back(std::move(submitted));
    }
    if (request.only_check()) {
        return encode(answer);
    }
    pending.finish = [answer](const Ledger&, const std::vector<engine::Notice>& notices) {
        const auto* declined = declined_in(notices);
        return declined != nullptr ? encode(complaint_of(declined->error)) : encode(answer);
    };
    return pending;
}

namespace {

std::expected<void, Complaint> check_may_withdraw(const Ledger& ledger, const ReportView& view) {
    const auto id = engine::printed_id(ledger, view.key);
    if (view.key.author != ledger.us()) {
        return complain(exit_refused, "refused", fmt::format("{} is not of this office", id),
                        "only its author can withdraw it; answer it: fieldpost ack", {id});
    }
    if (view.key.origin.record_class == RecordClass::reply) {
        return complain(exit_refused, "refused", fmt::format("{} is no report", id),
                        "to change an answer, answer again: fieldpost ack", {id});
    }
    if (ledger.config().mail == nullptr) {
        return locked();
    }
    if (view.hash.is_zero()) {
        return complain(exit_refused, "refused", fmt::format("{} cannot be read here", id),
                        "tell its recipients by another report", {id});
    }
    return {};
}

// The reports that the engine has withdrawn or forgotten, as they are now.
Result<wire::Answer> answer_to_accepted(const Ledger& ledger,
                                        const std::vector<engine::Notice>& notices) {
    wire::Answer answer;
    for (const auto& notice : notices) {
        if (const auto* accepted = std::get_if<engine::Accepted>(&notice)) {
            auto& entry = *answer.add_entries();
            entry = TRY(entry_of(ledger, TRY(engine::view_of(ledger, accepted->report))));
            entry.set_is_repeat(accepted->is_repeat);
            for (const auto& one : accepted->left_out) {
                answer.add_left_out(engine::why_not(ledger, one));
            }
        }
    }
    return answer;
}

Result<Bytes> answer_to_withdrawn(const Ledger& ledger,
                                  const std::vector<engine::Notice>& notices) {
    if (const auto* declined = declined_in(notices)) {
        return encode(complaint_of(declined->error));
    }
    auto answer = TRY(answer_to_accepted(ledger, notices));
    for (auto& entry : *answer.mutable_entries()) {
        const auto key = TRY(engine::find_id(ledger, entry.id()));
        if (!key) {
            continue;
        }
        entry.set_never_left(key->origin.number > ledger.log(storage::log_of(*key)).published);
        if (const auto standing = TRY(engine::standing_version(ledger, *key))) {
            entry.set_standing(engine::printed_id(ledger, *standing));
        }
    }
    return encode(answer);
}

}  // namespace

Answered withdraw(const Ledger& ledger, const wire::WithdrawRequest& request,
                  std::uint64_t first_request) {
    ASK(check_may_write(ledger));
    if (request.reason().empty() || request.reason().size() > limits::note_bytes_max) {
        return complain(exit_invalid, "invalid",
                        fmt::format("a reason has 1 to {} bytes", limits::note_bytes_max),
                        "say in a few words why; the recipients are told");
    }
    const auto views = ASK(views_by_id(ledger, all_of(request.ids())));
    for (const auto& view : views) {
        ASK(check_may_withdraw(ledger, view));
    }
    if (request.only_check()) {
        return encode(wire::Answer{});
    }
    Pending pending;
    for (const auto& view : views) {
        engine::WithdrawalWanted wanted{first_request + pending.inputs.size(), view.key, {}};
        auto& draft = wanted.draft;
        draft.kind = RecordKind::withdrawal;
        draft.record_class = RecordClass::reply;
        auto addressees = ASK(addressees_of(ledger, names_of_recipients(ledger, view)));
        draft.to = std::move(addressees.offices);
        draft.groups = std::move(addressees.groups);
        draft.report.addressed = std::move(addressees.group_names);
        draft.may_leave_out = {draft.to.begin(), draft.to.end()};
        draft.report.text = request.reason();
        set_utc_offset(request, draft.report);
        draft.report.withdraws = reference_to(view);
        pending.inputs.emplace_back(std::move(wanted));
    }
    pending.finish = answer_to_withdrawn;
    return pending;
}

Answered forget(const Ledger& ledger, const wire::ForgetRequest& request,
                std::uint64_t first_request) {
    const auto views = ASK(views_by_id(ledger, all_of(request.ids())));
    if (ledger.config().mail == nullptr) {
        return locked();
    }
    Pending pending;
    for (const auto& view : views) {
        const auto id = engine::printed_id(ledger, view.key);
        const auto page = ASK(or_complain(ledger.store().report(view.key)));
        if (!page) {
            return complain(exit_refused, "refused", fmt::format("{} is only carried here", id),
                            "it cannot be read here; it goes once its recipients have it", {id});
        }
        if (engine::is_owed(ledger, view.key, *page)) {
            return complain(exit_refused, "refused", fmt::format("{} is still under way", id),
                            "wait until it is delivered, or take it back first: fieldpost withdraw",
                            {id});
        }
        pending.inputs.emplace_back(
            engine::ForgetWanted{first_request + pending.inputs.size(), view.key});
    }
    if (request.only_check()) {
        return encode(wire::Answer{});
    }
    pending.finish = [](const Ledger& after,
                        const std::vector<engine::Notice>& notices) -> Result<Bytes> {
        const auto* declined = declined_in(notices);
        return declined != nullptr ? encode(complaint_of(declined->error))
                                   : encode(TRY(answer_to_accepted(after, notices)));
    };
    return pending;
}

}  // namespace fieldpost::runtime
