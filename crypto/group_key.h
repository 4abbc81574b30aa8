// A group's key of one epoch: an X25519 pair. Authors seal to its public half and need not be able
// to read what others write to the group; its secret half is in the slot of each member.
//
// Promise: the secret that comes out of a slot is the one that the authority's register told the
// public key of. Not here: who signed the register (crypto/register_seal.h).
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
// office twice, and none that is_key() refuses. Nothing of `page` but its group
// and epoch is used.
void seal_slots(const NetworkId& network, const BoxKeyPair& group_key, std::vector<SlotKey> keys,
                EpochSlots& page);

// The group's key, from the slot of `office`. unavailable: it has none on this page, or under a
// prekey other than `epoch`.  untrusted: the slot holds the secret of another public key.
Result<BoxKeyPair> open_slot(const NetworkId& network, const EpochSlots& page, OfficeId office,
                             std::uint16_t epoch, const BoxKeyPair& prekey);

}  // namespace fieldpost::crypto
