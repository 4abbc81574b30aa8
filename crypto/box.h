// Seals values at rest under a key of this office.
//
// Construction: XChaCha20-Poly1305 with a random nonce (draft-irtf-cfrg-xchacha). Nothing here
// proves the author of a value; records and registers are signed for that.
#pragma once

#include "crypto/secret.h"
#include "proto/vocabulary.h"

namespace fieldpost::crypto {

inline constexpr std::size_t seal_overhead = 24 + 16;

// `context` is authenticated and not stored. It is the name of a table and a key, so that values
// cannot be swapped.
Bytes seal_value(const SealKey& key, BytesView context, BytesView plain);
// corrupt: another key, another context, or damage.
Result<Bytes> open_value(const SealKey& key, BytesView context, BytesView sealed);

struct BoxKeyPair {
    BoxPublic public_key;
    BoxSecret secret;
    static BoxKeyPair random();
    static BoxKeyPair from_secret(BoxSecret secret);
};

// A key that only the holder of `secret` can derive, for entries that only this holder will read.
// It is a hundred times cheaper than sealing to the public key. The public key is needed only where
// the secret is not at hand.
SealKey own_key_of(const BoxKeyPair& pair, const NetworkId& network);

// Seals to the holder of the secret of `recipient`. The sealer need not be able to read the value
// again. Construction: an ephemeral X25519 key, and seal_value under the hash of the shared secret
// and both public keys.
Bytes seal_to(const BoxPublic& recipient, const NetworkId& network, BytesView context,
              BytesView plain);
// corrupt: as open_value().
Result<Bytes> open_sealed_to(const BoxKeyPair& recipient, const NetworkId& network,
                             BytesView context, BytesView sealed);

// False for a key of small order. Such a key gives no shared secret.
bool is_key(const BoxPublic& key);

// X25519 (RFC 7748). untrusted: the result is all zero, which only a malicious key gives.
using SharedSecret = Secret<struct SharedSecretTag, 32>;
Result<SharedSecret> shared_secret(const BoxSecret& ours, const BoxPublic& theirs);

}  // namespace fieldpost::crypto
