// Group keys: the authority makes them and hands them out, authors seal to them, and members open
// records with them. For the content of a slot see crypto/group_key.h.
#pragma once

#include "crypto/box.h"
#include "daemon/engine/ledger.h"

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

// True at the authority with mail open, if the network has more members than one record can name.
bool has_groups_to_tend(const Ledger& ledger);
// Makes the keys of all groups. Gives a slot to each member that has none, or whose slot is under a
// prekey it no longer lists.
void tend_group_keys(Ledger& ledger, Now now);

}  // namespace fieldpost::engine
