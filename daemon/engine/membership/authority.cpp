#include "daemon/engine/membership/authority.h"

#include "daemon/engine/self_check.h"
#include "proto/limits.h"

namespace fieldpost::engine {

bool knows_newest_roster(const Ledger& ledger) {
    if (ledger.meta().caught == WallTime{}) {
        return true;
    }
    std::size_t others = 0;
    std::size_t met = 0;
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (office.is_member() && index != ledger.us()) {
            ++others;
            const auto& peer = ledger.peer(index);
            met +=
                peer.met > ledger.meta().caught && peer.roster_version <= ledger.roster().version()
                    ? 1
                    : 0;
        }
    }
    return met >= std::min<std::size_t>(others, 2);
}

Result<void> check_authority(const Ledger& ledger) {
    const auto* mail = ledger.config().mail;
    if (mail == nullptr || !mail->authority) {
        return fail(Errc::refused, "only the authority can do this");
    }
    if (ledger.meta().stopped) {
        return fail_stopped(ledger);
    }
    if (!knows_newest_roster(ledger)) {
        return fail(Errc::refused,
                    "this authority was put back from a copy, and may lack the newest roster; it "
                    "signs nothing until it has met two other offices");
    }
    if (ledger.meta().roster_frozen) {
        return fail(Errc::refused, "the roster was signed twice in two ways: see attention");
    }
    return ok();
}

Result<void> sign_roster_change(Ledger& ledger, std::vector<RosterStatement> statements, Now now) {
    RosterChange change;
    change.at = ledger.wall(now);
    change.statements = std::move(statements);
    crypto::sign_change(*ledger.config().mail->authority, ledger.roster(), change);
    if (encode_roster_change(change).size() > limits::roster_change_bytes_max) {
        return fail(Errc::limit_exceeded, "a change of the roster that no office would read");
    }
    return ledger.apply_roster_change(change, now);
}

}  // namespace fieldpost::engine
