// What a bundle says of itself: who wrote it, when, for whom, and by a hash what the writer has.
#pragma once

#include <optional>
#include <vector>

#include "proto/register.h"

namespace fieldpost {

struct BundleHead {
    OfficeId writer{};
    RegisterVersion version;
    WallTime at;
    std::uint32_t roster_version = 0;
    bool carries = true;  // also what is neither from nor for the writer
    // One of a row in one place, and how many stand before it: all that its readers lacked is in
    // those and in this one.
    std::optional<std::uint8_t> place{};
    // Of a later release: nothing to us, and signed.
    std::uint8_t other_flags = 0;
    std::vector<OfficeId> targets;  // ascending; empty: everybody
    // Of the summary frames that follow it; zero: none do.
    Hash summary;
    Signature signature;
    bool operator==(const BundleHead&) const = default;
};

inline constexpr std::uint8_t bundle_places = 32;

// What is signed under the label "bundle".
Bytes signed_bytes(const BundleHead& head);
Bytes encode_bundle_head(const BundleHead& head);
// malformed: not as WIRE.md has it.
Result<BundleHead> read_bundle_head(ByteReader& in);

}  // namespace fieldpost
