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

bool is_beyond_cut_off(const Ledger& ledger, const LogKey& log, Number number) {
    const auto* author = ledger.roster().find(log.author);
    if (author == nullptr || !author->cut_off) {
        return false;
    }
    return std::ranges::none_of(author->cut_off->logs, [&](const CutOff::Log& kept) {
        return kept.incarnation == log.incarnation && kept.record_class == log.record_class &&
               number <= kept.last;
    });
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
    constexpr int looked_at_max = 5000;  // a few more change nothing for people
    std::uint32_t count = 0;
    auto from = storage::ReportKey{office, {{}, RecordClass::reply, 0}};
    for (int i = 0; i < looked_at_max; ++i) {
        const auto report = TRY(ledger.store().report_from(from));
        if (!report || report->author != office) {
            break;
        }
        if (is_beyond_cut_off(ledger, storage::log_of(*report), report->origin.number)) {
            const auto page = TRY(ledger.store().report(*report));
            count += page && page->box == Box::inbox ? 1 : 0;
        }
        from = *report;
        ++from.origin.number;
    }
    ledger.keep_raised(What::after_cut_off, office, count, {}, now);
    return ok();
}

}  // namespace fieldpost::engine
