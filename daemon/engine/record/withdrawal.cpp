#include "daemon/engine/record/withdrawal.h"

#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/record/terminal.h"
#include "daemon/engine/record/versions.h"
#include "daemon/engine/self_check.h"

namespace fieldpost::engine {

namespace {

// An author that takes back one report more often hides only its own reports, or fails to.
constexpr std::size_t withdrawals_looked_at_max = 16;

}  // namespace

Result<void> withdraw(Ledger& ledger, const WithdrawalWanted& wanted, Now now,
                      std::vector<Notice>& notify) {
    const auto decline = [&](Error error) {
        notify.emplace_back(Declined{wanted.request, std::move(error)});
        return ok();
    };
    if (ledger.meta().stopped) {
        return decline(fail_stopped(ledger).error());
    }
    const auto page = TRY(ledger.store().report(wanted.report));
    if (!page || page->box != Box::outbox) {
        return decline({Errc::not_found, "no such report of this office"});
    }
    const auto numbers = written_under(wanted.report, *page);
    const auto is_public = [&](const storage::ReportKey& as) {
        return as.origin.number <= ledger.log(storage::log_of(as)).published;
    };
    // Bytes are sent only after a record is public. What is not public is known to nobody.
    const bool may_have_left = std::ranges::any_of(numbers, is_public);
    Accepted accepted{wanted.request, wanted.report, {}, page->withdrawn.has_value(), {}};
    if (!page->withdrawn) {
        storage::Withdrawn withdrawn{.at = ledger.wall(now)};
        if (may_have_left && !wanted.draft.to.empty()) {
            // If no recipient can be sealed to, the statement alone takes the report back. It must
            // not stay under way because its reason cannot be told.
            if (auto written = TRY(write(ledger, wanted.draft, now, notify))) {
                withdrawn.by = written->report.origin;
                accepted.left_out = std::move(written->left_out);
            }
        }
        for (const auto& as : numbers) {
            const auto log = storage::log_of(as);
            const auto number = as.origin.number;
            if (is_public(as)) {
                ledger.edit_log(log).withdraw(number);
            }
            // A number that was never public in an older life may be another record elsewhere.
            if (is_public(as) || log.incarnation == ledger.meta().incarnation) {
                TRY(make_terminal(ledger, log, {{number, number}}));
            }
        }
        TRY(mark_withdrawn(ledger, wanted.report, withdrawn, now));
        ledger.note(What::withdrawn, {.office = ledger.us(), .report = wanted.report}, now, notify);
    }
    notify.emplace_back(std::move(accepted));
    return ok();
}

Result<void> take_withdrawal(Ledger& ledger, const storage::ReportKey& key,
                             storage::Arrival arrival, const Report& withdrawal, Via from, Now now,
                             std::vector<Notice>& notify) {
    const auto& named = withdrawal.withdraws;
    if (!named || named->author != key.author || key.origin.record_class != RecordClass::reply ||
        named->origin.record_class == RecordClass::reply) {
        return ok();
    }
    const storage::ReportKey report{named->author, named->origin};
    const auto page = TRY(ledger.store().report(report));
    const auto filed = TRY(
        ledger.store().newest_filed(report, storage::Filed::withdrawal, withdrawals_looked_at_max));
    if (filed.size() == withdrawals_looked_at_max ||
        (page && !TRY(may_have_hash(ledger, page->arrival, named->hash)))) {
        return ok();
    }
    ledger.write(storage::FileWith{report, storage::Filed::withdrawal, arrival, named->hash});
    // Its author's clock may be ahead.
    const storage::Withdrawn withdrawn{.at = std::min(withdrawal.created, ledger.wall(now)),
                                       .by = key.origin};
    if (TRY(mark_withdrawn(ledger, report, withdrawn, now))) {
        ledger.note(What::withdrawn, {.office = key.author, .report = report, .via = from}, now,
                    notify);
    }
    return ok();
}

IntervalSet told_withdrawn(const Ledger& ledger, const LogKey& log, Interval run) {
    const auto* own = ledger.author_on(log);
    return own == nullptr ? IntervalSet{} : intersection(own->withdrawn, {run});
}

Result<bool> is_withdrawn(const Ledger& ledger, const storage::ReportKey& report, const LogKey& log,
                          Number number, const std::function<Result<Hash>()>& hash) {
    const auto first_number = report.origin.number;
    if (ledger.log(log).withdrawn.contains(number) ||
        !told_withdrawn(ledger, storage::log_of(report), {first_number, first_number}).empty() ||
        !told_withdrawn(ledger, log, {number, number}).empty()) {
        return true;
    }
    for (const auto& filed : TRY(ledger.store().newest_filed(report, storage::Filed::withdrawal,
                                                             withdrawals_looked_at_max))) {
        if (equal(TRY(hash()).first(ReportHashPrefix::size), filed.hash.view())) {
            return true;
        }
    }
    return false;
}

Result<bool> apply_withdrawn(Ledger& ledger, OfficeId author, std::size_t& left, Now now,
                             std::vector<Notice>& notify) {
    const auto* statement = ledger.statement(author);
    if (statement == nullptr || author == ledger.us() || ledger.is_cut_off(author)) {
        return false;
    }
    for (const auto& own : std::vector(statement->logs)) {
        const LogKey log{author, own.incarnation, own.record_class};
        // The author can name any number. Only those that were read here are looked up, each once.
        const auto& state = ledger.log(log);
        const auto fresh = without(intersection(own.withdrawn, state.receipted), state.withdrawn);
        for (auto number = fresh.next(1); number; number = fresh.after(*number)) {
            if (left == 0) {
                return true;
            }
            --left;
            ledger.edit_log(log).withdraw(*number);
            const auto report = TRY(report_under(ledger, log, *number));
            if (TRY(mark_withdrawn(ledger, report, {.at = ledger.wall(now)}, now))) {
                ledger.note(What::withdrawn,
                            {.office = author, .report = report, .via = Via{author, How::local}},
                            now, notify);
            }
        }
    }
    return false;
}

}  // namespace fieldpost::engine
