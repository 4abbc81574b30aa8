#include "crypto/hash.h"

#include <sodium.h>

#include "crypto/raw.h"

namespace fieldpost::crypto {

namespace {

constexpr std::byte label_end{0};

}  // namespace

Hash keyed_hash(BytesView key, std::string_view label, const NetworkId& network,
                std::initializer_list<BytesView> parts) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, key.empty() ? nullptr : raw(key), key.size(), Hash::size);
    const auto add = [&](BytesView bytes) {
        crypto_generichash_update(&state, raw(bytes), bytes.size());
    };
    add(as_bytes(label));
    add({&label_end, 1});
    add(network.view());
    for (const auto part : parts) {
        add(part);
    }
    Hash result;
    crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(result.bytes.data()),
                             Hash::size);
    sodium_memzero(&state, sizeof state);
    return result;
}

Hash hash(std::string_view label, const NetworkId& network,
          std::initializer_list<BytesView> parts) {
    return keyed_hash({}, label, network, parts);
}

Bytes labelled(std::string_view label, const NetworkId& network,
               std::initializer_list<BytesView> parts) {
    ByteWriter out;
    out.raw(as_bytes(label));
    out.u8(0);
    out.raw(network.view());
    for (const auto part : parts) {
        out.raw(part);
    }
    return out.take();
}

Bytes sha256(BytesView bytes) {
    Bytes sum(crypto_hash_sha256_BYTES);
    crypto_hash_sha256(raw(std::span(sum)), raw(bytes), bytes.size());
    return sum;
}

}  // namespace fieldpost::crypto
