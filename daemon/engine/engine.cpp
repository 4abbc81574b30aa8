#include "daemon/engine/engine_parts.h"

#include "daemon/engine/healing.h"
#include "daemon/engine/membership/authority.h"
#include "daemon/engine/membership/cut_offs.h"
#include "daemon/engine/membership/groups.h"
#include "daemon/engine/membership/invitations.h"
#include "daemon/engine/membership/own_statement.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/engine/record/carry_share.h"
#include "daemon/engine/record/delivery.h"
#include "daemon/engine/record/forgetting.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/record/publication.h"
#include "daemon/engine/record/receipts.h"
#include "daemon/engine/record/terminal.h"
#include "daemon/engine/record/withdrawal.h"
#include "daemon/engine/self_check.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

// Receipts of one author are signed at once when the first arrives, then at most this often.
constexpr auto receipt_interval = std::chrono::milliseconds{1000};
// Clocks, expiries and our own statement are looked at this often.
constexpr auto housekeeping_interval = std::chrono::minutes{10};
// So many bytes are made public at once. It feeds a fast link between two commits, and a long queue
// does not hold up everything else for more than a few milliseconds.
constexpr std::size_t publish_bytes = 65536;
// Reports that follow each other this fast travel together, a few in one record; the first goes at
// once, what is urgent always does, and so does all of which there is more than one record holds.
constexpr auto publish_interval = std::chrono::milliseconds{250};
// So many reports that statements take back are looked at in a batch.
constexpr std::size_t withdrawn_a_batch = 100;
// Slots are given to new members at most this often: they come together in one page.
constexpr auto groups_interval = std::chrono::minutes{1};

}  // namespace

Engine::Engine(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

namespace {

// In a transaction of its own, before anything is read: an engine that stops before its first batch
// meets no damage again, but rows that lack, and those put the store in doubt too.
Result<std::optional<storage::PutAside>> check_if_in_doubt(storage::RecordStore& store) {
    std::optional<storage::PutAside> checked;
    if (!store.is_in_doubt()) {
        return checked;
    }
    TRY(store.begin());
    const auto gone = store.put_aside_damage();
    if (!gone) {
        store.abort();
        return std::unexpected(gone.error());
    }
    checked = *gone;
    TRY(store.commit());
    return checked;
}

}  // namespace

Result<Engine> Engine::load(storage::RecordStore& store, const Config& config,
                            const Founding& founding, Now now,
                            const std::optional<Marker>& marker) {
    auto checked = TRY(check_if_in_doubt(store));
    const auto load_ledger = [&]() -> Result<Ledger> {
        TRY(store.begin());
        auto loaded = Ledger::load(store, config, founding, now);
        store.abort();
        return loaded;
    };
    auto ledger = load_ledger();
    if (!ledger && ledger.error().code == Errc::corrupt && !checked) {
        store.doubt();
        checked = TRY(check_if_in_doubt(store));
        ledger = load_ledger();
    }
    auto parts = std::make_unique<Parts>(Parts{TRY(std::move(ledger))});
    parts->checked = checked;
    parts->is_put_back = marker && is_behind(parts->ledger, *marker);
    reserve_numbers(parts->ledger);
    release_refused_before(parts->ledger);
    for (const auto& [log, state] : parts->ledger.logs()) {
        if (state.addresses_us) {
            parts->unreceipted.insert(log.author);
            parts->may_have_withdrawn.insert(log.author);
        }
    }
    return Engine(std::move(parts));
}

Marker Engine::marker() const {
    return marker_of(parts_->ledger);
}

const Ledger& Engine::ledger() const {
    return parts_->ledger;
}

std::vector<LinkView> Engine::links() const {
    return parts_->sessions.views();
}

Result<Consequences> Engine::run_batch(std::span<const Input> inputs,
                                       const std::function<Now()>& time) {
    auto& store = parts_->ledger.store();
    TRY(store.begin());
    Consequences out;
    Result<void> handled = ok();
    try {
        handled = parts_->handle(inputs, time, out);
        if (handled) {
            // The store has no transaction open afterwards, whatever comes of it.
            handled = store.commit();
            if (!handled) {
                return std::unexpected(handled.error());
            }
            out.wake_at = parts_->wake_at;
            return out;
        }
    } catch (const std::bad_alloc&) {
        // The ledger may be half edited: it goes, as after a write that failed.
        handled = fail(Errc::no_memory, "not enough memory for what came over the links");
    }
    store.abort();
    // After a write that failed the reads of its transaction fail too, with less to say.
    const auto error = parts_->ledger.write_failure().value_or(handled.error());
    if (error.code == Errc::corrupt) {
        store.doubt();
    }
    return std::unexpected(error);
}

Result<void> Engine::Parts::handle(std::span<const Input> inputs, const std::function<Now()>& time,
                                   Consequences& out) {
    if (std::exchange(is_new, false)) {
        ledger.write(storage::NoteStart{ledger.config().life});
        const bool had_lost_records = checked.has_value();
        TRY(put_aside_damage(ledger, std::exchange(checked, {}), time(), out.notify));
        bound_under_way(ledger);
        if (had_lost_records || !is_count_sound(ledger)) {
            TRY(recount_carried(ledger));
        }
        TRY(apply_cut_offs(ledger));
        catching_up.look_at_roster(ledger);
        older_lives.look_at(ledger);
    }
    look_at_mail_keys();
    if (std::exchange(is_put_back, false)) {
        stop_writing(ledger, {ledger.us(), How::local}, std::nullopt, {}, time(), out.notify);
    }
    for (const auto& input : inputs) {
        const auto now = time();
        ledger.let_time_pass(now);
        TRY(std::visit([&](const auto& one) { return on(one, now, out); }, input));
    }
    const auto now = time();
    ledger.let_time_pass(now);
    TRY(end_batch(now, out));
    return ledger.flush();
}

// Mail may be locked or opened between any two batches.
void Engine::Parts::look_at_mail_keys() {
    const auto* mail = ledger.config().mail;
    if (mail == nullptr) {
        waiting_from.reset();
        ledger.types().forget();
    } else if (!was_mail_open) {
        waiting_from = storage::Arrival{0};
        if (ledger.meta().archive_key != mail->archive.public_key) {
            ledger.edit_meta().archive_key = mail->archive.public_key;
        }
    }
    was_mail_open = mail != nullptr;
}

void Engine::Parts::wake_by(std::optional<Instant> at) {
    if (at && (!wake_at || *at < *wake_at)) {
        wake_at = at;
    }
}

Result<bool> Engine::Parts::keep_whole_bodies(Now now, Consequences& out) {
    const bool any = TRY(bundles.finish_bodies(ledger, now, out.notify));
    return TRY(sessions.keep_whole_streams(ledger, now, out)) || any;
}

// Tells the peers of newly held records, and has those for us receipted.
Result<bool> Engine::Parts::settle_news(Now now, Consequences& out) {
    const auto news = ledger.take_news();
    sessions.tell(ledger, news, now, out);
    for (const auto& [log, numbers] : news.held) {
        if (ledger.log(log).addresses_us) {
            unreceipted.insert(log.author);
        }
        TRY(settle_held(ledger, log, numbers));
    }
    if (news.roster) {
        release_refused_by_roster(ledger);
        catching_up.look_at_roster(ledger);
    }
    for (const auto& name : news.registers) {
        if (name.key.kind == static_cast<std::uint8_t>(RegisterKind::office)) {
            may_have_withdrawn.insert(name.key.signer);
        }
    }
    const auto is_any = [&](RegisterKind kind) {
        return std::ranges::any_of(news.registers, [&](const RegisterName& name) {
            return name.key.kind == static_cast<std::uint8_t>(kind);
        });
    };
    if (news.roster || is_any(RegisterKind::office)) {
        have_members_changed = true;
        older_lives.look_at(ledger);
    }
    if (is_any(RegisterKind::epoch_slots) && ledger.config().mail != nullptr) {
        waiting_from = storage::Arrival{0};  // some of it may open now
        wake_by(now.steady);
    }
    if (news.roster_closed_one) {
        TRY(settle_with_closed_offices(news.cut_off, now, out));
    }
    // More than before: something went, or the office may carry more.
    TRY(fit_carry_share(ledger));
    const auto limit = carry_limit(ledger);
    const auto room = limit - std::min(limit, carried_bytes(ledger));
    if (room > room_when_released) {
        release_refused(ledger);
    }
    room_when_released = room;
    TRY(sign_receipts(now));
    return !news.held.empty() || !news.registers.empty() || news.roster || !news.released.empty();
}

// An office that was revoked or has retired counts as served. No link to a revoked office stays.
Result<void> Engine::Parts::settle_with_closed_offices(const std::set<OfficeId>& cut_off, Now now,
                                                       Consequences& out) {
    sessions.close_links_to_closed(ledger, out);
    TRY(apply_cut_offs(ledger));
    for (const auto office : cut_off) {
        if (office != ledger.us()) {
            TRY(tell_of_reports_beyond(ledger, office, now));
        }
    }
    if (ledger.config().mail != nullptr) {
        waiting_from = storage::Arrival{0};  // some of it must not be opened any more
        wake_by(now.steady);
    }
    for (const auto& [log, state] : std::map(ledger.logs())) {
        if (log.author == ledger.us()) {
            TRY(prove_again(ledger, log, state.held, now, out.notify));
        }
        TRY(settle_held(ledger, log, state.held));
    }
    return ok();
}

Result<void> Engine::Parts::sign_receipts(Now now) {
    std::set<OfficeId> due;
    for (const auto author : unreceipted) {
        const auto last = receipted_at.find(author);
        if (last == receipted_at.end() || now.steady - last->second >= receipt_interval) {
            due.insert(author);
        } else {
            wake_by(last->second + receipt_interval);
        }
    }
    for (const auto author : due) {
        unreceipted.erase(author);
        receipted_at[author] = now.steady;
    }
    return renew_receipts(ledger, due, now);
}

Instant Engine::Parts::may_publish_at(const LogKey& log, Number up_to) const {
    const auto last = published_at.find(log);
    const bool goes_at_once = last == published_at.end() ||
                              log.record_class == RecordClass::urgent ||
                              up_to - ledger.log(log).published >= limits::run_count_max;
    return goes_at_once ? Instant{} : last->second + publish_interval;
}

Result<bool> Engine::Parts::publish_wanted(Now now) {
    auto wanted = sessions.to_publish(ledger);
    std::erase_if(wanted, [&](const auto& entry) {
        return may_publish_at(entry.first, entry.second) > now.steady;
    });
    for (const auto& [log, number] : wanted) {
        published_at[log] = now.steady;
        TRY(publish(ledger, log, number, publish_bytes));
    }
    return !wanted.empty();
}

// A cell of each that is wanted. True: something had to be made public first.
Result<bool> Engine::Parts::write_bundles(Consequences& out) {
    const auto unpublished = TRY(bundles.write(ledger, out.notify));
    if (unpublished) {
        TRY(publish(ledger, unpublished->log, unpublished->number, publish_bytes));
    }
    return unpublished.has_value();
}

// Looks at lasting states that need a person, now and then.
Result<void> Engine::Parts::look_after(Now now) {
    const bool is_in_doubt = ledger.meta().doubtful || ledger.clock().is_waiting();
    ledger.keep_raised(What::clock, ledger.us(), is_in_doubt ? 1 : 0, {}, now);
    if (looked_after_at && now.steady - *looked_after_at < housekeeping_interval) {
        return ok();
    }
    looked_after_at = now.steady;
    ledger.move_windows();
    expire_under_way(ledger);
    // Records that were released before have come by now, and there may be room for more.
    release_refused(ledger);
    ledger.keep_raised(What::undelivered, ledger.us(), TRY(count_undelivered(ledger, now)), {},
                       now);
    return ok();
}

void Engine::Parts::tend_groups(Now now) {
    if (!have_members_changed || !has_groups_to_tend(ledger) || ledger.meta().stopped ||
        !knows_newest_roster(ledger)) {
        return;
    }
    if (groups_tended_at && now.steady - *groups_tended_at < groups_interval) {
        wake_by(*groups_tended_at + groups_interval);
        return;
    }
    groups_tended_at = now.steady;
    have_members_changed = false;
    tend_group_keys(ledger, now);
}

// After this store was caught, or a person said that this copy goes on.
Result<bool> Engine::Parts::go_on_in_new_life(Now now, Consequences& out) {
    const bool is_at_once = ledger.take_at_once() && ledger.meta().stopped;
    if (!patience.is_over(ledger, now.steady) && !is_at_once) {
        wake_by(patience.ends_at());
        return false;
    }
    if (const auto begun = begin_new_life(ledger, now, out.notify); !begun) {
        ledger.edit_meta().goes_on = false;  // no more can be done without a person
        return begun.error().code == Errc::refused ? Result<bool>(false)
                                                   : std::unexpected(begun.error());
    }
    // Links ended in a question, or were told what the older life said.
    sessions.close_all(out);
    older_lives.look_at(ledger);
    // A copy may have signed newer receipts than these.
    for (const auto& [log, state] : ledger.logs()) {
        if (state.addresses_us) {
            unreceipted.insert(log.author);
        }
    }
    return true;
}

// A part of it in each batch, so that links are served in between.
Result<bool> Engine::Parts::write_reports_again(Now now, Consequences& out) {
    if (std::exchange(has_written_again, true)) {
        return false;
    }
    const bool any = TRY(catching_up.go_on(ledger, now, out.notify)) ||
                     TRY(older_lives.go_on(ledger, now, out.notify));
    wake_by(any ? std::optional(now.steady) : std::nullopt);
    return any;
}

Result<void> Engine::Parts::mark_all_withdrawn(Now now, Consequences& out) {
    auto left = withdrawn_a_batch;
    while (!may_have_withdrawn.empty()) {
        const auto author = may_have_withdrawn.begin();
        if (TRY(apply_withdrawn(ledger, *author, left, now, out.notify))) {
            wake_by(now.steady);
            return ok();
        }
        may_have_withdrawn.erase(author);
    }
    return ok();
}

// All that had arrived was handled: now what follows from it.
Result<void> Engine::Parts::end_batch(Now now, Consequences& out) {
    wake_at.reset();
    has_written_again = false;
    sessions.let_time_pass(now);
    if (waiting_from) {
        waiting_from = TRY(deliver_waiting(ledger, *waiting_from, unreceipted, now, out.notify));
        wake_by(waiting_from ? std::optional(now.steady) : std::nullopt);
    }
    // A step may give the steps before it more to do.
    while (TRY(go_on_in_new_life(now, out)) || TRY(keep_whole_bodies(now, out)) ||
           TRY(settle_news(now, out)) || TRY(publish_wanted(now)) || TRY(write_bundles(out)) ||
           TRY(expire_due(ledger, now, out.notify)) ||
           TRY(admit_enrolled(ledger, now, out.notify)) || TRY(write_reports_again(now, out))) {
        if (ledger.write_failure()) {
            // A step would find its change missing from the store, and repeat it for ever.
            return std::unexpected(*ledger.write_failure());
        }
    }
    TRY(mark_all_withdrawn(now, out));
    bundles.tell(out.notify);
    TRY(look_after(now));
    renew_statement(ledger, now);
    tend_groups(now);
    // The new statement is told at once.
    const auto news = ledger.take_news();
    wake_by(TRY(sessions.pump(ledger, news, now, out)));
    for (const auto& [log, number] : sessions.to_publish(ledger)) {
        wake_by(std::max(now.steady, may_publish_at(log, number)));
    }
    if (const auto due = TRY(ledger.store().next_expiry())) {
        const auto left =
            std::max<std::int64_t>(1, due->at.unix_seconds() - ledger.aged().unix_seconds());
        wake_by(now.steady + std::min<std::chrono::milliseconds>(std::chrono::seconds{left},
                                                                 housekeeping_interval));
    }
    door.close_late(now, out.notify);
    wake_by(door.wake_at());
    wake_by(now.steady + housekeeping_interval);
    if (is_stopping) {
        release_numbers(ledger);
    }
    return ok();
}

}  // namespace fieldpost::engine
