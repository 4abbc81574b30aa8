// A group's key of one epoch: an X25519 pair. Authors seal to its public half. They need not be
// able to read what others write to the group. The slot of each member holds the secret half.
//
// Promise: the secret that comes out of a slot belongs to the public key that the authority's
// register told. Not here: the signer of the register (crypto/register_seal.h).
#pragma once

#include "crypto/box.h"
#include "proto/epoch_slots.h"

namespace fieldpost::crypto {

// A member's prekey, to which its slot is sealed.
struct SlotKey {
    OfficeId office{};
    std::uint16_t epoch = 0;
    BoxPublic prekey;
};

// Fills `page.slots`, ascending by office, and draws the page's ephemeral key. `keys` must name no
// office twice, and no key that is_key() refuses. Only the group and the epoch of `page` are used.
void seal_slots(const NetworkId& network, const BoxKeyPair& group_key, std::vector<SlotKey> keys,
                EpochSlots& page);

// The group's key, from the slot of `office`. unavailable: the office has no slot on this page, or
// its slot is under a prekey other than `epoch`. untrusted: the slot holds the secret of another
// public key.
Result<BoxKeyPair> open_slot(const NetworkId& network, const EpochSlots& page, OfficeId office,
                             std::uint16_t epoch, const BoxKeyPair& prekey);

}  // namespace fieldpost::crypto
