// Requests that change who belongs to the network, or who this office deals with.
#include <fmt/format.h>

#include "daemon/engine/membership/revocation.h"
#include "daemon/engine/queries.h"
#include "daemon/runtime/answering.h"
#include "proto/control.pb.h"

namespace fieldpost::runtime {

using engine::Ledger;

Answered invite(const wire::InviteRequest& request, std::uint64_t number) {
    if (!wire::Role_IsValid(request.role()) || request.valid_s() == 0) {
        return complain(exit_invalid, "invalid",
                        "this invitation has no known role, or no time to be used in",
                        "see: fieldpost invite --help");
    }
    return Pending{{engine::InviteWanted{number, request.office(),
                                         static_cast<Role>(request.role()), request.valid_s()}},
                   {}};
}

Answered confirm(const Ledger& ledger, const wire::RosterRequest& request, std::uint64_t number) {
    const auto* office = ledger.roster().find(request.confirm());
    if (office == nullptr) {
        return complain(exit_not_found, "not_found",
                        fmt::format("no office is called {}", request.confirm()),
                        "see: fieldpost roster", {request.confirm()});
    }
    if (!office->has_keys()) {
        return complain(exit_refused, "refused", fmt::format("{} has not joined yet", office->name),
                        "confirm it once fieldpost roster shows its fingerprint", {office->name});
    }
    return Pending{{engine::Confirmed{number, office->index}}, {}};
}

namespace {

// The office that bears this name, or that bore it last.
std::expected<const crypto::RosterOffice*, Complaint> office_named(const Ledger& ledger,
                                                                   const std::string& name) {
    if (const auto* office = ledger.roster().find(name)) {
        return office;
    }
    const auto before = ledger.roster().offices_named(name);
    if (before.empty() || !before.back()->has_keys()) {
        return complain(exit_not_found, "not_found", fmt::format("no office is called {}", name),
                        "see: fieldpost roster", {name});
    }
    return before.back();
}

// The marks that a person may have in mind: the last report of each log that the cut-off keeps.
std::vector<std::string> kept_by(const Ledger& ledger, OfficeId office, const CutOff& cut_off) {
    std::vector<std::string> kept;
    for (const auto& log : cut_off.logs) {
        kept.push_back(
            engine::printed_id(ledger, {office, {log.incarnation, log.record_class, log.last}}));
    }
    return kept;
}

}  // namespace

Answered revoke(const Ledger& ledger, const wire::RevokeRequest& request, std::uint64_t number) {
    const auto* office = ASK(office_named(ledger, request.office()));
    if (ledger.config().mail == nullptr || !ledger.config().mail->authority) {
        return complain(exit_refused, "not_authority", "only headquarters cuts an office off",
                        fmt::format("ask it to; until then: fieldpost block {}", office->name));
    }
    if (const auto may = engine::check_revocation(ledger, office->index); !may) {
        return std::unexpected(complaint_of(may.error()));
    }
    std::vector<storage::ReportKey> keep;
    for (const auto& id : request.keep()) {
        const auto named = ASK(or_complain(engine::named_by(ledger, office->index, id)));
        if (!named) {
            return complain(
                exit_not_found, "not_found",
                fmt::format("{} is no report of a log of {} that is known here", id, office->name),
                "see: fieldpost list --from " + office->name, {id});
        }
        keep.push_back(*named);
    }
    wire::Answer answer;
    auto* told = answer.mutable_revocation();
    told->set_office(office->name);
    told->set_fingerprint(fingerprint_of(ledger, *office));
    told->set_state(name_of(office->state));
    told->set_heard_unix_s(unix_of(ledger.peer(office->index).heard));
    if (request.only_look()) {
        const auto cut_off = ASK(or_complain(engine::cut_off_of(ledger, office->index, keep)));
        for (auto& id : kept_by(ledger, office->index, cut_off)) {
            told->add_kept(std::move(id));
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

Answered block(const Ledger& ledger, const wire::BlockRequest& request, std::uint64_t number) {
    const auto* office = ASK(office_named(ledger, request.office()));
    if (office->index == ledger.us()) {
        return complain(exit_refused, "refused", "an office cannot block itself", "name another");
    }
    return Pending{{engine::BlockWanted{number, office->index, request.undo()}}, {}};
}

}  // namespace fieldpost::runtime
