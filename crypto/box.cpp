#include "crypto/box.h"

#include <sodium.h>

#include "crypto/hash.h"
#include "crypto/raw.h"

namespace fieldpost::crypto {

namespace {

constexpr std::size_t nonce_bytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t auth_bytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;

}  // namespace

Bytes seal_value(const SealKey& key, BytesView context, BytesView plain) {
    Bytes sealed(nonce_bytes + plain.size() + auth_bytes);
    const auto nonce = std::span(sealed).first(nonce_bytes);
    const auto box = std::span(sealed).subspan(nonce_bytes);
    fill_random(nonce);
    crypto_aead_xchacha20poly1305_ietf_encrypt(raw(box), nullptr, raw(plain), plain.size(),
                                               raw(context), context.size(), nullptr, raw(nonce),
                                               raw(key.view()));
    return sealed;
}

Result<Bytes> open_value(const SealKey& key, BytesView context, BytesView sealed) {
    if (sealed.size() < nonce_bytes + auth_bytes) {
        return fail(Errc::corrupt, "sealed value: too short");
    }
    const auto nonce = sealed.first(nonce_bytes);
    const auto box = sealed.subspan(nonce_bytes);
    Bytes plain(box.size() - auth_bytes);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(
            raw(std::span(plain)), nullptr, nullptr, raw(box), box.size(), raw(context),
            context.size(), raw(nonce), raw(key.view())) != 0) {
        return fail(Errc::corrupt, "sealed value: does not open");
    }
    return plain;
}

BoxKeyPair BoxKeyPair::from_secret(BoxSecret secret) {
    BoxKeyPair pair;
    pair.secret = std::move(secret);
    crypto_scalarmult_base(raw(pair.public_key.mutable_view()), raw(pair.secret.view()));
    return pair;
}

BoxKeyPair BoxKeyPair::random() {
    return from_secret(BoxSecret::random());
}

SealKey own_key_of(const BoxKeyPair& pair, const NetworkId& network) {
    auto digest = keyed_hash(pair.secret.view(), "own", network, {pair.public_key.view()});
    auto key = SealKey::from(digest.view());
    wipe(digest.bytes);
    return key;
}

namespace {

SealKey key_between(const SharedSecret& shared, const NetworkId& network,
                    const BoxPublic& ephemeral, const BoxPublic& recipient) {
    auto digest =
        keyed_hash(shared.view(), "seal-to", network, {ephemeral.view(), recipient.view()});
    auto key = SealKey::from(digest.view());
    wipe(digest.bytes);
    return key;
}

}  // namespace

Bytes seal_to(const BoxPublic& recipient, const NetworkId& network, BytesView context,
              BytesView plain) {
    const auto ephemeral = BoxKeyPair::random();
    const auto shared = shared_secret(ephemeral.secret, recipient);
    ensure(shared.has_value(), "an office's own public key is not of small order");
    auto sealed = to_bytes(ephemeral.public_key.view());
    const auto box =
        seal_value(key_between(*shared, network, ephemeral.public_key, recipient), context, plain);
    sealed.insert(sealed.end(), box.begin(), box.end());
    return sealed;
}

Result<Bytes> open_sealed_to(const BoxKeyPair& recipient, const NetworkId& network,
                             BytesView context, BytesView sealed) {
    ByteReader in(sealed);
    const auto ephemeral = in.read_array<BoxPublic>();
    const auto shared = ephemeral ? shared_secret(recipient.secret, *ephemeral)
                                  : std::unexpected(ephemeral.error());
    if (!shared) {
        return fail(Errc::corrupt, "sealed value: too short, or under no key");
    }
    return open_value(key_between(*shared, network, *ephemeral, recipient.public_key), context,
                      in.rest());
}

bool is_key(const BoxPublic& key) {
    return shared_secret(BoxSecret::random(), key).has_value();
}

Result<SharedSecret> shared_secret(const BoxSecret& ours, const BoxPublic& theirs) {
    SharedSecret shared;
    if (crypto_scalarmult(raw(shared.mutable_view()), raw(ours.view()), raw(theirs.view())) != 0) {
        return fail(Errc::untrusted, "X25519: the other key is of small order");
    }
    return shared;
}

}  // namespace fieldpost::crypto
