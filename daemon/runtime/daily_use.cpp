#include "daemon/runtime/daily_use.h"

namespace fieldpost::runtime {

namespace {

// A commit is worth this much; so much may be forgotten when the power goes.
constexpr std::uint64_t kept_every_bytes = 256U << 10;

}  // namespace

std::uint64_t DailyUse::of(const engine::Ledger& ledger, OfficeId office, std::int64_t day) const {
    if (const auto known = days_.find(office); known != days_.end()) {
        return known->second.number == day ? known->second.bytes : 0;
    }
    const auto& remembered = ledger.peer(office);
    return remembered.used_day == day ? remembered.used_bytes : 0;
}

void DailyUse::carried(const engine::Ledger& ledger, OfficeId office, link::ConnectionId connection,
                       std::uint64_t bytes, std::int64_t day) {
    auto& counted = counted_[connection];
    const auto sum = of(ledger, office, day) + bytes - std::min(bytes, counted);
    counted = std::max(counted, bytes);
    days_[office] = {day, sum};
}

void DailyUse::ended(link::ConnectionId connection) {
    counted_.erase(connection);
}

std::vector<engine::Input> DailyUse::to_keep(const engine::Ledger& ledger, bool is_last) {
    std::vector<engine::Input> inputs;
    for (const auto& [office, day] : days_) {
        const auto& kept = ledger.peer(office);
        const bool is_new_day = kept.used_day != day.number;
        const auto kept_bytes = is_new_day ? 0 : kept.used_bytes;
        if (day.bytes > kept_bytes && (is_last || day.bytes - kept_bytes >= kept_every_bytes)) {
            inputs.emplace_back(
                engine::DayUsed{office, static_cast<std::uint32_t>(day.number), day.bytes});
        }
    }
    return inputs;
}

}  // namespace fieldpost::runtime
