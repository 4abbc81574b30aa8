// The offices that were heard in the local network, and when to call into it.
//
// Every holder of the network's secret can call in any office's name: a former member, too. So a
// call is worth a connection attempt, and these promises hold whatever is called:
//   - Dials: for one office a new address at most every second over each of IPv4 and IPv6, eight
//     new addresses a second for all offices, and the same address again after 20 s. While at most
//     three newer ones are being tried the dialler repeats its attempt, the first time after 5 s.
//   - Fairness: calls from one address delay no other address. While an office is called from at
//     most 256 addresses of a family, each of them is dialled in its turn, the first one heard
//     first; in a network of more than 16 offices their share of 8,192 is less.
//   - An address at which the office has proved its key keeps its place, and is dialled before all
//     others when it calls. Of each family an office has four such places.
//   - Memory: 8,192 addresses, or four of each family for every office if that is more.
// Not promised: that an office is found while somebody forges more addresses than that. IPv6 has
// 2^64 in every local network, and all its offices share them, so no prefix tells them apart. IPv4
// has no more than the network's mask allows, and its calls are counted apart from those of IPv6.
// Nor while somebody forges calls from the office's own address, who could answer there as well.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "crypto/beacon.h"
#include "daemon/engine/ledger.h"
#include "daemon/engine/membership/groups.h"
#include "daemon/link/beacon_socket.h"
#include "daemon/runtime/dialler.h"

namespace fieldpost::runtime {

// The port under which a socket that is bound to `bound` (an endpoint of ZeroMQ) is reached through
// `address` of this machine; 0 if it is not reached there.
std::uint16_t port_reached_at(const std::string& bound, const link::BeaconSocket::Address& address);

class Neighbours {
public:
    Neighbours(const crypto::FoundingKey& founding_key, const NetworkId& network)
        : founding_key_(founding_key.duplicate()), network_(network) {
        take_keys(nullptr, 0);
    }

    // Tells the local network that this office listens at `bound` ("tcp://0.0.0.0:6743"). Until all
    // members say that they know the newest epoch, every second call is of the oldest that one of
    // them names.
    void call(link::BeaconSocket& socket, const engine::Ledger& ledger,
              const std::vector<std::string>& bound);
    // Remembers the callers. Whom to dial of them, take_due() says.
    void hear(const std::vector<link::BeaconSocket::Heard>& heard, const engine::Ledger& ledger,
              Now now);
    // The addresses whose turn it is now, each told once; targets() has them from now on. None of
    // an office that is linked: its addresses wait.
    std::vector<Dialler::Target> take_due(const std::set<OfficeId>& linked, Now now);
    // When take_due() has more. Empty: not before somebody calls, or is linked no more.
    [[nodiscard]] std::optional<Instant> due_at(const std::set<OfficeId>& linked) const;
    // The addresses that are being tried, at most four of each office and family, and those at
    // which an office has proved its key and that are in use or called of late.
    [[nodiscard]] std::vector<Dialler::Target> targets(Now now) const;
    // The office has proved its key there, or is still linked there. Another address is nothing.
    void reached(const Dialler::Target& target, Now now);

    // The network has changed, or this office has something new to say.
    void call_soon(Now now);
    // True if it is time to call. Calls are rare while a link is up.
    bool is_due(bool is_linked, Now now);
    [[nodiscard]] Instant next_call_at() const { return next_; }

private:
    struct Address {
        std::string host;
        std::uint16_t port = 0;  // as called last
        Instant first_heard{};
        Instant heard{};
        // Since when it is to be dialled; empty: it is not.
        std::optional<Instant> due{};
        std::optional<Instant> dialled{};
        std::string tried{};    // the endpoint that was dialled
        std::string reached{};  // the one at which the office has proved its key
        Instant reached_at{};   // last
        bool is_on_trial = false;
    };
    // The addresses of one office in IPv4, or in IPv6: a flood in one of them is none in the other.
    struct Lane {
        std::vector<Address> addresses{};
        Instant next_new{};  // when the next unproved address may be dialled
    };
    using LaneId = std::pair<OfficeId, bool>;  // and whether of IPv6

    void look_at_epochs(const engine::Ledger& ledger);
    void take_keys(const engine::Transport::Newest* newest, std::uint16_t oldest);

    void hear(Lane& lane, std::size_t addresses_max, const std::string& host, std::uint16_t port,
              Now now) const;
    static Dialler::Target try_now(Lane& lane, Address& address, OfficeId office, Now now);

    crypto::FoundingKey founding_key_;
    NetworkId network_;
    engine::Transport transport_;
    // The keys of the newest epoch and of earlier ones: a member that was away may know only these.
    std::vector<crypto::BeaconKey> keys_;
    std::pair<std::uint16_t, std::uint16_t> epochs_;  // the newest and the oldest of them
    std::size_t calls_ = 0;
    std::map<LaneId, Lane> lanes_;
    Instant next_new_{};  // of any office
    Instant next_{};
    int soon_ = 0;  // calls still to come at short intervals
    bool was_linked_ = false;
};

}  // namespace fieldpost::runtime
