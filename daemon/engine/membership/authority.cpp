#include "daemon/engine/membership/authority.h"

#include "daemon/engine/self_check.h"
#include "proto/limits.h"

namespace fieldpost::engine {

Result<void> check_authority(const Ledger& ledger) {
    const auto* mail = ledger.config().mail;
    if (mail == nullptr || !mail->authority) {
        return fail(Errc::refused, "only the authority can do this");
    }
    if (ledger.meta().stopped) {
        return fail(Errc::refused, stopped_words);
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
