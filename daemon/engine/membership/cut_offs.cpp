#include "daemon/engine/membership/cut_offs.h"

#include "daemon/engine/record/log_bounds.h"
#include "daemon/engine/record/terminal.h"
#include "proto/register.h"

namespace fieldpost::engine {

namespace {

Result<void> drop_logs_not_listed(Ledger& ledger, OfficeId office) {
    std::vector<LogKey> gone;
    for (const auto& [log, state] : ledger.logs_of(office)) {
        if (!ledger.is_listed_by_cut_off(log)) {
            gone.push_back(log);
        }
    }
    for (const auto& log : gone) {
        TRY(make_terminal(ledger, log, {{1, record_number_max}}));
        ledger.drop_log(log);
    }
    return ok();
}

Result<void> apply_cut_off(Ledger& ledger, OfficeId office, const CutOff& cut_off) {
    TRY(drop_logs_not_listed(ledger, office));
    for (const auto& one : cut_off.logs) {
        const LogKey log{office, one.incarnation, one.record_class};
        if (ledger.keeps(log)) {
            ledger.reopen(log, one.last + 1);  // a second cut-off may keep more than the first
            TRY(close_log(ledger, log, one.last + 1));
        }
    }
    std::vector<RegisterName> newer;
    for (const auto* entry : ledger.registers_of(office)) {
        // Proofs of forks count no more: whoever has its keys could make any.
        if (entry->key.kind == static_cast<std::uint8_t>(RegisterKind::fork) ||
            is_beyond_cut_off(*ledger.roster().find(office), entry->version)) {
            newer.push_back(ledger.name_of(*entry));
        }
    }
    for (const auto& name : newer) {
        ledger.drop_register(name);
    }
    if (!newer.empty()) {
        ledger.want_registers_of(office);
    }
    return ok();
}

}  // namespace

bool is_shut_out(const Ledger& ledger) {
    const auto* us = ledger.roster().find(ledger.us());
    return us != nullptr && us->has_keys() && !us->is_member();
}

namespace {

// The last number of the log that its author's cut-off keeps; 0: nothing of it. UINT32_MAX: the
// author was not cut off.
Number mark_of(const Ledger& ledger, const LogKey& log) {
    const auto* author = ledger.roster().find(log.author);
    if (author == nullptr || !author->cut_off) {
        return UINT32_MAX;
    }
    for (const auto& kept : author->cut_off->logs) {
        if (kept.incarnation == log.incarnation && kept.record_class == log.record_class) {
            return kept.last;
        }
    }
    return 0;
}

}  // namespace

bool is_beyond_cut_off(const Ledger& ledger, const LogKey& log, Number number) {
    return number > mark_of(ledger, log);
}

bool is_beyond_cut_off(const crypto::RosterOffice& signer, const RegisterVersion& version) {
    return signer.cut_off && version > RegisterVersion{signer.cut_off->register_incarnation,
                                                       signer.cut_off->register_counter};
}

Result<void> apply_cut_offs(Ledger& ledger) {
    for (const auto& [office, entry] : ledger.roster().offices()) {
        if (entry.cut_off && office != ledger.us()) {
            TRY(apply_cut_off(ledger, office, *entry.cut_off));
        }
    }
    return ok();
}

Result<void> tell_of_reports_beyond(Ledger& ledger, OfficeId office, Now now) {
    constexpr std::uint32_t looked_at_max = 5000;  // a few more change nothing for people
    std::uint32_t count = 0;
    auto from = storage::ReportKey{office, {{}, RecordClass::reply, 0}};
    for (std::uint32_t looked_at = 0; looked_at < looked_at_max;) {
        const auto report = TRY(ledger.store().report_from(from));
        if (!report || report->author != office || !ledger.is_cut_off(office)) {
            break;
        }
        from = *report;
        const auto mark = mark_of(ledger, storage::log_of(*report));
        if (report->origin.number <= mark) {
            // The reports up to the mark may be many, and are stepped over.
            from.origin.number = mark + 1;
            continue;
        }
        ++looked_at;
        ++from.origin.number;
        const auto page = TRY(ledger.store().report(*report));
        count += page && page->box == Box::inbox ? 1 : 0;
    }
    ledger.keep_raised(What::after_cut_off, office, count, {}, now);
    return ok();
}

}  // namespace fieldpost::engine
