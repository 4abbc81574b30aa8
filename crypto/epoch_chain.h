// The secrets of a group's epochs. The authority makes a new epoch whenever an office that knows
// the secret has left.
//
// Promise: the secret of one epoch gives those of all earlier ones, and of no later one. So an
// office that was away for several epochs needs the newest secret only, and the authority stores
// none. Method: a hash chain, made backwards from a seed that follows from the authority's key (key
// regression: Fu, Kamara, Kohno, "Key Regression: Enabling Efficient Key Distribution for Secure
// Distributed Storage", NDSS 2006).
#pragma once

#include "crypto/box.h"
#include "crypto/identity.h"

namespace fieldpost::crypto {

// The secret of `epoch`, 1 to limits::epochs_max. It takes one hash for each epoch that may still
// come: some milliseconds.
BoxSecret epoch_secret(const SigningKey& authority, const NetworkId& network, OfficeId group,
                       std::uint16_t epoch);

// The secret of `earlier`, from that of the epoch `from`, which is not before it.
BoxSecret earlier_epoch_secret(const BoxSecret& secret, const NetworkId& network, OfficeId group,
                               std::uint16_t from, std::uint16_t earlier);

}  // namespace fieldpost::crypto
