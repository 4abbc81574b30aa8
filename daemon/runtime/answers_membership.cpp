// Requests that change who belongs to the network, or who this office deals with.
#include <fmt/format.h>

#include <ranges>

#include "daemon/engine/membership/authority.h"
#include "daemon/engine/membership/revocation.h"
#include "daemon/engine/queries.h"
#include "daemon/runtime/answering.h"
#include "proto/control.pb.h"

namespace fieldpost::runtime {

using engine::Ledger;

std::vector<std::string> kept_by(const Ledger& ledger, OfficeId office, const CutOff& cut_off) {
    std::vector<std::string> kept;
    kept.reserve(cut_off.logs.size());
    for (const auto& log : cut_off.logs) {
        kept.push_back(
            engine::printed_id(ledger, {office, {log.incarnation, log.record_class, log.last}}));
    }
    return kept;
}

namespace {

void tell_of(const Ledger& ledger, const crypto::RosterOffice& office, wire::Revocation& told) {
    told.set_office(office.name);
    told.set_fingerprint(fingerprint_of(ledger, office));
    told.set_state(runtime::name_of(office.state));
    told.set_heard_unix_s(unix_of(ledger.peer(office.index).heard));
}

// A person has seen other marks than these.
std::unexpected<Complaint> marks_changed(const std::string& office) {
    return complain(exit_failed, "changed",
                    fmt::format("news of {} came meanwhile; it was not cut off", office),
                    "look again, with the same command");
}

}  // namespace

Answered invite(const Ledger& ledger, const wire::InviteRequest& request, std::uint64_t number) {
    if (!wire::Role_IsValid(request.role()) || request.valid_s() == 0) {
        return complain(exit_invalid, "invalid",
                        "this invitation has no known role, or no time to be used in",
                        "see: fieldpost invite --help");
    }
    const auto* office = ledger.roster().find(request.office());
    const bool is_member = office != nullptr && office->is_member();
    if (ledger.config().mail == nullptr) {
        return locked();
    }
    if (!ledger.config().mail->authority) {
        return complain(exit_refused, "not_authority", "this office is not the authority",
                        fmt::format("telephone {}: it types this command",
                                    ledger.roster().offices().begin()->second.name));
    }
    if (request.only_look()) {
        wire::Answer answer;
        answer.mutable_revocation();
        if (is_member && office->index != ledger.us()) {
            tell_of(ledger, *office, *answer.mutable_revocation());
            for (auto& id :
                 kept_by(ledger, office->index,
                         ASK(or_complain(engine::cut_off_of(ledger, office->index, {}))))) {
                answer.mutable_revocation()->add_kept(std::move(id));
            }
        }
        return encode(answer);
    }
    if (is_member && !request.replace()) {
        return complain(
            exit_invalid, "invalid", fmt::format("the name {} is taken", office->name),
            "the same office on a new machine: fieldpost invite " + office->name + " --replace",
            {office->name});
    }
    if (is_member && request.has_seen() &&
        !std::ranges::equal(
            kept_by(ledger, office->index,
                    ASK(or_complain(engine::cut_off_of(ledger, office->index, {})))),
            request.seen())) {
        return marks_changed(office->name);
    }
    return Pending{
        {engine::InviteWanted{number, request.office(), static_cast<Role>(request.role()),
                              request.valid_s(), request.replace()}},
        {}};
}

// A member, an invited office, or the last one that had this name and keys.
std::expected<const crypto::RosterOffice*, Complaint> office_named(const Ledger& ledger,
                                                                   const std::string& name) {
    if (const auto* office = ledger.roster().find(name)) {
        return office;
    }
    for (const auto* before : ledger.roster().offices_named(name) | std::views::reverse) {
        if (before->has_keys()) {
            return before;
        }
    }
    return complain(exit_not_found, "not_found", fmt::format("no office is called {}", name),
                    "see: fieldpost roster", {name});
}

Answered confirm(const Ledger& ledger, const wire::RosterRequest& request, std::uint64_t number) {
    const auto* office = ASK(office_named(ledger, request.confirm()));
    if (office->has_keys() && !office->is_member()) {
        return complain(exit_refused, "refused",
                        fmt::format("{} is no office of this network any more", office->name),
                        "there is nothing to confirm; see: fieldpost roster", {office->name});
    }
    if (!office->has_keys()) {
        return complain(exit_refused, "refused", fmt::format("{} has not joined yet", office->name),
                        "confirm it once fieldpost roster shows its fingerprint", {office->name});
    }
    return Pending{{engine::Confirmed{number, office->index}}, {}};
}

Answered revoke(const Ledger& ledger, const wire::RevokeRequest& request, std::uint64_t number) {
    const auto* office = ASK(office_named(ledger, request.office()));
    if (ledger.config().mail == nullptr) {
        return locked();
    }
    if (!ledger.config().mail->authority) {
        const auto& authority = ledger.roster().offices().begin()->second.name;
        return complain(exit_refused, "not_authority", "this office is not the authority",
                        fmt::format("telephone {}; until then, on this machine: fieldpost block {}",
                                    authority, office->name));
    }
    if (const auto may = engine::check_revocation(ledger, office->index); !may) {
        return std::unexpected(complaint_of(may.error()));
    }
    // An ID names one machine of the office by its ordinal. So the marks of a machine that was
    // replaced can still be moved.
    for (const auto* bearer : ledger.roster().offices_named(office->name)) {
        if (!request.keep().empty() && bearer->has_keys() &&
            ASK(or_complain(engine::named_by(ledger, bearer->index, request.keep(0))))) {
            office = bearer;
        }
    }
    std::vector<storage::ReportKey> keep;
    for (const auto& id : request.keep()) {
        const auto named = ASK(or_complain(engine::named_by(ledger, office->index, id)));
        if (!named) {
            return complain(
                exit_not_found, "not_found",
                fmt::format("{} is no ID that a machine of {} could have given", id, office->name),
                "see: fieldpost list --from " + office->name, {id});
        }
        if (std::ranges::find(keep, storage::log_of(*named), storage::log_of) != keep.end()) {
            return complain(exit_invalid, "invalid",
                            fmt::format("{} is a second mark for one kind of reports", id),
                            "give one --keep for each kind", {id});
        }
        keep.push_back(*named);
    }
    wire::Answer answer;
    auto* told = answer.mutable_revocation();
    tell_of(ledger, *office, *told);
    const auto marks = kept_by(ledger, office->index,
                               ASK(or_complain(engine::cut_off_of(ledger, office->index, keep))));
    if (request.has_seen() && !std::ranges::equal(marks, request.seen())) {
        return marks_changed(office->name);
    }
    if (request.only_look()) {
        for (const auto& id : marks) {
            told->add_kept(id);
        }
        told->set_roster_version(ledger.roster().version());
        return encode(answer);
    }
    return Pending{
        {engine::RevocationWanted{number, office->index, request.reason(), std::move(keep)}},
        [answer](const Ledger& after, const std::vector<engine::Notice>& notices) mutable {
            if (const auto* declined = declined_in(notices)) {
                return Result<Bytes>(encode(complaint_of(declined->error)));
            }
            for (const auto& notice : notices) {
                const auto* revoked = std::get_if<engine::Revoked>(&notice);
                if (revoked == nullptr) {
                    continue;
                }
                for (auto& id : kept_by(after, revoked->office, revoked->cut_off)) {
                    answer.mutable_revocation()->add_kept(std::move(id));
                }
            }
            answer.mutable_revocation()->set_roster_version(after.roster().version());
            return Result<Bytes>(encode(answer));
        }};
}

Answered continue_here(const Ledger& ledger, const wire::ContinueRequest& request,
                       std::uint64_t number) {
    const auto& meta = ledger.meta();
    const auto* mail = ledger.config().mail;
    const bool is_authority = mail != nullptr && mail->authority;
    if (!meta.stopped && !(is_authority && !engine::knows_newest_roster(ledger))) {
        return complain(exit_refused, "refused", "this office has not stopped",
                        "nothing need be done");
    }
    wire::Answer answer;
    auto* told = answer.mutable_continuation();
    told->set_office(ledger.roster().find(ledger.us())->name);
    told->set_caught_unix_s(unix_of(meta.caught));
    told->set_incarnation(meta.incarnation.ordinal);
    told->set_is_authority(is_authority);
    if (request.only_look()) {
        return encode(answer);
    }
    return Pending{
        {engine::ContinueWanted{number}},
        [answer](const Ledger& after, const std::vector<engine::Notice>&) mutable {
            answer.mutable_continuation()->set_incarnation(after.meta().incarnation.ordinal);
            return after.meta().stopped
                       ? Result<Bytes>(encode(
                             complaint_of({Errc::refused,
                                           "this office has had as many incarnations as there can "
                                           "be: the authority has to invite it anew"})))
                       : Result<Bytes>(encode(answer));
        }};
}

Answered block(const Ledger& ledger, const wire::BlockRequest& request, std::uint64_t number) {
    const auto* office = ASK(office_named(ledger, request.office()));
    if (office->index == ledger.us()) {
        return complain(exit_refused, "refused", "an office cannot block itself", "name another");
    }
    Pending pending{{engine::BlockWanted{number, office->index, request.undo()}}, {}};
    // The name may have gone to another office since it was blocked.
    for (const auto* bearer : ledger.roster().offices_named(office->name)) {
        if (request.undo() && bearer != office && ledger.peer(bearer->index).blocked) {
            pending.inputs.emplace_back(
                engine::BlockWanted{number + pending.inputs.size(), bearer->index, true});
        }
    }
    return pending;
}

}  // namespace fieldpost::runtime
