// The engine takes each kind of input here. The consequences follow at the end of the batch
// (engine.cpp).
#include <fmt/format.h>

#include "daemon/engine/engine_parts.h"
#include "daemon/engine/membership/invitations.h"
#include "daemon/engine/membership/revocation.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/engine/record/forgetting.h"
#include "daemon/engine/record/intake.h"
#include "daemon/engine/record/receipts.h"
#include "daemon/engine/record/withdrawal.h"

namespace fieldpost::engine {

Result<void> Engine::Parts::on(const LinkUp& up, Now now, Consequences& out) {
    ledger.note(What::peer_up, {.office = up.peer}, now, out.notify);
    door.let_in(ledger, up.peer);
    return sessions.begin(ledger, up, now, out);
}

Result<void> Engine::Parts::on(const StrangerUp& up, Now now, Consequences&) {
    door.open(ledger, up.link, up.key, now);
    return ok();
}

Result<void> Engine::Parts::on(const LinkDown& down, Now now, Consequences& out) {
    door.close(down.link);
    return sessions.end(ledger, down, now, out);
}

Result<void> Engine::Parts::on(const LinkRepairs& repairs, Now, Consequences&) {
    sessions.repairs(repairs);
    return ok();
}

Result<void> Engine::Parts::on(const FrameArrived& frame, Now now, Consequences& out) {
    if (door.is_at(frame.link)) {
        door.receive(ledger, frame.link, frame.bytes, now, out);
        return ok();
    }
    return sessions.receive(ledger, frame, now, out);
}

Result<void> Engine::Parts::on(const BundleFrame& frame, Now now, Consequences& out) {
    return bundles.take(ledger, frame, now, out.notify);
}

Result<void> Engine::Parts::on(const BundleWanted& wanted, Now now, Consequences&) {
    // A stick does not come back for what was held up for company.
    TRY(renew_receipts(ledger, std::exchange(unreceipted, {}), now));
    return bundles.begin(ledger, wanted, now);
}

Result<void> Engine::Parts::on(const BundleMore& more, Now, Consequences&) {
    bundles.want(more);
    return ok();
}

Result<void> Engine::Parts::on(const BundleEnded& ended, Now, Consequences&) {
    bundles.end(ledger, ended.bundle);
    return ok();
}

Result<void> Engine::Parts::on(const Submitted& submitted, Now now, Consequences& out) {
    return submit(ledger, submitted, now, out.notify);
}

Result<void> Engine::Parts::on(const WithdrawalWanted& wanted, Now now, Consequences& out) {
    return withdraw(ledger, wanted, now, out.notify);
}

Result<void> Engine::Parts::on(const ForgetWanted& wanted, Now now, Consequences& out) {
    return forget(ledger, wanted, now, out.notify);
}

Result<void> Engine::Parts::on(const InviteWanted& wanted, Now now, Consequences& out) {
    if (wanted.replace) {
        groups_tended_at.reset();  // as a revocation
    }
    invite(ledger, wanted, now, out.notify);
    return ok();
}

Result<void> Engine::Parts::on(const RevocationWanted& wanted, Now now, Consequences& out) {
    groups_tended_at.reset();  // the new epoch comes in the same commit
    return revoke(ledger, wanted, now, out.notify);
}

Result<void> Engine::Parts::on(const BlockWanted& wanted, Now now, Consequences& out) {
    if (ledger.peer(wanted.office).blocked != wanted.undo) {
        return ok();
    }
    ledger.edit_peer(wanted.office).blocked = !wanted.undo;
    ledger.keep_raised(What::blocked, wanted.office, wanted.undo ? 0 : 1, {}, now);
    if (!wanted.undo) {
        sessions.close_links_to_closed(ledger, out);
        return ok();
    }
    release_refused_by_roster(ledger);
    if (ledger.config().mail != nullptr) {
        waiting_from = storage::Arrival{0};
        wake_by(now.steady);
    }
    return ok();
}

Result<void> Engine::Parts::on(const ContinueWanted&, Now, Consequences&) {
    if (ledger.meta().stopped) {
        ledger.go_on_at_once();
    } else {
        ledger.edit_meta().caught = {};  // the authority need not meet two offices first
    }
    return ok();
}

Result<void> Engine::Parts::on(const Dismissed& dismissed, Now now, Consequences& out) {
    const auto is_known = [&](std::uint32_t number) {
        return std::ranges::any_of(ledger.attention().items(), [&](const auto& entry) {
            return entry.second.number == number;
        });
    };
    for (const auto number : dismissed.numbers) {
        if (!is_known(number)) {
            out.notify.emplace_back(Declined{
                dismissed.request,
                {Errc::not_found, fmt::format("nothing is numbered {} in attention", number)}});
            return ok();
        }
    }
    for (const auto number : dismissed.numbers) {
        const auto clock = ledger.attention().items().find({What::clock, ledger.us(), {}});
        if (clock != ledger.attention().items().end() && clock->second.number == number) {
            // An office that meets one other only would wait for a second witness for ever.
            ledger.trust_clock(now);
        }
        ledger.dismiss(number, now);
    }
    return ok();
}

Result<void> Engine::Parts::on(const Confirmed& confirmed, Now now, Consequences&) {
    ledger.edit_peer(confirmed.office).confirmed = true;
    ledger.keep_raised(What::unconfirmed, confirmed.office, 0, {}, now);
    return ok();
}

Result<void> Engine::Parts::on(const DayUsed& used, Now, Consequences&) {
    auto& peer = ledger.edit_peer(used.office);
    peer.used_day = used.day;
    peer.used_bytes = used.bytes;
    return ok();
}

Result<void> Engine::Parts::on(const MachineTrouble& trouble, Now now, Consequences&) {
    ledger.keep_raised(trouble.what, ledger.us(), trouble.detail.empty() ? 0 : trouble.count,
                       trouble.detail, now, trouble.is_news);
    return ok();
}

Result<void> Engine::Parts::on(const TimerFired&, Now, Consequences&) {
    return ok();
}

Result<void> Engine::Parts::on(const Stopping&, Now, Consequences&) {
    is_stopping = true;
    return ok();
}

}  // namespace fieldpost::engine
