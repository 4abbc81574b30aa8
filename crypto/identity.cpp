#include "crypto/identity.h"

#include <fmt/format.h>
#include <sodium.h>

#include "crypto/raw.h"

namespace fieldpost::crypto {

namespace {}  // namespace

SigningKey SigningKey::from_seed(SigningSeed seed) {
    SigningKey key;
    key.seed_ = std::move(seed);
    crypto_sign_seed_keypair(raw(key.public_.mutable_view()), raw(key.secret_.mutable_view()),
                             raw(key.seed_.view()));
    return key;
}

Signature SigningKey::sign(std::string_view label, const NetworkId& network,
                           BytesView message) const {
    const auto input = labelled(label, network, {message});
    Signature signature;
    crypto_sign_detached(raw(signature.mutable_view()), nullptr, raw(input), input.size(),
                         raw(secret_.view()));
    return signature;
}

bool verify(const SigningPublic& key, std::string_view label, const NetworkId& network,
            BytesView message, const Signature& signature) {
    const auto input = labelled(label, network, {message});
    return crypto_sign_verify_detached(raw(signature.view()), raw(input), input.size(),
                                       raw(key.view())) == 0;
}

MachineKeys MachineKeys::random(FoundingKey founding_key) {
    return {SigningKey::random(), BoxKeyPair::random(), SealKey::random(), std::move(founding_key)};
}

MailKeys MailKeys::random() {
    return {SigningKey::random(), BoxKeyPair::random(), {}, std::nullopt};
}

std::string fingerprint(const NetworkId& network, const SigningPublic& identity,
                        const BoxPublic& link, const SigningPublic& mail) {
    const auto digest = hash("fingerprint", network, {identity.view(), link.view(), mail.view()});
    ByteReader in(digest.view());
    std::string digits;
    for (int group = 0; group < 8; ++group) {
        // 32 bits are reduced to 10^5 values. No group is likelier than another by more than one in
        // 40,000.
        const auto value = in.read_u32();
        digits += fmt::format("{}{:05}", group == 0 ? "" : " ", *value % 100000);
    }
    return digits;
}

}  // namespace fieldpost::crypto
