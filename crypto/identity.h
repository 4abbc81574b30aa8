// An office's keys in memory, in their two classes, and signatures.
//
// Machine class: keys that a locked or unattended machine may use. They sign records, registers and
// custody, and hold links. Mail class: keys that read mail, sign prekeys and, at the authority,
// change the roster.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "crypto/box.h"
#include "crypto/hash.h"
#include "crypto/secret.h"
#include "proto/vocabulary.h"

namespace fieldpost::crypto {

// Ed25519 (RFC 8032).
class SigningKey {
public:
    static SigningKey random() { return from_seed(SigningSeed::random()); }
    static SigningKey from_seed(SigningSeed seed);

    [[nodiscard]] const SigningPublic& public_key() const { return public_; }
    [[nodiscard]] const SigningSeed& seed() const { return seed_; }
    [[nodiscard]] Signature sign(std::string_view label, const NetworkId& network,
                                 BytesView message) const;

private:
    SigningSeed seed_;
    Secret<struct SigningSecretTag, 64> secret_;
    SigningPublic public_;
};

[[nodiscard]] bool verify(const SigningPublic& key, std::string_view label,
                          const NetworkId& network, BytesView message, const Signature& signature);

using FoundingKey = Secret<struct FoundingKeyTag, 32>;

struct MachineKeys {
    SigningKey identity;
    BoxKeyPair link;
    // Seals values at rest that hold names, subjects or settings.
    SealKey store_key;
    FoundingKey founding_key;
    static MachineKeys random(FoundingKey founding_key);
};

struct MailKeys {
    SigningKey signing;
    BoxKeyPair archive;
    // Prekey secrets by epoch. A secret is destroyed by rewriting the key file without it.
    std::map<std::uint16_t, BoxKeyPair> prekeys;
    // At the authority only.
    std::optional<SigningKey> authority;
    static MailKeys random();
};

// Eight groups of five digits, to be read over the telephone: 132 bits of the hash of all three
// keys.
std::string fingerprint(const NetworkId& network, const SigningPublic& identity,
                        const BoxPublic& link, const SigningPublic& mail);

}  // namespace fieldpost::crypto
