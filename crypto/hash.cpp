#include "crypto/hash.h"

#include <sodium.h>

#include "crypto/raw.h"
#include "proto/bytes.h"

namespace fieldpost::crypto {

namespace {

constexpr std::byte label_end{0};

void add_to(crypto_generichash_state& state, BytesView bytes) {
    crypto_generichash_update(&state, raw(bytes), bytes.size());
}

void begin(crypto_generichash_state& state, BytesView key, std::string_view label,
           const NetworkId& network) {
    crypto_generichash_init(&state, key.empty() ? nullptr : raw(key), key.size(), Hash::size);
    add_to(state, as_bytes(label));
    add_to(state, {&label_end, 1});
    add_to(state, network.view());
}

Hash end(crypto_generichash_state& state) {
    Hash result;
    crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(result.bytes.data()),
                             Hash::size);
    sodium_memzero(&state, sizeof state);
    return result;
}

}  // namespace

Hash keyed_hash(BytesView key, std::string_view label, const NetworkId& network,
                std::initializer_list<BytesView> parts) {
    crypto_generichash_state state;
    begin(state, key, label, network);
    for (const auto part : parts) {
        add_to(state, part);
    }
    return end(state);
}

struct HashStream::State {
    crypto_generichash_state of;
};

HashStream::HashStream(std::string_view label, const NetworkId& network)
    : state_(std::make_unique<State>()) {
    begin(state_->of, {}, label, network);
}

HashStream::~HashStream() = default;
HashStream::HashStream(HashStream&&) noexcept = default;
HashStream& HashStream::operator=(HashStream&&) noexcept = default;

void HashStream::add(BytesView bytes) {
    add_to(state_->of, bytes);
}

Hash HashStream::finish() {
    return end(state_->of);
}

std::uint64_t accident_check(BytesView bytes) {
    constexpr std::array<unsigned char, crypto_shorthash_KEYBYTES> no_secret{};
    std::array<std::byte, crypto_shorthash_BYTES> check{};
    crypto_shorthash(reinterpret_cast<unsigned char*>(check.data()), raw(bytes), bytes.size(),
                     no_secret.data());
    return ByteReader(check).read_u64().value();
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

struct Sha256::State {
    crypto_hash_sha256_state state;
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    crypto_hash_sha256_init(&state_->state);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::add(BytesView bytes) {
    crypto_hash_sha256_update(&state_->state, raw(bytes), bytes.size());
}

Bytes Sha256::finish() {
    Bytes sum(crypto_hash_sha256_BYTES);
    crypto_hash_sha256_final(&state_->state, raw(std::span(sum)));
    return sum;
}

}  // namespace fieldpost::crypto
