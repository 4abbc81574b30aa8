#include "crypto/beacon.h"

#include <sodium.h>

#include "crypto/hash.h"

namespace fieldpost::crypto {

namespace {

constexpr std::size_t content_bytes = 4;
constexpr std::size_t tag_bytes = 16;

// Seals and opens: masking twice gives the first bytes back.
std::array<std::byte, content_bytes> masked(const BeaconKey& key, const NetworkId& network,
                                            BytesView nonce, BytesView content) {
    const auto mask = keyed_hash(key.view(), "beacon-mask", network, {nonce});
    std::array<std::byte, content_bytes> result{};
    for (std::size_t i = 0; i < content_bytes; ++i) {
        result[i] = content[i] ^ mask.bytes[i];
    }
    return result;
}

Hash tag_of(const BeaconKey& key, const NetworkId& network, BytesView nonce, BytesView content,
            const NetworkAddress& sender) {
    return keyed_hash(key.view(), "beacon", network, {nonce, content, sender});
}

}  // namespace

BeaconKey beacon_key(BytesView secret, std::uint16_t epoch, const NetworkId& network) {
    ByteWriter number;
    number.u16(epoch);
    return BeaconKey::from(keyed_hash(secret, "beacon-key", network, {number.bytes()}).view());
}

Bytes seal_beacon(const BeaconKey& key, const NetworkId& network, const Beacon& beacon,
                  const BeaconNonce& nonce, const NetworkAddress& sender) {
    ByteWriter content;
    content.u16(value_of(beacon.office));
    content.u16(beacon.port);
    ByteWriter out;
    out.raw(nonce.view());
    out.raw(masked(key, network, nonce.view(), content.bytes()));
    out.raw(tag_of(key, network, nonce.view(), content.bytes(), sender).first(tag_bytes));
    return out.take();
}

std::optional<Beacon> open_beacon(const BeaconKey& key, const NetworkId& network, BytesView bytes,
                                  const NetworkAddress& sender) {
    if (bytes.size() != BeaconNonce::size + content_bytes + tag_bytes) {
        return std::nullopt;
    }
    const auto nonce = bytes.first(BeaconNonce::size);
    const auto content =
        masked(key, network, nonce, bytes.subspan(BeaconNonce::size, content_bytes));
    const auto tag = tag_of(key, network, nonce, content, sender);
    if (sodium_memcmp(tag.bytes.data(), bytes.last(tag_bytes).data(), tag_bytes) != 0) {
        return std::nullopt;
    }
    ByteReader in(content);
    Beacon beacon;
    beacon.office = OfficeId{in.read_u16().value()};
    beacon.port = in.read_u16().value();
    return beacon.port == 0 ? std::nullopt : std::optional(beacon);
}

}  // namespace fieldpost::crypto
