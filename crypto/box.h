// Sealing for ourselves: values at rest under a key of this office, and keys sealed to its archive.
//
// Construction: XChaCha20-Poly1305 with a random nonce (draft-irtf-cfrg-xchacha), and libsodium's
// sealed boxes. Nothing here says who made a value; records and registers are signed instead.
#pragma once

#include "crypto/secret.h"
#include "proto/vocabulary.h"

namespace fieldpost::crypto {

inline constexpr std::size_t seal_overhead = 24 + 16;

// `context` is authenticated, not stored: a table's name and a key, so that values cannot be
// swapped.
Bytes seal_value(const SealKey& key, BytesView context, BytesView plain);
// corrupt: another key, another context or damaged.
Result<Bytes> open_value(const SealKey& key, BytesView context, BytesView sealed);

struct BoxKeyPair {
    BoxPublic public_key;
    BoxSecret secret;
    static BoxKeyPair random();
    static BoxKeyPair from_secret(BoxSecret secret);
};

// To a key whose secret may be locked away now: archive entries.
Bytes seal_to(const BoxPublic& recipient, BytesView plain);
// untrusted: not sealed to this key, or damaged.
Result<Bytes> open_sealed_to(const BoxKeyPair& recipient, BytesView sealed);

// X25519 (RFC 7748). untrusted: the result is all zero, which only a malicious key gives.
using SharedSecret = Secret<struct SharedSecretTag, 32>;
Result<SharedSecret> shared_secret(const BoxSecret& ours, const BoxPublic& theirs);

}  // namespace fieldpost::crypto
