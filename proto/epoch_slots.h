// Epoch slots: how the authority hands a group's key of one epoch to its members.
//
// Promise: decode accepts only what proto/WIRE.md "Epoch slots" allows. crypto/register_seal.h
// checks the signatures. crypto/group_key.h opens the key in a slot.
#pragma once

#include <vector>

#include "proto/register.h"

namespace fieldpost {

// The group index, in a register's subject, for the key from which those of bundles and beacons are
// made. Its slots are sealed to link keys, which a locked office has too; their prekey epoch is 0.
inline constexpr OfficeId transport_group{0xfffe};

using WrappedGroupKey = ByteArray<struct WrappedGroupKeyTag, 32>;

struct EpochSlots {
    // The group's key for one office, under one of its prekeys.
    struct Slot {
        OfficeId office{};
        std::uint16_t prekey_epoch = 0;
        WrappedGroupKey wrapped;
        bool operator==(const Slot&) const = default;
    };

    OfficeId group = transport_group;
    std::uint8_t page = 0;    // slots of a large group fill several registers
    std::uint16_t epoch = 0;  // from 1; the keys of earlier epochs follow from that of a later one
    std::uint32_t revision = 0;  // a page is written again when slots are added
    std::uint32_t roster_version = 0;
    BoxPublic group_key;  // authors seal to it; a reader of a slot checks the secret by it
    BoxPublic ephemeral;
    std::vector<Slot> slots;  // ascending by office, at least one
    bool operator==(const EpochSlots&) const = default;
};

// The register without its signatures.
Register epoch_slots_register(const EpochSlots& slots, WallTime at);
// malformed: the register is no epoch slots, or breaks their rules.
Result<EpochSlots> decode_epoch_slots(const Register& entry);

}  // namespace fieldpost
