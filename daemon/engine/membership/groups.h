// Group keys: the authority makes them and hands them out, authors seal to them, members open what
// was sealed to them. What is in a slot: crypto/group_key.h.
#pragma once

#include "crypto/box.h"
#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The key that an author may seal to.
struct GroupKey {
    std::uint16_t epoch = 0;
    BoxPublic key;
    // Members that can open what is sealed to it, as far as is known here.
    std::set<OfficeId> holders;
};
// The key of the newest epoch known here. Nothing if there is none, or if an office that has left
// the network holds it.
std::optional<GroupKey> usable_group_key(const Ledger& ledger, OfficeId group);

// This office's copy of a group's key; mail must be open. unavailable: no slot that it can open has
// come yet.  untrusted: a slot that is not good.
Result<crypto::BoxKeyPair> group_key_of(const Ledger& ledger, OfficeId group, std::uint16_t epoch);

// True at the authority, with mail open, of a network with more members than one record can name.
bool has_groups_to_tend(const Ledger& ledger);
// Makes the keys of all groups, and gives a slot to each member that has none or lost its prekey.
void tend_group_keys(Ledger& ledger, Now now);

}  // namespace fieldpost::engine
