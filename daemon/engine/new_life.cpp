#include "daemon/engine/new_life.h"

#include "daemon/engine/record/authoring.h"
#include "daemon/engine/record/log_bounds.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/record/reissue.h"

namespace fieldpost::engine {

using storage::State;

namespace {

std::uint16_t highest_ordinal(const Ledger& ledger) {
    const auto* us = ledger.roster().find(ledger.us());
    auto highest = std::max(ledger.meta().incarnation.ordinal, ledger.meta().seen.ordinal);
    highest = std::max(highest, us == nullptr ? std::uint16_t{0} : us->first_ordinal);
    for (const auto& [log, state] : ledger.logs_of(ledger.us())) {
        highest = std::max(highest, log.incarnation.ordinal);
    }
    for (const auto* entry : ledger.registers_of(ledger.us())) {
        highest = std::max(highest, entry->version.incarnation.ordinal);
    }
    return highest;
}

bool is_under_way(const storage::Recipient& one) {
    return one.state == State::queued || one.state == State::carried ||
           (one.state == State::failed && one.reason == storage::FailReason::refused);
}

// The recipients that wait for the record with this number.
std::map<OfficeId, OfficeId> waiting_for(const storage::ReportKey& report,
                                         const storage::ReportProgress& page, const LogKey& log,
                                         Number number) {
    std::map<OfficeId, OfficeId> waiting;
    for (const auto& one : page.recipients) {
        if (is_under_way(one) && is_served_by(report, one, log, number)) {
            waiting.emplace(one.office, one.office);
        }
    }
    return waiting;
}

// Nobody has this record, and it goes to nobody. It stays readable.
Result<void> give_up_number(Ledger& ledger, const storage::StoredRecord& record, Now now) {
    const auto number = record.run.first;
    TRY(prove_record(
        ledger, record.log, number,
        {.of = record.expires.is_over_at(ledger.aged()) ? Proof::Of::expired : Proof::Of::damaged},
        now));
    ledger.write(storage::DropExpiry{record.expires, record.arrival});
    // Not called done: another record may be public under this number, and is wanted.
    ledger.write(storage::DropNumber{record.log, number});
    ledger.lose(record.log, {record.run});
    return ok();
}

// Numbers that this store took for skipped may be public: whatever it signed since the copy was
// made has them. So they are not called done, and are taken back from whoever has them.
void forget_skipped_numbers(Ledger& ledger) {
    for (const auto& [log, state] : std::map(ledger.logs())) {
        if (log.author != ledger.us()) {
            continue;
        }
        auto skipped = without(state.known, state.held);
        if (state.published > 0) {
            skipped.remove({1, state.published});
        }
        if (state.closed_from != 0) {
            skipped.remove({state.closed_from, UINT32_MAX});
        }
        ledger.lose(log, skipped);
    }
}

}  // namespace

bool Patience::is_over(const Ledger& ledger, Instant now) {
    if (!ledger.meta().stopped || !ledger.meta().goes_on) {
        ends_at_.reset();
        return false;
    }
    // A peer tells all that it has of an office within two turns of a link. A slow one takes
    // seconds for that.
    constexpr auto patience = std::chrono::seconds{5};
    if (!ends_at_ || ledger.meta().seen > seen_) {
        ends_at_ = now + patience;
        seen_ = ledger.meta().seen;
    }
    return now >= *ends_at_;
}

Result<void> begin_new_life(Ledger& ledger, Now now, std::vector<Notice>& notify) {
    const auto highest = highest_ordinal(ledger);
    if (highest == UINT16_MAX) {
        return fail(Errc::refused, "this office has had as many incarnations as there can be");
    }
    forget_skipped_numbers(ledger);
    auto& meta = ledger.edit_meta();
    meta.incarnation = {static_cast<std::uint16_t>(highest + 1), ledger.config().life};
    meta.next_counter = 1;
    meta.counter_reserved = 0;
    meta.stopped = false;
    meta.goes_on = false;
    for (std::uint8_t c = 0; c < record_classes; ++c) {
        TRY(make_room_for(ledger, {ledger.us(), meta.incarnation, static_cast<RecordClass>(c)}));
    }
    reserve_numbers(ledger);
    ledger.keep_raised(What::stopped, ledger.us(), 0, {}, now);
    ledger.note(What::new_life, {.office = ledger.us()}, now, notify);
    return ok();
}

void OlderLives::look_at(const Ledger& ledger) {
    for (const auto& [log, state] : ledger.logs_of(ledger.us())) {
        if (log.incarnation < ledger.meta().incarnation && !state.held.empty()) {
            from_.try_emplace(log, Number{1});
        }
    }
}

Result<bool> OlderLives::go_on(Ledger& ledger, Now now, std::vector<Notice>& notify) {
    if (from_.empty() || !may_write_again(ledger)) {
        return false;
    }
    Allowance allowance;
    while (!from_.empty()) {
        auto& [log, from] = *from_.begin();
        for (auto number = ledger.log(log).held.next(from); number;
             number = ledger.log(log).held.after(*number)) {
            if (allowance.is_spent()) {
                return true;
            }
            --allowance.looks;
            from = *number;
            const auto report = TRY(report_under(ledger, log, *number));
            auto page = TRY(ledger.store().report(report));
            auto waiting =
                page ? waiting_for(report, *page, log, *number) : std::map<OfficeId, OfficeId>{};
            bool is_gone = false;
            if (!waiting.empty()) {
                const auto again = TRY(write_again(ledger, report, waiting, now, notify));
                allowance.count(again.bytes);
                is_gone = again.is_gone;
                page = TRY(ledger.store().report(report));
                waiting = waiting_for(report, *page, log, *number);
            }
            // Somebody who cannot be sealed to now may be later: look_at() is called again.
            const auto record = TRY(ledger.store().record(log, *number, storage::WithBody::no));
            if (record && record->id.is_zero() && (waiting.empty() || is_gone)) {
                TRY(give_up_number(ledger, *record, now));
            }
        }
        from_.erase(from_.begin());
    }
    return true;
}

}  // namespace fieldpost::engine
