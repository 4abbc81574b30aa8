// The signed head of a bundle: its writer, its time, its readers, and a hash of the summary that
// tells what the writer has.
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
    bool carries = true;  // also records that are neither from nor for the writer
    // Set if this bundle is one of a row in one place: the number of bundles before it there.
    // Everything that its readers lacked is in those bundles and in this one.
    std::optional<std::uint8_t> place{};
    // Flags of a later release: without meaning to us, but signed.
    std::uint8_t other_flags = 0;
    std::vector<OfficeId> targets;  // ascending; empty: everybody
    // The hash of the summary frames that follow.
    Hash summary;
    Signature signature;
    bool operator==(const BundleHead&) const = default;
};

inline constexpr std::uint8_t bundle_places = 32;

// The bytes that are signed under the label "bundle".
Bytes signed_bytes(const BundleHead& head);
Bytes encode_bundle_head(const BundleHead& head);
// malformed: the bytes break a rule of WIRE.md.
Result<BundleHead> read_bundle_head(ByteReader& in);

}  // namespace fieldpost
