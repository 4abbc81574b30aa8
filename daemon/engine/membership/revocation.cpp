#include "daemon/engine/membership/revocation.h"

#include <fmt/format.h>

#include "daemon/engine/membership/authority.h"
#include "proto/limits.h"
#include "proto/report.h"
#include "proto/typed.h"

namespace fieldpost::engine {

namespace {

// A jump over more numbers than an honest office skips. A record behind it does not move the mark:
// else one record with a high number would leave all below it to a thief.
constexpr Number jump_max = 1024;

// The highest number of the log that was seen here, below the first jump. Numbers that have ended
// are no jump: they may have gone from field office to field office.
Number seen_top(const storage::LogState& state) {
    const auto seen = united(united(state.held, state.receipted), state.unreadable);
    const auto all = united(seen, state.known);
    Number reached = 0;
    for (const auto run : all.intervals()) {
        if (run.first - reached > jump_max) {
            break;
        }
        reached = run.last;
    }
    return reached == 0 ? 0 : intersection(seen, {{1, reached}}).top();
}

// The mark of each log that is known here: the top of the records that were seen here, or a little
// more if other members have receipted more. A member may lie, so its receipt makes no log and no
// jump.
std::map<LogKey, Number> known_tops(const Ledger& ledger, OfficeId office) {
    std::map<LogKey, Number> seen;
    std::set<Incarnation> lives;
    for (const auto& [log, state] : ledger.logs_of(office)) {
        seen[log] = seen_top(state);
        lives.insert(log.incarnation);
    }
    auto tops = seen;
    for (const auto& [signer, entry] : ledger.roster().offices()) {
        const auto receipt =
            entry.is_member() && signer != office ? ledger.receipt(signer, office) : nullptr;
        for (const auto& log : receipt == nullptr ? std::vector<ReceiptLog>{} : receipt->logs) {
            const LogKey key{office, log.incarnation, log.record_class};
            if (lives.contains(log.incarnation)) {
                const auto told = std::max(log.received.top(), log.unreadable.top());
                tops[key] = std::max(tops[key], std::min(told, seen[key] + jump_max));
            }
        }
    }
    return tops;
}

std::map<LogKey, Number> marks_of(OfficeId office, const CutOff& cut_off) {
    std::map<LogKey, Number> marks;
    for (const auto& log : cut_off.logs) {
        marks[{office, log.incarnation, log.record_class}] = log.last;
    }
    return marks;
}

// The end of the run that has `last`, and the id of its record if it lies here.
Result<CutOff::Log> mark_at(const Ledger& ledger, const LogKey& log, Number last) {
    CutOff::Log mark{log.incarnation, log.record_class, last, {}};
    if (const auto record = TRY(ledger.store().record(log, last, storage::WithBody::no))) {
        mark.last = record->run.last;
        mark.id = record->id;
    }
    return mark;
}

RegisterVersion newest_version(const Ledger& ledger, OfficeId office) {
    // Statements of custody have counters too. They are no proof of anything kept, and a higher
    // mark would leave more counters to a thief.
    RegisterVersion newest{};
    for (const auto* entry : ledger.registers_of(office)) {
        if (entry->key.kind != static_cast<std::uint8_t>(RegisterKind::fork)) {
            newest = std::max(newest, entry->version);
        }
    }
    return newest;
}

}  // namespace

Result<CutOff> cut_off_of(const Ledger& ledger, OfficeId office,
                          std::span<const storage::ReportKey> keep) {
    const auto* found = ledger.roster().find(office);
    const auto& standing = found == nullptr ? std::nullopt : found->cut_off;
    auto tops = standing ? marks_of(office, *standing) : known_tops(ledger, office);
    for (const auto& report : keep) {
        tops[storage::log_of(report)] = report.origin.number;
    }
    CutOff cut_off;
    for (const auto& [log, top] : tops) {
        if (top > 0 && cut_off.logs.size() < limits::logs_per_office_max) {
            cut_off.logs.push_back(TRY(mark_at(ledger, log, std::min(top, record_number_max))));
        }
    }
    if (standing) {
        cut_off.register_incarnation = standing->register_incarnation;
        cut_off.register_counter = standing->register_counter;
        return cut_off;
    }
    const auto version = newest_version(ledger, office);
    cut_off.register_incarnation = version.incarnation;
    cut_off.register_counter = version.counter;
    return cut_off;
}

Result<void> check_revocation(const Ledger& ledger, OfficeId office) {
    TRY(check_authority(ledger));
    if (office == ledger.us()) {
        return fail(Errc::refused, "the authority cannot revoke itself");
    }
    const auto* found = ledger.roster().find(office);
    if (found == nullptr || found->state == crypto::OfficeState::cancelled) {
        return fail(Errc::not_found, "no such office");
    }
    return ok();
}

Result<void> revoke(Ledger& ledger, const RevocationWanted& wanted, Now now,
                    std::vector<Notice>& notify) {
    const auto decline = [&](Error error) {
        notify.emplace_back(Declined{wanted.request, std::move(error)});
        return ok();
    };
    if (const auto may = check_revocation(ledger, wanted.office); !may) {
        return decline(may.error());
    }
    // Spaces of any input method are none.
    const bool is_blank = plain_typed(wanted.reason).find_first_not_of(' ') == std::string::npos;
    if (is_blank || wanted.reason.size() > limits::revocation_reason_bytes_max ||
        !is_valid_utf8(wanted.reason) || has_control(wanted.reason)) {
        return decline({Errc::malformed, fmt::format("the reason must have 1 to {} bytes of text, "
                                                     "and no control character",
                                                     limits::revocation_reason_bytes_max)});
    }
    const auto cut_off = TRY(cut_off_of(ledger, wanted.office, wanted.keep));
    if (const auto signed_now =
            sign_roster_change(ledger, {Revoke{wanted.office, cut_off, wanted.reason}}, now);
        !signed_now) {
        return decline(signed_now.error());
    }
    notify.emplace_back(Revoked{wanted.request, wanted.office, cut_off});
    return ok();
}

}  // namespace fieldpost::engine
