#include "daemon/engine/record/progress.h"

#include "daemon/engine/membership/replacements.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/archive.h"

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
           (one.reason == FailReason::no_key || one.reason == FailReason::closed ||
            one.reason == FailReason::blocked);
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
        case Proof::Of::withdrawn:
            if (is_under_way(one) || is_damaged(one)) {
                fail_for(one, FailReason::withdrawn);
            }
            break;
    }
    return one != before;
}

namespace {

template <class Concerns>
Result<bool> prove_where(Ledger& ledger, const storage::ReportKey& report, const Proof& proof,
                         const Concerns& concerns, Now now) {
    auto progress = TRY(ledger.store().report(report));
    if (!progress) {
        return false;
    }
    bool has_changed = false;
    for (auto& one : progress->recipients) {
        if ((!proof.recipient || one.office == *proof.recipient) && concerns(one)) {
            has_changed = advance(one, proof, ledger.wall(now)) || has_changed;
        }
    }
    if (has_changed) {
        ledger.write(storage::PutReport{report, std::move(*progress)});
    }
    return has_changed;
}

}  // namespace

Result<bool> prove(Ledger& ledger, const storage::ReportKey& report, const Proof& proof, Now now) {
    return prove_where(ledger, report, proof, [](const Recipient&) { return true; }, now);
}

Result<std::optional<storage::ReportKey>> prove_record(Ledger& ledger, const LogKey& log,
                                                       Number number, const Proof& proof, Now now) {
    const auto report = TRY(report_under(ledger, log, number));
    const bool has_changed = TRY(prove_where(
        ledger, report, proof,
        [&](const Recipient& one) { return is_served_by(report, one, log, number); }, now));
    return has_changed ? std::optional(report) : std::nullopt;
}

Result<storage::ReportKey> report_under(const Ledger& ledger, const LogKey& log, Number number) {
    const auto as = storage::report_in(log, number);
    const auto reissue = TRY(ledger.store().reissued(as));
    return reissue ? storage::ReportKey{log.author, reissue->origin} : as;
}

std::set<storage::ReportKey> written_under(const storage::ReportKey& report,
                                           const storage::ReportProgress& page) {
    std::set<storage::ReportKey> numbers = {report};
    for (const auto& one : page.recipients) {
        if (one.reissued_as) {
            numbers.insert({report.author, *one.reissued_as});
        }
    }
    return numbers;
}

bool is_served_by(const storage::ReportKey& report, const Recipient& one, const LogKey& log,
                  Number number) {
    return one.reissued_as.value_or(report.origin) ==
           Origin{log.incarnation, log.record_class, number};
}

namespace {

// Only the author of a report can correct it.
std::optional<storage::Correction> correction_in(const storage::ReportKey& key,
                                                 const Report& report) {
    const auto& first = report.first_version ? report.first_version : report.replaces;
    const bool is_correction = first && first->author == key.author &&
                               first->origin != key.origin &&
                               first->origin.record_class != RecordClass::reply &&
                               key.origin.record_class != RecordClass::reply;
    return is_correction
               ? std::optional(storage::Correction{{first->author, first->origin}, report.version})
               : std::nullopt;
}

}  // namespace

void describe(Ledger& ledger, const Header& header, const storage::ReportKey& key,
              const Report& report, storage::ReportProgress& page) {
    page.type = ledger.types().number_of(ledger, report.type, key.author);
    page.size_bytes = report.text.size() + report.attachment_bytes();
    std::set<OfficeId> addressed;
    for (const auto& name : report.addressed) {
        if (const auto group = group_named(name)) {
            addressed.insert(*group);
        }
    }
    const auto groups = addressed;
    for (const auto& stanza : header.stanzas) {
        const auto* office = ledger.roster().find(stanza.recipient);
        const bool is_by_group = std::ranges::any_of(groups, [&](OfficeId group) {
            return office != nullptr && is_in_group(*office, group);
        });
        const bool is_recipient = std::ranges::find(page.recipients, stanza.recipient,
                                                    &Recipient::office) != page.recipients.end();
        if (!is_by_group && !is_recipient) {
            addressed.insert(stanza.recipient);
        }
    }
    page.addressed.assign(addressed.begin(), addressed.end());
    page.corrects = correction_in(key, report);
}

Result<void> describe_all(Ledger& ledger, const storage::StoredRecord& record) {
    const auto entry = TRY(ledger.store().archive(record.arrival));
    const auto opened = entry ? open_archived(ledger, record, *entry, Opening::reports)
                              : fail(Errc::not_found, "no archive entry");
    if (!opened) {
        return ok();
    }
    for (std::size_t i = 0; i < opened->units.size(); ++i) {
        const storage::ReportKey key{record.log.author,
                                     origin_of(opened->header, opened->units[i], i)};
        auto page = TRY(ledger.store().report(key));
        if (page && opened->units[i].report.empty()) {
            // A page that was made anew does not know that the report was forgotten.
            page->forgotten_at = std::max(page->forgotten_at, record.received);
            ledger.write(storage::PutReport{key, std::move(*page)});
        } else if (page) {
            describe(ledger, opened->header, key, opened->reports[i], *page);
            ledger.write(storage::PutReport{key, std::move(*page)});
        }
    }
    return ok();
}

namespace {

// Calls `each` with every office that is not cut off and the numbers of our `log` that its newest
// statement of custody holds, until `each` returns false.
template <class Each>
void for_each_carrier(const Ledger& ledger, const LogKey& log, const Each& each) {
    for (const auto& [office, custody] : ledger.all_custody()) {
        const auto* carrier = ledger.roster().find(office);
        if (carrier == nullptr || carrier->state == crypto::OfficeState::revoked) {
            continue;
        }
        for (const auto& held : custody.logs) {
            if (held.incarnation == log.incarnation && held.record_class == log.record_class &&
                !each(office, held.held)) {
                return;
            }
        }
    }
}

}  // namespace

Result<void> prove_again(Ledger& ledger, const LogKey& log, const IntervalSet& numbers, Now now,
                         std::vector<Notice>& notify) {
    // The carriers are looked at once: there may be a thousand, and a hundred thousand reports.
    auto carried_by_nobody = numbers;
    for_each_carrier(ledger, log, [&](OfficeId, const IntervalSet& held) {
        carried_by_nobody = without(carried_by_nobody, held);
        return !carried_by_nobody.empty();
    });
    for (auto number = numbers.next(1); number; number = numbers.after(*number)) {
        const auto report = TRY(report_under(ledger, log, *number));
        const auto page = TRY(ledger.store().report(report));
        if (!page) {
            continue;
        }
        if (carried_by_nobody.contains(*number)) {
            TRY(prove_record(ledger, log, *number, {.of = Proof::Of::carried_no_more}, now));
        }
        for (const auto& one : page->recipients) {
            const auto* office = ledger.roster().find(one.office);
            if (office == nullptr || is_replaced_soon(ledger, *office)) {
                continue;
            }
            if (office->state == crypto::OfficeState::revoked &&
                TRY(prove(ledger, report, {.of = Proof::Of::revoked, .recipient = one.office},
                          now))) {
                ledger.note(What::unreachable, {.office = one.office, .report = report}, now,
                            notify);
            }
            if (office->state == crypto::OfficeState::retired) {
                TRY(prove(ledger, report, {.of = Proof::Of::retired, .recipient = one.office},
                          now));
            }
        }
    }
    return ok();
}

Result<std::vector<OfficeId>> carriers_of(const Ledger& ledger, const storage::ReportKey& report) {
    std::set<OfficeId> carriers;
    if (report.author != ledger.us()) {
        return std::vector<OfficeId>{};
    }
    const auto page = TRY(ledger.store().report(report));
    const auto numbers = page ? written_under(report, *page) : std::set{report};
    for (const auto& as : numbers) {
        for_each_carrier(ledger, log_of(as), [&](OfficeId office, const IntervalSet& held) {
            if (held.contains(as.origin.number)) {
                carriers.insert(office);
            }
            return true;
        });
    }
    return std::vector(carriers.begin(), carriers.end());
}

Result<bool> is_carried_by(const Ledger& ledger, const storage::ReportKey& report,
                           OfficeId office) {
    const auto* custody = report.author == ledger.us() ? ledger.custody(office) : nullptr;
    const auto* carrier = ledger.roster().find(office);
    if (custody == nullptr || carrier == nullptr ||
        carrier->state == crypto::OfficeState::revoked) {
        return false;
    }
    const auto page = TRY(ledger.store().report(report));
    const auto numbers = page ? written_under(report, *page) : std::set{report};
    return std::ranges::any_of(numbers, [&](const storage::ReportKey& as) {
        return std::ranges::any_of(custody->logs, [&](const auto& log) {
            return log.incarnation == as.origin.incarnation &&
                   log.record_class == as.origin.record_class &&
                   log.held.contains(as.origin.number);
        });
    });
}

}  // namespace fieldpost::engine
