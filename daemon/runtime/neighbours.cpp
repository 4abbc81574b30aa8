#include "daemon/runtime/neighbours.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

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
constexpr std::size_t addresses_max = 4;
// How an IPv6 address begins that stands for one of IPv4 (RFC 4291, 2.5.5.2).
constexpr std::array<std::byte, 12> ipv4_mapped = {
    std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
    std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};
constexpr std::chrono::milliseconds another_address_interval = 10s;
constexpr std::chrono::milliseconds same_address_interval = 20s;

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

void Neighbours::call(link::BeaconSocket& socket, OfficeId us,
                      const std::vector<std::string>& bound) const {
    socket.call([&](const link::BeaconSocket::Address& from) -> Bytes {
        for (const auto& endpoint : bound) {
            if (const auto port = port_reached_at(endpoint, from); port != 0) {
                crypto::BeaconNonce nonce;
                crypto::fill_random(nonce.bytes);
                return crypto::seal_beacon(key_, network_, {us, port}, nonce, from);
            }
        }
        return {};
    });
}

std::vector<Dialler::Target> Neighbours::hear(const std::vector<link::BeaconSocket::Heard>& heard,
                                              const engine::Ledger& ledger, Now now) {
    std::vector<Dialler::Target> to_dial;
    for (const auto& one : heard) {
        const auto beacon = crypto::open_beacon(key_, network_, one.bytes, one.sender);
        if (!beacon || beacon->office == ledger.us() ||
            ledger.roster().find(beacon->office) == nullptr) {
            continue;
        }
        auto& known = heard_[beacon->office];
        std::erase_if(known,
                      [&](const Address& old) { return now.steady - old.heard > remembered; });
        const auto endpoint = fmt::format("tcp://{}:{}", one.host, beacon->port);
        auto at = std::ranges::find(known, endpoint, &Address::endpoint);
        if (at == known.end()) {
            if (!known.empty() && now.steady - known.back().dialled < another_address_interval) {
                continue;
            }
            if (known.size() == addresses_max) {
                known.pop_front();
            }
            known.push_back({endpoint, now.steady, now.steady});
            to_dial.push_back({endpoint, beacon->office});
        } else {
            at->heard = now.steady;
            if (now.steady - at->dialled >= same_address_interval) {
                at->dialled = now.steady;
                to_dial.push_back({endpoint, beacon->office});
            }
        }
    }
    return to_dial;
}

std::vector<Dialler::Target> Neighbours::targets(Now now) const {
    std::vector<Dialler::Target> all;
    for (const auto& [office, addresses] : heard_) {
        for (const auto& address : addresses) {
            if (now.steady - address.heard <= remembered) {
                all.push_back({address.endpoint, office});
            }
        }
    }
    return all;
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
