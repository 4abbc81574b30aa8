// The call that an office sends into the local network so that other members find it. To everybody
// else it is noise, and new noise each time.
//
// Promise: a holder of the network's secret learns which office calls and on which port that office
// listens. A call is bound to the address that it was sent from.
//
// Not promised: that a call is fresh, or that the named office made it and not another member. A
// call is worth a connection attempt, and no more. Bytes: proto/WIRE.md.
#pragma once

#include <optional>

#include "crypto/identity.h"

namespace fieldpost::crypto {

using BeaconKey = Secret<struct BeaconKeyTag, 32>;
// The secret of epoch 0 is the founding key; those of later epochs, see epoch_chain.h.
BeaconKey beacon_key(BytesView secret, std::uint16_t epoch, const NetworkId& network);

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
// Empty: no beacon of this network, or not sent from `sender`.
std::optional<Beacon> open_beacon(const BeaconKey& key, const NetworkId& network, BytesView bytes,
                                  const NetworkAddress& sender);

}  // namespace fieldpost::crypto
