// Signatures on registers, custody, prekeys and enrolment requests, and the hashes that order and
// compare registers.
#pragma once

#include "crypto/identity.h"
#include "proto/bundle_head.h"
#include "proto/office_statement.h"
#include "proto/register.h"

namespace fieldpost::crypto {

void sign_register(const SigningKey& key, const NetworkId& network, Register& entry);
// An enrolment also needs verify_enrolment; a fork is unsigned and needs verify_fork.
[[nodiscard]] bool verify_register(const SigningPublic& signer, const NetworkId& network,
                                   const Register& entry);
// If two registers have one version, the one with the greater hash counts. Leaves hold the start of
// this hash.
Hash register_hash(const NetworkId& network, const Register& entry);

void sign_bundle_head(const SigningKey& key, const NetworkId& network, BundleHead& head);
[[nodiscard]] bool verify_bundle_head(const SigningPublic& signer, const NetworkId& network,
                                      const BundleHead& head);

// The hash by which receipts and custody name records (WIRE.md 4, `tops`). `ids`: the starts of the
// ids at the tops of the runs, the lowest run first. Zeros for none.
ShortHash hash_of_tops(const NetworkId& network, const std::vector<ShortHash>& ids);

void sign_custody(const SigningKey& key, const NetworkId& network, Custody& custody);
[[nodiscard]] bool verify_custody(const SigningPublic& signer, const NetworkId& network,
                                  const Custody& custody);

Prekey sign_prekey(const SigningKey& mail_key, const NetworkId& network, OfficeId office,
                   std::uint16_t epoch, const BoxPublic& key);
[[nodiscard]] bool verify_prekey(const SigningPublic& mail_key, const NetworkId& network,
                                 OfficeId office, const Prekey& prekey);

// The register that asks for admission under the invitation's index.
Register make_enrolment(const SigningKey& one_time, const MachineKeys& machine,
                        const SigningPublic& mail, const NetworkId& network, OfficeId index,
                        RegisterVersion version, WallTime at);
// Checks two signatures: by the new identity key, and by the one-time key. untrusted or malformed.
Result<Enrolment> verify_enrolment(const SigningPublic& one_time, const NetworkId& network,
                                   const Register& entry);

// Epoch slots are signed by the authority's keys, which `founding` lists.
void sign_epoch_slots(const SigningKey& authority, const Founding& founding,
                      const NetworkId& network, Register& entry);
// untrusted: too few good signatures.
Result<void> verify_epoch_slots(const Founding& founding, const NetworkId& network,
                                const Register& entry);

// Two records of one author whose runs overlap, sides sorted by id.
Register make_fork(const NetworkId& network, const RecordProof& a, const RecordProof& b);
Result<void> verify_fork(const SigningPublic& accused, const NetworkId& network,
                         const Register& entry);

}  // namespace fieldpost::crypto
