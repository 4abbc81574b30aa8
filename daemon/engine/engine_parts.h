// The parts of an engine. engine.cpp runs a batch, and engine_inputs.cpp takes each input.
#pragma once

#include "daemon/engine/bundle/open_bundles.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/ledger.h"
#include "daemon/engine/membership/replacements.h"
#include "daemon/engine/new_life.h"
#include "daemon/engine/session/door.h"
#include "daemon/engine/session/sessions.h"

namespace fieldpost::engine {

struct Engine::Parts {
    Ledger ledger;
    Sessions sessions{};
    OpenBundles bundles{};
    Door door{};
    std::set<OfficeId> unreceipted{};
    // Authors whose newest statement may say that reports here are taken back.
    std::set<OfficeId> may_have_withdrawn{};
    std::map<OfficeId, Instant> receipted_at{};
    std::map<LogKey, Instant> published_at{};
    std::uint64_t room_when_released = 0;
    std::optional<Instant> looked_after_at{};
    std::optional<Instant> wake_at{};
    bool was_mail_open = false;  // in the batch before
    // The arrival to go on from with what waits for a key; nothing: all was tried, or mail is
    // locked.
    std::optional<storage::Arrival> waiting_from{};
    // All rows of the store were looked at when this was made.
    std::optional<storage::PutAside> checked{};
    // New machines that this office writes to what the ones before them lack.
    CatchingUp catching_up{};
    OlderLives older_lives{};
    Patience patience{};
    bool has_written_again = false;    // a part of either, in this batch
    bool have_members_changed = true;  // since groups were looked at: the roster, or a statement
    std::optional<Instant> groups_tended_at{};
    bool is_new = true;        // before its first batch
    bool is_put_back = false;  // the marker says so: to be told in the first batch
    bool is_stopping = false;

    Result<void> on(const LinkUp& up, Now now, Consequences& out);
    Result<void> on(const StrangerUp& up, Now now, Consequences& out);
    Result<void> on(const LinkDown& down, Now now, Consequences& out);
    Result<void> on(const LinkRepairs& repairs, Now now, Consequences& out);
    Result<void> on(const FrameArrived& frame, Now now, Consequences& out);
    Result<void> on(const BundleFrame& frame, Now now, Consequences& out);
    Result<void> on(const BundleWanted& wanted, Now now, Consequences& out);
    Result<void> on(const BundleMore& more, Now now, Consequences& out);
    Result<void> on(const BundleEnded& ended, Now now, Consequences& out);
    Result<void> on(const Submitted& submitted, Now now, Consequences& out);
    Result<void> on(const WithdrawalWanted& wanted, Now now, Consequences& out);
    Result<void> on(const ForgetWanted& wanted, Now now, Consequences& out);
    Result<void> on(const InviteWanted& wanted, Now now, Consequences& out);
    Result<void> on(const RevocationWanted& wanted, Now now, Consequences& out);
    Result<void> on(const BlockWanted& wanted, Now now, Consequences& out);
    Result<void> on(const ContinueWanted& wanted, Now now, Consequences& out);
    Result<void> on(const Dismissed& dismissed, Now now, Consequences& out);
    Result<void> on(const Confirmed& confirmed, Now now, Consequences& out);
    Result<void> on(const DayUsed& used, Now now, Consequences& out);
    Result<void> on(const MachineTrouble& trouble, Now now, Consequences& out);
    Result<void> on(const TimerFired& timer, Now now, Consequences& out);
    Result<void> on(const Stopping& stopping, Now now, Consequences& out);

    Result<void> handle(std::span<const Input> inputs, const std::function<Now()>& time,
                        Consequences& out);
    Result<void> end_batch(Now now, Consequences& out);
    void look_at_mail_keys();
    void wake_by(std::optional<Instant> at);
    Result<bool> keep_whole_bodies(Now now, Consequences& out);
    Result<bool> write_bundles(Consequences& out);
    Result<bool> settle_news(Now now, Consequences& out);
    Result<void> settle_with_closed_offices(const std::set<OfficeId>& cut_off, Now now,
                                            Consequences& out);
    [[nodiscard]] Instant may_publish_at(const LogKey& log, Number up_to) const;
    Result<bool> publish_wanted(Now now);
    Result<bool> go_on_in_new_life(Now now, Consequences& out);
    Result<bool> write_reports_again(Now now, Consequences& out);
    Result<void> mark_all_withdrawn(Now now, Consequences& out);
    Result<void> sign_receipts(Now now);
    Result<void> look_after(Now now);
    void tend_groups(Now now);
};

}  // namespace fieldpost::engine
