#include "daemon/runtime/neighbours.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

#include "crypto/epoch_chain.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds alone_interval = 30s;
constexpr std::chrono::milliseconds linked_interval = 10min;
// A call may be lost while a network comes up; an IPv6 address takes a second to be usable.
constexpr int calls_soon = 3;
constexpr std::chrono::milliseconds soon_interval = 2s;
// Longer than it takes a linked office to call again.
constexpr std::chrono::milliseconds remembered = 15min;
// Calls of so many epochs before the newest are heard.
constexpr int epochs_heard_max = 8;
// For one office in one address family. An ordinary IPv4 network has 256 addresses, so each has its
// turn.
constexpr std::size_t addresses_most = 256;
constexpr std::size_t addresses_least = 4;
constexpr std::size_t addresses_in_all = 8192;
// A trial lasts until as many others have begun: in a flood four seconds, as long as it takes to
// find out that nobody has an address.
constexpr std::ptrdiff_t trials_max = 4;
constexpr std::ptrdiff_t reached_max = 4;
// How an IPv6 address begins that stands for one of IPv4 (RFC 4291, 2.5.5.2).
constexpr std::array<std::byte, 12> ipv4_mapped = {
    std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
    std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};
constexpr std::chrono::milliseconds new_address_interval = 1s;
constexpr std::chrono::milliseconds new_address_of_any_interval = 125ms;
constexpr std::chrono::milliseconds same_address_interval = 20s;

std::string endpoint_of(const std::string& host, std::uint16_t port) {
    return fmt::format("tcp://{}:{}", host, port);
}

}  // namespace

std::uint16_t port_reached_at(const std::string& bound,
                              const link::BeaconSocket::Address& address) {
    constexpr std::size_t scheme = 6;
    const auto colon = bound.rfind(':');
    auto host = bound.substr(scheme, colon - scheme);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    const bool is_ipv4 = std::ranges::equal(std::span(address).first(12), ipv4_mapped);
    link::BeaconSocket::Address own{};
    bool is_reached = host == "*" || host == "::" || (host == "0.0.0.0" && is_ipv4);
    if (!is_reached && ::inet_pton(AF_INET6, host.c_str(), own.data()) == 1) {
        is_reached = own == address;
    } else if (!is_reached && ::inet_pton(AF_INET, host.c_str(), own.data() + 12) == 1) {
        std::ranges::copy(ipv4_mapped, own.begin());
        is_reached = own == address;
    }
    std::uint16_t port = 0;
    std::from_chars(bound.data() + colon + 1, bound.data() + bound.size(), port);
    return is_reached ? port : std::uint16_t{0};
}

void Neighbours::take_keys(const engine::Transport::Newest* newest, std::uint16_t oldest) {
    keys_.clear();
    const std::uint16_t epoch = newest == nullptr ? 0 : newest->epoch;
    // The newest first, the oldest last, and not all of what is between: each is tried for each
    // call that is heard.
    const auto from = std::max<int>(std::max<int>(oldest, 1), epoch - epochs_heard_max);
    if (newest != nullptr) {
        auto secret = newest->secret.duplicate();
        for (int one = epoch; one >= from; --one) {
            const auto number = static_cast<std::uint16_t>(one);
            keys_.push_back(crypto::beacon_key(secret.view(), number, network_));
            secret = crypto::earlier_epoch_secret(secret, network_, transport_group, number,
                                                  static_cast<std::uint16_t>(one - 1));
        }
    }
    if (newest != nullptr && oldest > 0 && oldest < from) {
        const auto secret =
            crypto::earlier_epoch_secret(newest->secret, network_, transport_group, epoch, oldest);
        keys_.push_back(crypto::beacon_key(secret.view(), oldest, network_));
    }
    if (oldest == 0) {
        keys_.push_back(crypto::beacon_key(founding_key_.view(), 0, network_));
    }
    epochs_ = {epoch, oldest};
}

// An invited office knows the founding key only, until it is admitted.
void Neighbours::look_at_epochs(const engine::Ledger& ledger) {
    const auto* newest = transport_.newest(ledger);
    std::uint16_t oldest = newest == nullptr ? 0 : newest->epoch;
    for (const auto& [index, office] : ledger.roster().offices()) {
        const auto* statement = office.is_member() ? ledger.statement(index) : nullptr;
        if (office.is_live() && index != ledger.us()) {
            oldest = std::min<std::uint16_t>(oldest,
                                             statement == nullptr ? 0 : statement->transport_epoch);
        }
    }
    if (epochs_ !=
        std::pair<std::uint16_t, std::uint16_t>(newest == nullptr ? 0 : newest->epoch, oldest)) {
        take_keys(newest, oldest);
    }
}

void Neighbours::call(link::BeaconSocket& socket, const engine::Ledger& ledger,
                      const std::vector<std::string>& bound) {
    look_at_epochs(ledger);
    const auto& key = calls_++ % 2 == 0 ? keys_.front() : keys_.back();
    socket.call([&](const link::BeaconSocket::Address& from) -> Bytes {
        for (const auto& endpoint : bound) {
            if (const auto port = port_reached_at(endpoint, from); port != 0) {
                crypto::BeaconNonce nonce;
                crypto::fill_random(nonce.bytes);
                return crypto::seal_beacon(key, network_, {ledger.us(), port}, nonce, from);
            }
        }
        return {};
    });
}

void Neighbours::hear(const std::vector<link::BeaconSocket::Heard>& heard,
                      const engine::Ledger& ledger, Now now) {
    const auto lanes = 2 * std::max<std::size_t>(1, ledger.roster().offices().size());
    const auto addresses_max =
        std::clamp(addresses_in_all / lanes, addresses_least, addresses_most);
    if (!heard.empty()) {
        look_at_epochs(ledger);
    }
    for (const auto& one : heard) {
        std::optional<crypto::Beacon> beacon;
        for (auto key = keys_.begin(); !beacon && key != keys_.end(); ++key) {
            beacon = crypto::open_beacon(*key, network_, one.bytes, one.sender);
        }
        if (beacon && beacon->office != ledger.us() &&
            ledger.roster().find(beacon->office) != nullptr) {
            hear(lanes_[{beacon->office, one.host.starts_with('[')}], addresses_max, one.host,
                 beacon->port, now);
        }
    }
}

void Neighbours::hear(Lane& lane, std::size_t addresses_max, const std::string& host,
                      std::uint16_t port, Now now) const {
    auto& all = lane.addresses;
    auto at = std::ranges::find(all, host, &Address::host);
    if (at == all.end() && all.size() >= addresses_max) {
        // One that had its turn goes first, then the one that has waited longest.
        const auto worth = [](const Address& one) {
            return std::tuple(!one.reached.empty() || one.is_on_trial, !one.dialled,
                              one.dialled.value_or(one.first_heard));
        };
        at = std::ranges::min_element(all, {}, worth);
        *at = Address{host};
        at->first_heard = now.steady;
    } else if (at == all.end()) {
        all.push_back(Address{host});
        at = all.end() - 1;
        at->first_heard = now.steady;
    }
    at->heard = now.steady;
    at->port = port;
    if (at->due) {
        return;
    }
    const auto again = at->dialled ? *at->dialled + same_address_interval : now.steady;
    if (again <= now.steady) {
        at->due = now.steady;
    } else if (at->tried != endpoint_of(at->host, at->port)) {
        at->due = again;
    }
}

Dialler::Target Neighbours::try_now(Lane& lane, Address& address, OfficeId office, Now now) {
    address.due.reset();
    address.dialled = now.steady;
    address.tried = endpoint_of(address.host, address.port);
    if (address.reached.empty() && !address.is_on_trial) {
        address.is_on_trial = true;
        if (std::ranges::count_if(lane.addresses, &Address::is_on_trial) > trials_max) {
            std::ranges::min_element(lane.addresses, {}, [](const Address& one) {
                return std::pair(!one.is_on_trial, one.dialled.value_or(Instant{}));
            })->is_on_trial = false;
        }
    }
    return {address.tried, office};
}

std::vector<Dialler::Target> Neighbours::take_due(const std::set<OfficeId>& linked, Now now) {
    std::vector<Dialler::Target> to_dial;
    Lane* first_lane = nullptr;
    Address* first = nullptr;
    OfficeId first_office{};
    for (auto& [id, lane] : lanes_) {
        if (linked.contains(id.first)) {
            continue;
        }
        for (auto& address : lane.addresses) {
            if (now.steady - address.heard > remembered) {
                address.due.reset();  // it waited beside a link
            }
            if (!address.due || *address.due > now.steady) {
                continue;
            }
            if (!address.reached.empty()) {
                to_dial.push_back(try_now(lane, address, id.first, now));
                continue;
            }
            if (lane.next_new > now.steady || next_new_ > now.steady) {
                continue;
            }
            // The office that has waited longest, then the address that was dialled longest ago.
            const auto turn = [](const Lane& of, const Address& one) {
                return std::tuple(of.next_new, one.dialled.value_or(Instant{}), *one.due);
            };
            if (first == nullptr || turn(lane, address) < turn(*first_lane, *first)) {
                first_lane = &lane;
                first = &address;
                first_office = id.first;
            }
        }
    }
    if (first != nullptr) {
        first_lane->next_new = now.steady + new_address_interval;
        next_new_ = now.steady + new_address_of_any_interval;
        to_dial.push_back(try_now(*first_lane, *first, first_office, now));
    }
    return to_dial;
}

std::optional<Instant> Neighbours::due_at(const std::set<OfficeId>& linked) const {
    std::optional<Instant> earliest;
    for (const auto& [id, lane] : lanes_) {
        if (linked.contains(id.first)) {
            continue;
        }
        for (const auto& address : lane.addresses) {
            if (address.due) {
                const auto at = address.reached.empty()
                                    ? std::max({*address.due, lane.next_new, next_new_})
                                    : *address.due;
                earliest = std::min(earliest.value_or(at), at);
            }
        }
    }
    return earliest;
}

std::vector<Dialler::Target> Neighbours::targets(Now now) const {
    std::vector<Dialler::Target> all;
    for (const auto& [id, lane] : lanes_) {
        for (const auto& one : lane.addresses) {
            if (now.steady - std::max(one.heard, one.reached_at) > remembered) {
                continue;
            }
            if (!one.reached.empty()) {
                all.push_back({one.reached, id.first});
            }
            // The port may have changed at an address where the office was reached. At other
            // addresses the port may be a lie.
            if ((one.is_on_trial || !one.reached.empty()) && one.tried != one.reached) {
                all.push_back({one.tried, id.first});
            }
        }
    }
    return all;
}

void Neighbours::reached(const Dialler::Target& target, Now now) {
    const auto is_there = [&](const Address& one) {
        return one.tried == target.endpoint || one.reached == target.endpoint;
    };
    for (const bool is_ipv6 : {false, true}) {
        const auto lane = lanes_.find({target.office, is_ipv6});
        if (lane == lanes_.end()) {
            continue;
        }
        auto& all = lane->second.addresses;
        const auto at = std::ranges::find_if(all, is_there);
        if (at == all.end()) {
            continue;
        }
        at->reached = target.endpoint;
        at->reached_at = now.steady;
        at->is_on_trial = false;
        const auto is_reached = [](const Address& one) { return !one.reached.empty(); };
        if (std::ranges::count_if(all, is_reached) > reached_max) {
            std::ranges::min_element(all, {}, [&](const Address& one) {
                return std::pair(!is_reached(one), one.reached_at);
            })->reached.clear();
        }
    }
}

void Neighbours::call_soon(Now now) {
    soon_ = calls_soon;
    next_ = now.steady;
}

bool Neighbours::is_due(bool is_linked, Now now) {
    if (was_linked_ && !is_linked) {
        next_ = std::min(next_, now.steady + alone_interval);
    }
    was_linked_ = is_linked;
    if (now.steady < next_) {
        return false;
    }
    soon_ = std::max(0, soon_ - 1);
    next_ = now.steady + (soon_ > 0 ? soon_interval : is_linked ? linked_interval : alone_interval);
    return true;
}

}  // namespace fieldpost::runtime
