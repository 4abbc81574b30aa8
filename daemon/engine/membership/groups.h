// Group keys: the authority makes them and hands them out, authors seal to them, and members open
// records with them. One more group, of all members, has the secret from which the keys of bundles
// and beacons are made: the transport. For the content of a slot see crypto/group_key.h, for the
// epochs crypto/epoch_chain.h.
//
// A new epoch begins once an office that has the key of the last one has left the network.
#pragma once

#include "crypto/box.h"
#include "daemon/engine/ledger.h"
#include "proto/epoch_slots.h"

namespace fieldpost::engine {

// A group key that an author may seal to.
struct GroupKey {
    std::uint16_t epoch = 0;
    BoxPublic key;
    // Members that can open records sealed to this key, as far as is known here.
    std::set<OfficeId> holders;
};
// The group's key of the newest epoch known here. Nothing if there is none, or if an office that
// has left the network holds it.
std::optional<GroupKey> usable_group_key(const Ledger& ledger, OfficeId group);

// This office's copy of a group's key. Mail must be open. unavailable: no slot that this office can
// open has come yet. untrusted: the slot is wrong.
Result<crypto::BoxKeyPair> group_key_of(const Ledger& ledger, OfficeId group, std::uint16_t epoch);

// The newest transport secret that this office can open. Of epoch 0, which is before any office has
// left, the secret is the founding key.
class Transport {
public:
    struct Newest {
        std::uint16_t epoch = 0;
        crypto::BoxSecret secret;
    };
    // Null: epoch 0. Looks at the registers, and opens a slot only when there is a newer one.
    const Newest* newest(const Ledger& ledger);

private:
    std::optional<Newest> newest_;
    std::pair<std::size_t, std::uint64_t> looked_at_;  // pages of the transport, and their counters
};
// The newest epoch whose pages are here.
std::uint16_t transport_epoch(const Ledger& ledger);
// The transport secret in a slot of this office on this page. unavailable: there is none.
Result<crypto::BoxSecret> transport_secret_on(const Ledger& ledger, const EpochSlots& page);

// True at the authority with mail open, if the network has more members than one record can name,
// or if an office has left.
bool has_groups_to_tend(const Ledger& ledger);
// Makes the keys of all groups. Gives a slot to each member that has none, or whose slot is under a
// prekey it no longer lists.
void tend_group_keys(Ledger& ledger, Now now);

}  // namespace fieldpost::engine
