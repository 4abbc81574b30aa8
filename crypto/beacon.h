// What an office calls into the local network so that other members find it: noise to everybody
// else, and other noise each time.
//
// Promise: who knows the network's secret learns which office calls and on which port it listens;
// a call is bound to the address it was sent from. Not promised: that it is fresh, or was made by
// that office and not by another member: it is worth a connection attempt, and no more. Bytes:
// proto/WIRE.md.
#pragma once

#include <optional>

#include "crypto/identity.h"

namespace fieldpost::crypto {

using BeaconKey = Secret<struct BeaconKeyTag, 32>;
// Of epoch 0, whose secret is the founding key.
BeaconKey beacon_key(const FoundingKey& founding_key, const NetworkId& network);

// An IPv6 address, or an IPv4 address in its IPv6 form.
using NetworkAddress = std::array<std::byte, 16>;
using BeaconNonce = ByteArray<struct BeaconNonceTag, 16>;

struct Beacon {
    OfficeId office{};
    std::uint16_t port = 0;
    bool operator==(const Beacon&) const = default;
};

// `nonce` must be random.
Bytes seal_beacon(const BeaconKey& key, const NetworkId& network, const Beacon& beacon,
                  const BeaconNonce& nonce, const NetworkAddress& sender);
// Empty: none of this network's, or not sent from there.
std::optional<Beacon> open_beacon(const BeaconKey& key, const NetworkId& network, BytesView bytes,
                                  const NetworkAddress& sender);

}  // namespace fieldpost::crypto
