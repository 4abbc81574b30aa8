#include "daemon/runtime/dialler.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds backoff_first = 1s;
constexpr std::chrono::milliseconds backoff_last = 15min;
constexpr std::chrono::milliseconds contested_first = 1min;
// What every way takes: RFC 879.
constexpr int small_segment_bytes = 536;
// A link that was there a moment ago may come and go: what is waited for is little, and what is
// lost of a short contact is much. A minute of it costs 4 kB. (An attempt takes two seconds.)
// Not after a link that was up: who lets us in and drops us would be asked ten times a second.
constexpr std::chrono::milliseconds comes_back_within = 2min;
constexpr std::chrono::milliseconds comes_back_pause = 100ms;
// Thirty dead addresses must not hold up a good one for long, nor cost thirty sockets at a time.
constexpr std::size_t under_way_max = 16;
// Who was reached at an address and does not answer for so long may have given it to another.
constexpr std::chrono::milliseconds missing_for = 60s;

}  // namespace

std::vector<link::ConnectionId> Dialler::set_targets(const engine::Ledger& ledger,
                                                     const std::vector<PeerConfiguration>& by_hand,
                                                     const std::vector<Target>& nearby) {
    const auto said_of = [&](const std::string& endpoint) {
        return std::ranges::find(by_hand, endpoint, &PeerConfiguration::address);
    };
    std::map<Target, bool> wanted;  // and whether it is advertised
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (index == ledger.us() || !office.is_member()) {
            continue;
        }
        for (const auto& peer : by_hand) {
            wanted.emplace(Target{peer.address, index}, false);
        }
        const auto* statement = ledger.statement(index);
        const auto endpoints =
            statement == nullptr ? std::vector<std::string>{} : statement->endpoints;
        for (const auto& endpoint : endpoints) {
            if (said_of(endpoint) != by_hand.end()) {
                wanted[{endpoint, index}] = true;
            }
        }
        const bool is_held = std::ranges::any_of(by_hand, [&](const auto& peer) {
            const auto known = attempts_.find({peer.address, index});
            return peer.policy.is_limited() &&
                   (wanted.at({peer.address, index}) ||
                    (known != attempts_.end() && known->second.succeeded != Instant{}));
        });
        for (const auto& endpoint : endpoints) {
            if (!is_held) {
                wanted[{endpoint, index}] = true;
            }
        }
    }
    const std::set<Target> near(nearby.begin(), nearby.end());
    for (const auto& target : near) {
        const auto* office = ledger.roster().find(target.office);
        if (office != nullptr && office->is_member()) {
            wanted.emplace(target, false);
        }
    }
    std::vector<link::ConnectionId> outdated;
    std::erase_if(attempts_, [&](const auto& entry) {
        const bool is_outdated = !wanted.contains(entry.first);
        if (is_outdated && entry.second.connection) {
            outdated.push_back(*entry.second.connection);
        }
        return is_outdated;
    });
    const auto proxied =
        std::ranges::find_if(by_hand, [](const auto& peer) { return !peer.policy.proxy.empty(); });
    for (const auto& [target, is_advertised] : wanted) {
        auto& attempt = attempts_.try_emplace(target).first->second;
        attempt.is_advertised = is_advertised;
        const auto said = said_of(target.endpoint);
        attempt.policy = said != by_hand.end() ? said->policy : Policy{};
        if (said == by_hand.end() && proxied != by_hand.end() && !near.contains(target)) {
            attempt.policy.proxy = proxied->policy.proxy;
        }
        link::Way way{target.endpoint, attempt.policy.is_quiet, attempt.policy.proxy};
        if (attempt.way != way) {
            attempt.way = std::move(way);
            if (attempt.connection) {
                outdated.push_back(*attempt.connection);
            }
        }
    }
    return outdated;
}

void Dialler::permit(const std::function<Permit(OfficeId, const Policy&)>& permit, Now now) {
    for (auto& [target, attempt] : attempts_) {
        const auto before = std::exchange(attempt.permit, permit(target.office, attempt.policy));
        if (attempt.permit.is_open && !before.is_open) {
            attempt.failing_since.reset();
            attempt.next = now.steady;
        }
    }
}

const Dialler::Attempt* Dialler::held_to(link::ConnectionId connection, OfficeId office) const {
    const Attempt* held = nullptr;
    for (const auto& [target, attempt] : attempts_) {
        if (attempt.connection == connection) {
            return &attempt;
        }
        const bool is_there = attempt.is_advertised || attempt.succeeded != Instant{};
        if (held == nullptr && target.office == office && is_there && attempt.policy.is_limited()) {
            held = &attempt;
        }
    }
    return held;
}

void Dialler::dial_due(link::ZmqLink& link, const engine::Ledger& ledger,
                       const std::set<OfficeId>& linked,
                       const std::set<OfficeId>& in_small_segments, Now now) {
    std::vector<std::map<Target, Attempt>::iterator> due;
    std::size_t under_way = 0;
    for (auto at = attempts_.begin(); at != attempts_.end(); ++at) {
        const auto& [target, attempt] = *at;
        under_way += attempt.connection && !attempt.is_up ? 1 : 0;
        if (attempt.next <= now.steady && is_open(target, attempt, linked, now) &&
            ledger.roster().find(target.office) != nullptr) {
            due.push_back(at);
        }
    }
    std::ranges::sort(due, [](const auto& a, const auto& b) {
        return std::pair(a->second.succeeded, b->second.next) >
               std::pair(b->second.succeeded, a->second.next);
    });
    for (const auto& at : due) {
        if (under_way++ >= under_way_max) {
            break;
        }
        const auto office = at->first.office;
        auto way = at->second.way;
        way.segment_max = in_small_segments.contains(office) ? small_segment_bytes : 0;
        at->second.connection = link.dial(way, ledger.roster().find(office)->link, office);
    }
}

void Dialler::went(link::ConnectionId connection, link::EndReason reason, Now now) {
    for (auto& [target, attempt] : attempts_) {
        if (attempt.connection != connection) {
            continue;
        }
        attempt.connection.reset();
        const bool was_up = std::exchange(attempt.is_up, false);
        attempt.reason = reason;
        ++attempt.failures;
        attempt.failing_since = attempt.failing_since.value_or(now.steady);
        const auto failing_for = now.steady - *attempt.failing_since;
        const bool may_be_back =
            !was_up && attempt.succeeded != Instant{} && failing_for < comes_back_within;
        attempt.contested = reason == link::EndReason::contested ? attempt.contested + 1 : 0;
        if (attempt.contested > 0) {
            const auto times = std::min(attempt.contested - 1, 10U);
            attempt.next = now.steady + std::min(contested_first * (1U << times), backoff_last);
            continue;
        }
        attempt.next =
            now.steady + (may_be_back ? comes_back_pause
                                      : std::clamp(failing_for / 10, backoff_first, backoff_last));
    }
}

void Dialler::start_over(const std::set<OfficeId>& offices, Now now) {
    for (auto& [target, attempt] : attempts_) {
        if (offices.empty() || offices.contains(target.office)) {
            attempt.failing_since.reset();
            attempt.next = now.steady;
        }
    }
}

void Dialler::heard_at(const Target& target, Now now) {
    // Where another machine with our keys takes each link from us, that it is there is no news.
    if (const auto at = attempts_.find(target);
        at != attempts_.end() && at->second.contested == 0) {
        at->second.failing_since.reset();
        at->second.next = now.steady;
    }
}

void Dialler::start_anew(link::ZmqLink& link, Now now) {
    for (auto& [target, attempt] : attempts_) {
        if (attempt.connection && !attempt.is_up) {
            link.close(*attempt.connection);
            attempt.connection.reset();
        }
    }
    start_over({}, now);
}

const std::pair<const Dialler::Target, Dialler::Attempt>* Dialler::of(
    link::ConnectionId connection) const {
    const auto found = std::ranges::find_if(
        attempts_, [&](const auto& entry) { return entry.second.connection == connection; });
    return found == attempts_.end() ? nullptr : &*found;
}

void Dialler::replace(link::ConnectionId old, link::ConnectionId fresh) {
    for (auto& [target, attempt] : attempts_) {
        if (attempt.connection == old) {
            attempt.connection = fresh;
            attempt.is_up = false;
        }
    }
}

void Dialler::shook_hands(link::ConnectionId connection) {
    for (auto& [target, attempt] : attempts_) {
        attempt.is_up = attempt.is_up || attempt.connection == connection;
    }
}

void Dialler::came(link::ConnectionId connection, Now now) {
    for (auto& [target, attempt] : attempts_) {
        if (attempt.connection == connection) {
            attempt.failing_since.reset();
            attempt.reason.reset();
            attempt.succeeded = now.steady;
        }
    }
}

bool Dialler::is_anothers(const Target& target, Now now) const {
    // Targets are ordered by address.
    for (auto at = attempts_.lower_bound({target.endpoint, OfficeId{0}});
         at != attempts_.end() && at->first.endpoint == target.endpoint; ++at) {
        const auto& other = at->second;
        const bool is_missing =
            other.failing_since && now.steady - *other.failing_since > missing_for;
        if (at->first.office != target.office && other.succeeded != Instant{} &&
            other.succeeded > attempts_.at(target).succeeded && !is_missing) {
            return true;
        }
    }
    return false;
}

bool Dialler::is_open(const Target& target, const Attempt& attempt,
                      const std::set<OfficeId>& linked, Now now) const {
    return attempt.permit.is_open && !attempt.connection && !linked.contains(target.office) &&
           !is_anothers(target, now);
}

std::optional<Instant> Dialler::wake_at(const std::set<OfficeId>& linked, Now now) const {
    std::optional<Instant> earliest;
    const auto under_way = std::ranges::count_if(attempts_, [](const auto& entry) {
        return entry.second.connection && !entry.second.is_up;
    });
    if (static_cast<std::size_t>(under_way) >= under_way_max) {
        return std::nullopt;  // the end of one of them wakes us
    }
    for (const auto& [target, attempt] : attempts_) {
        if (is_open(target, attempt, linked, now) && (!earliest || attempt.next < *earliest)) {
            earliest = attempt.next;
        }
    }
    return earliest;
}

}  // namespace fieldpost::runtime
