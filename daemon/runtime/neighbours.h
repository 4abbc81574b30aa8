// Who was heard in the local network, and when to call into it.
//
// Promise: however much is called, true or false, old or new, only so many connections are tried:
// for one office one address in ten seconds, and the same address again after twenty.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "crypto/beacon.h"
#include "daemon/engine/ledger.h"
#include "daemon/link/beacon_socket.h"
#include "daemon/runtime/dialler.h"

namespace fieldpost::runtime {

// The port under which a socket that is bound to `bound` (an endpoint of ZeroMQ) is reached through
// `address` of this machine; 0 if it is not reached there.
std::uint16_t port_reached_at(const std::string& bound, const link::BeaconSocket::Address& address);

class Neighbours {
public:
    Neighbours(const crypto::FoundingKey& founding_key, const NetworkId& network)
        : key_(crypto::beacon_key(founding_key, network)), network_(network) {}

    // Who listens at `bound` ("tcp://0.0.0.0:6743"), and can be reached there.
    void call(link::BeaconSocket& socket, OfficeId us, const std::vector<std::string>& bound) const;
    // What is to be dialled now that it was heard; all of it is in targets() from now on.
    std::vector<Dialler::Target> hear(const std::vector<link::BeaconSocket::Heard>& heard,
                                      const engine::Ledger& ledger, Now now);
    // Where offices were heard of late.
    [[nodiscard]] std::vector<Dialler::Target> targets(Now now) const;

    // The network has changed, or this office has something new to say.
    void call_soon(Now now);
    // Whether to call now, and when to look again. Seldom if somebody is linked.
    bool is_due(bool is_linked, Now now);
    [[nodiscard]] Instant next_at() const { return next_; }

private:
    struct Address {
        std::string endpoint;
        Instant heard{};
        Instant dialled{};
    };
    crypto::BeaconKey key_;
    NetworkId network_;
    std::map<OfficeId, std::deque<Address>> heard_;
    Instant next_{};
    int soon_ = 0;  // calls still to come at short intervals
    bool was_linked_ = false;
};

}  // namespace fieldpost::runtime
