// Fingerprints of leaves, by which two offices find those that differ (proto/WIRE.md,
// "Fingerprint"). They are secret from authors and known to both ends, so nobody can prepare two
// leaves that look alike.
#pragma once

#include "crypto/box.h"
#include "daemon/engine/ledger.h"
#include "proto/sync_frames.h"

namespace fieldpost::engine {

// The bucket whose fingerprint covers the leaf of that office.
std::size_t bucket_of(OfficeId office);

class LeafFingerprinter {
public:
    // Without a link key of the peer, all fingerprints are zero.
    LeafFingerprinter(Ledger& ledger, OfficeId peer, std::uint32_t number);

    [[nodiscard]] LeafFingerprint of_leaf(const Hash& leaf) const;
    [[nodiscard]] ShortFingerprint short_of_leaf(const Hash& leaf) const;
    // One for each bucket.
    [[nodiscard]] std::vector<LeafFingerprint> of_buckets() const;

private:
    template <class Print>
    [[nodiscard]] Print print(std::string_view label, BytesView content) const;

    Ledger& ledger_;
    std::uint32_t number_;
    std::optional<crypto::SharedSecret> shared_;
};

}  // namespace fieldpost::engine
