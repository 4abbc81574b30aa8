#include "daemon/runtime/dialler.h"

#include "daemon/engine/membership/cut_offs.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds backoff_first = 1s;
constexpr std::chrono::milliseconds backoff_last = 15min;
constexpr std::chrono::milliseconds contested_first = 1min;
// Every way takes segments of this size (RFC 879).
constexpr int small_segment_bytes = 536;
// A link that was there a moment ago may come and go: what is waited for is little, and what is
// lost of a short contact is much. A minute of it costs 4 kB. (An attempt takes two seconds.)
// Not after a link that was up: who lets us in and drops us would be asked ten times a second.
constexpr std::chrono::milliseconds comes_back_within = 2min;
constexpr std::chrono::milliseconds comes_back_pause = 100ms;
// As many as time out in that time.
constexpr std::uint32_t comes_back_at_name_max = 64;
// Thirty dead addresses must not hold up a good one for long, nor cost thirty sockets at a time.
constexpr std::size_t under_way_max = 16;
constexpr std::size_t not_by_hand_max = 12;
constexpr std::size_t unproved_max = 8;
constexpr std::size_t unproved_nearby_max = 4;
constexpr std::size_t at_one_host_max = 4;
// An address in the local network answers at once, or is none.
constexpr std::chrono::milliseconds nearby_backoff_first = 5s;
constexpr std::chrono::milliseconds put_off_pause = 1s;
// For one office. It is more than an office can announce in four statements.
constexpr std::size_t hosts_max = 32;
// An office that does not answer at its address for so long may have lost that address to another.
constexpr std::chrono::milliseconds missing_for = 60s;

bool is_proved(const Dialler::Attempt& attempt) {
    return attempt.succeeded != Instant{};
}
bool is_unproved_told(const Dialler::Attempt& attempt) {
    return attempt.word == link::Word::told && !is_proved(attempt);
}

std::string host_of(const std::string& endpoint) {
    const auto numeric = link::numeric_endpoint(endpoint);
    return numeric ? numeric->substr(0, numeric->rfind(':')) : "";
}

// The office of the first change of the roster announces a loopback address.
bool is_on_one_machine(const engine::Ledger& ledger) {
    const auto& changes = ledger.roster_changes();
    if (changes.empty()) {
        return false;
    }
    for (const auto& statement : changes.front().statements) {
        const auto* founder = std::get_if<Admit>(&statement);
        const auto* said = founder == nullptr ? nullptr : ledger.statement(founder->index);
        if (said != nullptr && std::ranges::any_of(said->endpoints, link::is_loopback)) {
            return true;
        }
    }
    return false;
}

}  // namespace

// The attempts under way, counted as the promise counts them.
struct Dialler::UnderWay {
    std::size_t all = 0;
    std::size_t not_by_hand = 0;
    std::size_t unproved = 0;
    std::size_t unproved_nearby = 0;
    std::set<std::pair<OfficeId, std::string>> told;
    std::map<std::string, std::size_t> at_host;

    void add(const Target& target, const Attempt& attempt) {
        ++all;
        if (attempt.word == link::Word::by_hand) {
            return;
        }
        ++not_by_hand;
        if (is_proved(attempt)) {
            return;
        }
        ++unproved;
        if (attempt.word == link::Word::heard) {
            ++unproved_nearby;
        } else {
            told.emplace(target.office, attempt.host);
            ++at_host[attempt.host];
        }
    }
    [[nodiscard]] bool has_room_for(const Target& target, const Attempt& attempt) const {
        if (all >= under_way_max) {
            return false;
        }
        if (attempt.word == link::Word::by_hand) {
            return true;
        }
        if (not_by_hand >= not_by_hand_max) {
            return false;
        }
        if (is_proved(attempt)) {
            return true;
        }
        if (unproved >= unproved_max) {
            return false;
        }
        if (attempt.word == link::Word::heard) {
            return unproved_nearby < unproved_nearby_max;
        }
        const auto there = at_host.find(attempt.host);
        return !told.contains({target.office, attempt.host}) &&
               (attempt.host.empty() || there == at_host.end() || there->second < at_one_host_max);
    }
};

Dialler::UnderWay Dialler::under_way() const {
    UnderWay now;
    for (const auto& [target, attempt] : attempts_) {
        if (attempt.connection && !attempt.is_up) {
            now.add(target, attempt);
        }
    }
    return now;
}

// Not before its host is due, if that was tried in vain.
Instant Dialler::told_next(const Target& target, const Attempt& attempt) const {
    const auto office = told_.find(target.office);
    if (!is_unproved_told(attempt) || office == told_.end()) {
        return {};
    }
    const auto host = office->second.next.find(attempt.host);
    return host == office->second.next.end() ? Instant{} : host->second;
}

void Dialler::put_off_host(const Target& target, const Attempt& attempt, Now now) {
    auto& told = told_[target.office];
    told.failing_since = told.failing_since.value_or(now.steady);
    if (told.next.size() >= hosts_max && !told.next.contains(attempt.host)) {
        told.next.erase(std::ranges::min_element(told.next, {},
                                                 [](const auto& entry) { return entry.second; }));
    }
    const auto failing_for = now.steady - *told.failing_since;
    const auto next = now.steady + std::clamp(failing_for / 10, backoff_first, backoff_last);
    told.next[attempt.host] = next;
    for (auto& [other, its] : attempts_) {
        if (other.office == target.office && its.host == attempt.host && is_unproved_told(its)) {
            its.next = next;
        }
    }
}

link::Way Dialler::way_of(const Attempt& attempt) const {
    link::Way way = attempt.way;
    way.trust = {attempt.word, is_proved(attempt), is_on_one_machine_};
    return way;
}

std::vector<link::ConnectionId> Dialler::set_targets(const engine::Ledger& ledger,
                                                     const std::vector<PeerConfiguration>& by_hand,
                                                     const std::vector<Target>& nearby) {
    const auto said_of = [&](const std::string& endpoint) {
        return std::ranges::find(by_hand, endpoint, &PeerConfiguration::address);
    };
    is_on_one_machine_ = is_on_one_machine(ledger);
    // An office that knows that it was cut off has nobody to dial.
    const bool is_shut_out = engine::is_shut_out(ledger);
    std::map<Target, bool> wanted;  // and whether it is advertised
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (is_shut_out || index == ledger.us() || !office.is_member() ||
            !ledger.is_partner(index)) {
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
        if (!is_shut_out && office != nullptr && office->is_member() &&
            ledger.is_partner(target.office)) {
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
        const auto [entry, is_new] = attempts_.try_emplace(target);
        auto& attempt = entry->second;
        attempt.is_advertised = is_advertised;
        const auto said = said_of(target.endpoint);
        attempt.word = said != by_hand.end()   ? link::Word::by_hand
                       : near.contains(target) ? link::Word::heard
                                               : link::Word::told;
        if (is_new) {
            attempt.host = host_of(target.endpoint);
            attempt.next = told_next(target, attempt);
        }
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
            attempt.next = std::max(now.steady, told_next(target, attempt));
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
    auto busy = under_way();
    for (auto at = attempts_.begin(); at != attempts_.end(); ++at) {
        const auto& [target, attempt] = *at;
        if (attempt.next <= now.steady && is_open(target, attempt, linked, now) &&
            ledger.roster().find(target.office) != nullptr) {
            due.push_back(at);
        }
    }
    std::ranges::sort(due, [](const auto& one, const auto& other) {
        const auto& a = one->second;
        const auto& b = other->second;
        return std::tuple(b.succeeded, a.next, a.dialled) <
               std::tuple(a.succeeded, b.next, b.dialled);
    });
    for (const auto& at : due) {
        auto& [target, attempt] = *at;
        if (!busy.has_room_for(target, attempt)) {
            continue;
        }
        busy.add(target, attempt);
        auto way = way_of(attempt);
        way.segment_max = in_small_segments.contains(target.office) ? small_segment_bytes : 0;
        attempt.connection =
            link.dial(way, ledger.roster().find(target.office)->link, target.office);
        attempt.dialled = now.steady;
    }
}

void Dialler::went(link::ConnectionId connection, link::EndReason reason, Now now) {
    for (auto& [target, attempt] : attempts_) {
        if (attempt.connection != connection) {
            continue;
        }
        attempt.connection.reset();
        const bool was_up = std::exchange(attempt.is_up, false);
        if (reason == link::EndReason::put_off) {
            attempt.next = now.steady + put_off_pause;  // nothing was tried, so nothing has failed
            continue;
        }
        attempt.reason = reason;
        ++attempt.failures;
        attempt.failing_since = attempt.failing_since.value_or(now.steady);
        const auto failing_for = now.steady - *attempt.failing_since;
        // A name that was told may lead to another machine by now, which has not asked for this.
        const bool is_told_name = attempt.word == link::Word::told && attempt.host.empty();
        const bool may_be_back = !was_up && is_proved(attempt) && failing_for < comes_back_within &&
                                 (!is_told_name || ++attempt.quick <= comes_back_at_name_max);
        attempt.contested = reason == link::EndReason::contested ? attempt.contested + 1 : 0;
        if (attempt.contested > 0) {
            const auto times = std::min(attempt.contested - 1, 10U);
            attempt.next = now.steady + std::min(contested_first * (1U << times), backoff_last);
            continue;
        }
        const auto first = attempt.word == link::Word::heard && !is_proved(attempt)
                               ? nearby_backoff_first
                               : backoff_first;
        attempt.next =
            now.steady +
            (may_be_back ? comes_back_pause : std::clamp(failing_for / 10, first, backoff_last));
        if (is_unproved_told(attempt)) {
            put_off_host(target, attempt, now);
        }
    }
}

void Dialler::start_over(const std::set<OfficeId>& offices, Now now) {
    std::erase_if(
        told_, [&](const auto& entry) { return offices.empty() || offices.contains(entry.first); });
    for (auto& [target, attempt] : attempts_) {
        if (offices.empty() || offices.contains(target.office)) {
            attempt.failing_since.reset();
            attempt.next = now.steady;
        }
    }
}

void Dialler::heard_at(const Target& target, Now now) {
    // If another machine with our keys takes each link from us, hearing the peer again is no news.
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
            attempt.quick = 0;
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
    const auto busy = under_way();
    for (const auto& [target, attempt] : attempts_) {
        // If there is no room for an attempt, the end of another one wakes us.
        if (is_open(target, attempt, linked, now) && busy.has_room_for(target, attempt) &&
            (!earliest || attempt.next < *earliest)) {
            earliest = attempt.next;
        }
    }
    return earliest;
}

}  // namespace fieldpost::runtime
