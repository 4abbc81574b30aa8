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

// The lowest number at which a known fork closes the log. 2^32 - 1: no fork is known.
Number fork_start_of(const Ledger& ledger, const LogKey& log) {
    auto start = UINT32_MAX;
    for (const auto* entry : ledger.registers_of(log.author)) {
        if (entry->key.kind == static_cast<std::uint8_t>(RegisterKind::fork)) {
            ByteReader in(entry->payload);
            const auto proof = read_record_proof(in);
            if (proof && proof->key.log == log) {
                start = std::min(start, fork_start(*entry).value_or(1));
            }
        }
    }
    return start;
}

// Reports that were shown here before the cut-off was known, and that it does not keep. A few more
// change nothing for people.
Result<std::uint32_t> count_shown_beyond(const Ledger& ledger, OfficeId office) {
    constexpr std::uint32_t looked_at_max = 10'000;
    std::uint32_t looked_at = 0;
    std::uint32_t count = 0;
    for (const auto& [log, state] : ledger.logs_of(office)) {
        for (auto number = state.receipted.next(1); number && looked_at < looked_at_max;
             number = state.receipted.after(*number)) {
            if (!state.addresses_us || !is_beyond_cut_off(ledger, log, *number)) {
                continue;
            }
            ++looked_at;
            const auto page = TRY(ledger.store().report(storage::report_in(log, *number)));
            count += page && page->box == Box::inbox ? 1 : 0;
        }
    }
    return count;
}

Result<void> apply_cut_off(Ledger& ledger, OfficeId office, const CutOff& cut_off, Now now) {
    if (const auto count = TRY(count_shown_beyond(ledger, office)); count > 0) {
        ledger.keep_raised(What::after_cut_off, office, count, {}, now);
    }
    TRY(drop_logs_not_listed(ledger, office));
    for (const auto& one : cut_off.logs) {
        const LogKey log{office, one.incarnation, one.record_class};
        if (ledger.keeps(log)) {
            const auto from = std::min(one.last + 1, fork_start_of(ledger, log));
            ledger.reopen(log, from);  // a second cut-off may keep more than the first
            TRY(close_log(ledger, log, from));
        }
    }
    std::vector<RegisterName> newer;
    for (const auto* entry : ledger.registers_of(office)) {
        // A fork proof accuses the office. It has no signature and no real version, so it stays.
        if (entry->key.kind != static_cast<std::uint8_t>(RegisterKind::fork) &&
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

Result<void> apply_cut_offs(Ledger& ledger, Now now) {
    for (const auto& [office, entry] : ledger.roster().offices()) {
        if (entry.cut_off && office != ledger.us() && !ledger.is_closed(office)) {
            TRY(apply_cut_off(ledger, office, *entry.cut_off, now));
        }
    }
    return ok();
}

}  // namespace fieldpost::engine
