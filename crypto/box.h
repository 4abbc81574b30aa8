// Sealing for ourselves: values at rest under a key of this office.
//
// Construction: XChaCha20-Poly1305 with a random nonce (draft-irtf-cfrg-xchacha). Nothing here says
// who made a value; records and registers are signed instead.
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

// Under what only the holder of `secret` can derive, for entries that he alone will read. A hundred
// times cheaper than to the public key, which is needed only where the secret is not at hand.
SealKey own_key_of(const BoxKeyPair& pair, const NetworkId& network);

// To whoever has the secret of `recipient`, by somebody who need not be able to read it again: an
// ephemeral X25519 key, and seal_value under the hash of the shared secret and both public keys.
Bytes seal_to(const BoxPublic& recipient, const NetworkId& network, BytesView context,
              BytesView plain);
// corrupt: as open_value().
Result<Bytes> open_sealed_to(const BoxKeyPair& recipient, const NetworkId& network,
                             BytesView context, BytesView sealed);

// False for one of small order, with which nobody shares a secret.
bool is_key(const BoxPublic& key);

// X25519 (RFC 7748). untrusted: the result is all zero, which only a malicious key gives.
using SharedSecret = Secret<struct SharedSecretTag, 32>;
Result<SharedSecret> shared_secret(const BoxSecret& ours, const BoxPublic& theirs);

}  // namespace fieldpost::crypto
