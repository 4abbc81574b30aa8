#include "daemon/engine/membership/revocation.h"

#include <fmt/format.h>

#include "daemon/engine/membership/authority.h"
#include "proto/limits.h"
#include "proto/report.h"

namespace fieldpost::engine {

namespace {

// The highest number of each log of `office` that another member has receipted.
std::map<LogKey, Number> receipted_tops(const Ledger& ledger, OfficeId office) {
    std::map<LogKey, Number> tops;
    for (const auto& [signer, entry] : ledger.roster().offices()) {
        const auto receipt =
            entry.is_member() && signer != office ? ledger.receipt(signer, office) : nullptr;
        if (receipt == nullptr) {
            continue;
        }
        for (const auto& log : receipt->logs) {
            auto& top = tops[{office, log.incarnation, log.record_class}];
            top = std::max({top, log.received.top(), log.unreadable.top()});
        }
    }
    return tops;
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
    RegisterVersion newest{};
    for (const auto* entry : ledger.registers_of(office)) {
        if (entry->key.kind != static_cast<std::uint8_t>(RegisterKind::fork)) {
            newest = std::max(newest, entry->version);
        }
    }
    if (const auto* custody = ledger.custody(office)) {
        newest = std::max(newest, custody->version);
    }
    return newest;
}

}  // namespace

Result<CutOff> cut_off_of(const Ledger& ledger, OfficeId office,
                          std::span<const storage::ReportKey> keep) {
    auto tops = receipted_tops(ledger, office);
    for (const auto& [log, state] : ledger.logs_of(office)) {
        auto& top = tops[log];
        top = std::max({top, state.held.top(), state.receipted.top(), state.unreadable.top()});
    }
    for (const auto& report : keep) {
        tops[storage::log_of(report)] = report.origin.number;
    }
    CutOff cut_off;
    for (const auto& [log, top] : tops) {
        if (top > 0) {
            cut_off.logs.push_back(TRY(mark_at(ledger, log, std::min(top, record_number_max))));
        }
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
    if (wanted.reason.empty() || wanted.reason.size() > limits::revocation_reason_bytes_max ||
        !is_valid_utf8(wanted.reason) || has_control(wanted.reason)) {
        return decline({Errc::malformed, fmt::format("the reason has 1 to {} bytes of UTF-8 and no "
                                                     "control character",
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
