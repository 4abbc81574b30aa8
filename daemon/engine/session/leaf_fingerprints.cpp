#include "daemon/engine/session/leaf_fingerprints.h"

namespace fieldpost::engine {

std::size_t bucket_of(OfficeId office) {
    return value_of(office) % bucket_count;
}

LeafFingerprinter::LeafFingerprinter(Ledger& ledger, OfficeId peer, std::uint32_t number)
    : ledger_(ledger), number_(number) {
    if (const auto* office = ledger.roster().find(peer)) {
        auto shared = crypto::shared_secret(ledger.config().machine->link.secret, office->link);
        if (shared) {
            shared_.emplace(std::move(*shared));
        }
    }
}

LeafFingerprint LeafFingerprinter::of_leaf(const Hash& leaf) const {
    return print<LeafFingerprint>("leaf-fingerprint", leaf.view());
}

ShortFingerprint LeafFingerprinter::short_of_leaf(const Hash& leaf) const {
    return print<ShortFingerprint>("leaf-fingerprint", leaf.view());
}

std::vector<LeafFingerprint> LeafFingerprinter::of_buckets() const {
    std::vector<ByteWriter> contents(bucket_count);
    for (const auto& [office, leaf] : ledger_.leaves()) {
        contents[bucket_of(office)].u16(value_of(office));
        contents[bucket_of(office)].raw(leaf.view());
    }
    std::vector<LeafFingerprint> all;
    all.reserve(contents.size());
    for (const auto& content : contents) {
        all.push_back(print<LeafFingerprint>("bucket-fingerprint", content.bytes()));
    }
    return all;
}

template <class Print>
Print LeafFingerprinter::print(std::string_view label, BytesView content) const {
    Print result;
    if (shared_) {
        ByteWriter salt;
        salt.u32(number_);
        const auto digest =
            crypto::keyed_hash(shared_->view(), label, ledger_.network(), {salt.bytes(), content});
        std::ranges::copy(digest.first(Print::size), result.bytes.begin());
    }
    return result;
}

}  // namespace fieldpost::engine
