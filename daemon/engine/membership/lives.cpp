#include "daemon/engine/membership/lives.h"

namespace fieldpost::engine {

namespace {

constexpr std::chrono::milliseconds an_hour = std::chrono::hours{1};

}  // namespace

bool Lives::came(OfficeId office, std::uint32_t life, Instant now) {
    auto& seen = seen_[office];
    if (life == 0 || life == seen.newest) {
        return false;
    }
    const bool comes_back = life == seen.before;
    seen.before = std::exchange(seen.newest, life);
    if (!comes_back) {
        return false;
    }
    seen.doubled_at = now;
    if (seen.told_at && now < *seen.told_at + an_hour) {
        return false;
    }
    seen.told_at = now;
    return true;
}

bool Lives::is_doubled(OfficeId office, Instant now) const {
    const auto found = seen_.find(office);
    return found != seen_.end() && found->second.doubled_at &&
           now < *found->second.doubled_at + an_hour;
}

bool Lives::told_by(OfficeId peer, Instant now) {
    const auto [at, is_new] = told_by_.try_emplace(peer, now);
    if (is_new || at->second + an_hour <= now) {
        at->second = now;
        return true;
    }
    return false;
}

}  // namespace fieldpost::engine
