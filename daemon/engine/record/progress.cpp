#include "daemon/engine/record/progress.h"

namespace fieldpost::engine {

using storage::FailReason;
using storage::Recipient;
using storage::State;

namespace {

// True while there is no proof that the report arrived there or never will.
bool is_under_way(const Recipient& one) {
    return one.state == State::queued || one.state == State::carried ||
           (one.state == State::failed && one.reason == FailReason::refused);
}

bool is_damaged(const Recipient& one) {
    return one.state == State::failed && one.reason == FailReason::damaged;
}

// True if the report was never sealed to this recipient. No later proof changes that.
bool was_left_out(const Recipient& one) {
    return one.state == State::failed &&
           (one.reason == FailReason::no_key || one.reason == FailReason::closed);
}

void fail_for(Recipient& one, FailReason reason) {
    one.state = State::failed;
    one.reason = reason;
}

void set_state(Recipient& one, State state) {
    one.state = state;
    one.reason = FailReason::none;
}

void set_under_way(Recipient& one) {
    set_state(one, one.carried_at == WallTime{} ? State::queued : State::carried);
}

}  // namespace

// One case for each proof: the whole table of states stands in one place.
bool advance(Recipient& one, const Proof& proof, WallTime at) {
    const auto before = one;
    if (was_left_out(one)) {
        return false;
    }
    switch (proof.of) {
        case Proof::Of::carried:
            if (one.carried_at == WallTime{}) {
                one.carried_at = at;
                one.carried_by = proof.by;
            }
            if (one.state == State::queued || is_damaged(one)) {
                set_state(one, State::carried);
            }
            break;
        case Proof::Of::carried_no_more:
            if (is_under_way(one)) {
                one.carried_at = {};
                one.carried_by = {};
            }
            if (one.state == State::carried) {
                one.state = State::queued;
            }
            break;
        case Proof::Of::received:
            // A recipient that could not open a record never takes that back.
            if (one.reason == FailReason::unreadable) {
                break;
            }
            if (one.delivered_at == WallTime{}) {
                one.delivered_at = at;
            }
            if (one.state != State::acknowledged) {
                set_state(one, State::delivered);
            }
            break;
        case Proof::Of::unreadable:
            // An answer shows that somebody has read it.
            if (one.state != State::acknowledged) {
                fail_for(one, FailReason::unreadable);
            }
            break;
        case Proof::Of::refused:
            if (is_under_way(one)) {
                fail_for(one, FailReason::refused);
            }
            break;
        case Proof::Of::refused_no_more:
            if (is_under_way(one) && one.state == State::failed) {
                set_under_way(one);
            }
            break;
        case Proof::Of::answered:
            // Answers may come in any order; the newest counts.
            if (one.answer && proof.answer <= *one.answer) {
                break;
            }
            set_state(one, State::acknowledged);
            one.acknowledged_at = at;
            one.answer = proof.answer;
            one.outcome = proof.outcome;
            break;
        case Proof::Of::expired:
            if (is_under_way(one)) {
                set_state(one, State::expired);
            }
            break;
        case Proof::Of::revoked:
        case Proof::Of::retired:
            if (is_under_way(one)) {
                fail_for(one, proof.of == Proof::Of::revoked ? FailReason::revoked
                                                             : FailReason::retired);
            }
            break;
        case Proof::Of::damaged:
            if (one.state == State::queued) {
                fail_for(one, FailReason::damaged);
            }
            break;
        case Proof::Of::taken_back:
            if (is_damaged(one)) {
                set_under_way(one);
            }
            break;
    }
    return one != before;
}

Result<bool> prove(Ledger& ledger, const storage::ReportKey& report, const Proof& proof, Now now) {
    auto progress = TRY(ledger.store().report(report));
    if (!progress) {
        return false;
    }
    bool has_changed = false;
    for (auto& one : progress->recipients) {
        if (!proof.recipient || one.office == *proof.recipient) {
            has_changed = advance(one, proof, ledger.wall(now)) || has_changed;
        }
    }
    if (has_changed) {
        ledger.write(storage::PutReport{report, std::move(*progress)});
    }
    return has_changed;
}

Result<void> replace(Ledger& ledger, const storage::ReportKey& original,
                     const storage::ReportKey& correction) {
    auto progress = TRY(ledger.store().report(original));
    if (!progress) {
        return ok();
    }
    // Corrections may come in any order; within a log the later one counts.
    if (progress->replaced_by && log_of(*progress->replaced_by) == log_of(correction) &&
        correction.origin <= progress->replaced_by->origin) {
        return ok();
    }
    progress->replaced_by = correction;
    for (const auto& one : progress->recipients) {
        ledger.settle(What::correct, one.office, original);
        ledger.settle(What::declined, one.office, original);
    }
    ledger.write(storage::PutReport{original, std::move(*progress)});
    return ok();
}

Result<void> prove_again(Ledger& ledger, const storage::ReportKey& report, Now now) {
    const auto progress = TRY(ledger.store().report(report));
    if (!progress) {
        return ok();
    }
    if (carriers_of(ledger, report).empty()) {
        TRY(prove(ledger, report, {.of = Proof::Of::carried_no_more}, now));
    }
    for (const auto& one : progress->recipients) {
        const auto* office = ledger.roster().find(one.office);
        if (office != nullptr && office->state == crypto::OfficeState::revoked) {
            TRY(prove(ledger, report, {.of = Proof::Of::revoked, .recipient = one.office}, now));
        }
        if (office != nullptr && office->state == crypto::OfficeState::retired) {
            TRY(prove(ledger, report, {.of = Proof::Of::retired, .recipient = one.office}, now));
        }
    }
    return ok();
}

std::vector<OfficeId> carriers_of(const Ledger& ledger, const storage::ReportKey& report) {
    std::vector<OfficeId> carriers;
    if (report.author != ledger.us()) {
        return carriers;
    }
    for (const auto& [office, custody] : ledger.all_custody()) {
        const auto* carrier = ledger.roster().find(office);
        if (carrier == nullptr || carrier->state == crypto::OfficeState::revoked) {
            continue;
        }
        for (const auto& log : custody.logs) {
            if (log.incarnation == report.origin.incarnation &&
                log.record_class == report.origin.record_class &&
                log.held.contains(report.origin.number)) {
                carriers.push_back(office);
            }
        }
    }
    return carriers;
}

}  // namespace fieldpost::engine
