#include "daemon/engine/membership/invitations.h"

#include <fmt/format.h>

#include "crypto/invite.h"
#include "daemon/engine/membership/authority.h"
#include "daemon/engine/membership/revocation.h"

namespace fieldpost::engine {

namespace {

// The reason for the revocation. All offices read it.
constexpr std::string_view replaced_words = "replaced by a new machine";

// An office that bore this name has printed IDs with its ordinals: the next one prints others.
std::uint16_t ordinal_after(const Ledger& ledger, const std::string& name) {
    std::uint16_t highest = 0;
    for (const auto* bearer : ledger.roster().offices_named(name)) {
        if (!bearer->has_keys()) {
            continue;  // it never joined
        }
        highest = std::max(highest, bearer->first_ordinal);
        for (const auto& [log, state] : ledger.logs_of(bearer->index)) {
            highest = std::max(highest, log.incarnation.ordinal);
        }
        for (const auto* entry : ledger.registers_of(bearer->index)) {
            highest = std::max(highest, entry->version.incarnation.ordinal);
        }
    }
    return static_cast<std::uint16_t>(std::min<int>(highest + 1, UINT16_MAX));
}

// The office of this name that a new machine is to replace: the one that has it now, or else the
// last one that had it.
Result<const crypto::RosterOffice*> to_replace(const Ledger& ledger, const std::string& name) {
    const auto* office = ledger.roster().find(name);
    if (office == nullptr) {
        for (const auto* bearer : ledger.roster().offices_named(name)) {
            office = bearer->has_keys() ? bearer : office;
        }
    }
    if (office == nullptr) {
        return fail(Errc::not_found, fmt::format("no office is called {}", name));
    }
    if (office->index == ledger.us()) {
        return fail(Errc::refused,
                    "the authority cannot replace itself; found a new network: fieldpost init");
    }
    return office;
}

Result<Invited> make_invite(Ledger& ledger, const InviteWanted& wanted, Now now) {
    TRY(check_authority(ledger));
    if (!is_office_name(wanted.name)) {
        return fail(Errc::malformed, fmt::format("{} is no name for an office: 1 to 32 of a-z, 0-9 "
                                                 "and -, and nothing that looks like an ID",
                                                 wanted.name));
    }
    std::vector<RosterStatement> statements;
    const auto* bearer =
        wanted.replace ? TRY(to_replace(ledger, wanted.name)) : ledger.roster().find(wanted.name);
    const bool is_anew = bearer != nullptr && bearer->state == crypto::OfficeState::invited;
    auto replaces = no_office;
    const bool cuts_off = wanted.replace && bearer->is_member();
    if (is_anew) {
        // Nobody used the first invitation in time, or its code or file was lost.
        statements.emplace_back(CancelInvitation{bearer->index});
        replaces = bearer->replaces;
    } else if (wanted.replace) {
        replaces = bearer->index;
        if (cuts_off) {
            statements.emplace_back(Revoke{bearer->index,
                                           TRY(cut_off_of(ledger, bearer->index, {})),
                                           std::string(replaced_words)});
        }
    } else if (bearer != nullptr) {
        return fail(Errc::malformed, fmt::format("the name {} is taken", wanted.name));
    }
    auto made = std::make_shared<crypto::Invite>();
    made->seed = crypto::InviteSeed::random();
    made->founding_key = ledger.config().machine->founding_key.duplicate();
    made->index = ledger.roster().next_index();
    Invitation invitation;
    invitation.index = made->index;
    invitation.role = replaces != no_office ? bearer->role : wanted.role;
    invitation.replaces = replaces;
    invitation.first_ordinal = ordinal_after(ledger, wanted.name);
    invitation.one_time_signing = crypto::one_time_signing_key(made->seed).public_key();
    invitation.one_time_box = crypto::one_time_box_key(made->seed).public_key;
    invitation.expires = ledger.wall(now).plus(wanted.valid_seconds);
    invitation.name = wanted.name;
    statements.emplace_back(invitation);
    TRY(sign_roster_change(ledger, std::move(statements), now));
    made->founding = ledger.roster().founding();
    made->roster = ledger.roster_changes();
    // With these the new office can queue at once, before it ever sees a link.
    for (const auto& [name, entry] : ledger.registers()) {
        if (name.key.kind == static_cast<std::uint8_t>(RegisterKind::office)) {
            made->registers.push_back(entry);
        }
    }
    return Invited{wanted.request, std::move(made), invitation.expires, is_anew,
                   cuts_off ? replaces : no_office};
}

}  // namespace

void invite(Ledger& ledger, const InviteWanted& wanted, Now now, std::vector<Notice>& notify) {
    auto made = make_invite(ledger, wanted, now);
    if (made) {
        notify.emplace_back(std::move(*made));
    } else {
        notify.emplace_back(Declined{wanted.request, made.error()});
    }
}

Result<bool> admit_enrolled(Ledger& ledger, Now now, std::vector<Notice>& notify) {
    if (!check_authority(ledger)) {
        return false;
    }
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (office.state != crypto::OfficeState::invited || office.expires < ledger.wall(now)) {
            continue;
        }
        const auto requests = ledger.enrolments(index);
        if (requests.empty()) {
            continue;
        }
        const auto enrolment = TRY(decode_enrolment(requests.front()->payload));
        TRY(sign_roster_change(
            ledger,
            {Admit{index, office.role, office.first_ordinal, enrolment.identity, enrolment.link,
                   enrolment.mail, office.replaces, office.name}},
            now));
        ledger.note(What::admitted, {.office = index}, now, notify);
        return true;
    }
    return false;
}

}  // namespace fieldpost::engine
