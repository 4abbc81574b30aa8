#include "daemon/engine/membership/replacements.h"

#include "daemon/engine/membership/cut_offs.h"
#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/record/reissue.h"
#include "daemon/engine/record/terminal.h"

namespace fieldpost::engine {

using storage::FailReason;
using storage::State;

namespace {

// The machines that `newcomer` replaces, directly or one after the other.
std::set<OfficeId> replaced_by(const Ledger& ledger, const crypto::RosterOffice& newcomer) {
    std::set<OfficeId> before;
    for (auto next = newcomer.replaces; next != no_office && before.insert(next).second;) {
        const auto* office = ledger.roster().find(next);
        next = office == nullptr ? no_office : office->replaces;
    }
    return before;
}

// True of a new machine, and of an invitation that was cancelled: then nobody comes.
bool needs_catching_up(const Ledger& ledger, const crypto::RosterOffice& office) {
    return office.replaces != no_office && office.index != ledger.us() &&
           (office.is_member() || office.state == crypto::OfficeState::cancelled) &&
           !ledger.peer(office.index).is_caught_up;
}

// True if it is not known that the old machine has the report, and people did not take it back.
bool is_owed(const storage::Recipient& one) {
    switch (one.state) {
        case State::queued:
        case State::carried:
            return true;
        case State::failed:
            return one.reason != FailReason::withdrawn && one.reason != FailReason::blocked;
        case State::delivered:
        case State::acknowledged:
        case State::expired:
            break;
    }
    return false;
}

// Writes the report again for `newcomer`, if one of the machines before it lacks it. Returns the
// bytes written.
Result<std::uint64_t> hand_over(Ledger& ledger, const storage::ReportKey& report,
                                const std::set<OfficeId>& before, OfficeId newcomer, Now now,
                                std::vector<Notice>& notify) {
    const auto page = TRY(ledger.store().report(report));
    if (!page || page->withdrawn || page->forgotten_at != WallTime{} ||
        std::ranges::find(page->recipients, newcomer, &storage::Recipient::office) !=
            page->recipients.end()) {
        return std::uint64_t{0};
    }
    const auto owed = std::ranges::find_if(page->recipients, [&](const storage::Recipient& one) {
        return before.contains(one.office) && is_owed(one);
    });
    if (owed == page->recipients.end()) {
        return std::uint64_t{0};
    }
    const auto office = owed->office;
    const auto again = TRY(write_again(ledger, report, {{office, newcomer}}, now, notify));
    if (again.bytes == 0 &&
        TRY(prove(ledger, report, {.of = Proof::Of::revoked, .recipient = office}, now))) {
        ledger.note(What::unreachable, {.office = office, .report = report}, now, notify);
    }
    return again.bytes;
}

// Reports that waited for a machine that does not come have failed.
Result<void> give_up(Ledger& ledger, const storage::ReportKey& report,
                     const std::set<OfficeId>& before, Now now, std::vector<Notice>& notify) {
    for (const auto one : before) {
        const auto* office = ledger.roster().find(one);
        const bool is_gone = office != nullptr && office->state == crypto::OfficeState::revoked &&
                             !is_replaced_soon(ledger, *office);
        if (is_gone &&
            TRY(prove(ledger, report, {.of = Proof::Of::revoked, .recipient = one}, now))) {
            ledger.note(What::unreachable, {.office = one, .report = report}, now, notify);
        }
    }
    return ok();
}

storage::ReportFilter sent_to(const std::set<OfficeId>& offices) {
    storage::ReportFilter filter;
    filter.all.push_back({storage::term_of(storage::Facet::box, Box::outbox)});
    filter.all.emplace_back();
    for (const auto office : offices) {
        filter.all.back().push_back(storage::term_of(storage::Facet::to, value_of(office)));
    }
    return filter;
}

// Records that were kept for the old machines alone end now.
Result<void> end(Ledger& ledger, OfficeId newcomer) {
    ledger.edit_peer(newcomer).is_caught_up = true;
    std::vector<LogKey> own;
    for (const auto& [log, state] : ledger.logs_of(ledger.us())) {
        own.push_back(log);
    }
    for (const auto& log : own) {
        TRY(settle_held(ledger, log, IntervalSet(ledger.log(log).held)));
    }
    return ok();
}

}  // namespace

bool is_replaced_soon(const Ledger& ledger, const crypto::RosterOffice& office) {
    const auto* last = &office;
    // Each is replaced by a later one, so this ends.
    while (last != nullptr && !last->is_live() && last->replaced_by > last->index) {
        last = ledger.roster().find(last->replaced_by);
    }
    return last != nullptr && last != &office && last->is_live() &&
           !ledger.peer(last->index).is_caught_up;
}

bool has_replaced(const Ledger& ledger, OfficeId newer, OfficeId older) {
    const auto* office = ledger.roster().find(newer);
    return office != nullptr && replaced_by(ledger, *office).contains(older);
}

void CatchingUp::look_at_roster(const Ledger& ledger) {
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (needs_catching_up(ledger, office)) {
            from_.try_emplace(index, storage::Arrival{0});
        }
    }
}

Result<bool> CatchingUp::go_on(Ledger& ledger, Now now, std::vector<Notice>& notify) {
    if (from_.empty() || !may_write_again(ledger)) {
        return false;
    }
    Allowance allowance;
    for (auto at = from_.begin(); at != from_.end();) {
        auto& [newcomer, from] = *at;
        const auto* office = ledger.roster().find(newcomer);
        if (office == nullptr || !needs_catching_up(ledger, *office)) {
            at = from_.erase(at);
            continue;
        }
        const bool is_cancelled = office->state == crypto::OfficeState::cancelled;
        if (!is_cancelled && !recipients_of(ledger, {newcomer})) {
            ++at;
            continue;
        }
        const auto before = replaced_by(ledger, *office);
        while (const auto arrival = TRY(TRY(ledger.store().select(sent_to(before))).from(from))) {
            if (allowance.is_spent()) {
                return true;
            }
            --allowance.looks;
            from = storage::Arrival{static_cast<std::uint64_t>(*arrival) + 1};
            const auto report = TRY(key_at(ledger, *arrival));
            if (report && is_cancelled) {
                TRY(give_up(ledger, *report, before, now, notify));
            } else if (report) {
                allowance.count(TRY(hand_over(ledger, *report, before, newcomer, now, notify)));
            }
        }
        TRY(end(ledger, newcomer));
        from_.erase(at);
        return true;
    }
    return false;
}

}  // namespace fieldpost::engine
