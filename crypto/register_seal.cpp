#include "crypto/register_seal.h"

#include "crypto/record_id.h"
#include "crypto/roster.h"

namespace fieldpost::crypto {

void sign_register(const SigningKey& key, const NetworkId& network, Register& entry) {
    entry.signature = key.sign("register", network, signed_bytes(entry));
}

bool verify_register(const SigningPublic& signer, const NetworkId& network, const Register& entry) {
    return verify(signer, "register", network, signed_bytes(entry), entry.signature);
}

Hash register_hash(const NetworkId& network, const Register& entry) {
    return hash("register-id", network, {signed_bytes(entry)});
}

void sign_bundle_head(const SigningKey& key, const NetworkId& network, BundleHead& head) {
    head.signature = key.sign("bundle", network, signed_bytes(head));
}

bool verify_bundle_head(const SigningPublic& signer, const NetworkId& network,
                        const BundleHead& head) {
    return verify(signer, "bundle", network, signed_bytes(head), head.signature);
}

ShortHash hash_of_tops(const NetworkId& network, const std::vector<ShortHash>& ids) {
    Bytes all;
    for (const auto& id : ids) {
        all.insert(all.end(), id.bytes.begin(), id.bytes.end());
    }
    return ids.empty() ? ShortHash{} : short_hash(hash("tops", network, {all}));
}

void sign_custody(const SigningKey& key, const NetworkId& network, Custody& custody) {
    custody.signature = key.sign("custody", network, signed_bytes(custody));
}

bool verify_custody(const SigningPublic& signer, const NetworkId& network, const Custody& custody) {
    return verify(signer, "custody", network, signed_bytes(custody), custody.signature);
}

Prekey sign_prekey(const SigningKey& mail_key, const NetworkId& network, OfficeId office,
                   std::uint16_t epoch, const BoxPublic& key) {
    return {epoch, key, mail_key.sign("prekey", network, prekey_bytes(office, epoch, key))};
}

bool verify_prekey(const SigningPublic& mail_key, const NetworkId& network, OfficeId office,
                   const Prekey& prekey) {
    return verify(mail_key, "prekey", network, prekey_bytes(office, prekey.epoch, prekey.key),
                  prekey.signature);
}

Register make_enrolment(const SigningKey& one_time, const MachineKeys& machine,
                        const SigningPublic& mail, const NetworkId& network, OfficeId index,
                        RegisterVersion version, WallTime at) {
    Enrolment enrolment{machine.identity.public_key(), machine.link.public_key, mail, {}};
    enrolment.one_time_signature =
        one_time.sign("enrol", network, enrolment_bytes(index, enrolment));
    Register entry;
    entry.key = {index, static_cast<std::uint8_t>(RegisterKind::enrolment),
                 enrolment_subject(index)};
    entry.version = version;
    entry.at = at;
    entry.payload = encode_enrolment(enrolment);
    sign_register(machine.identity, network, entry);
    return entry;
}

Result<Enrolment> verify_enrolment(const SigningPublic& one_time, const NetworkId& network,
                                   const Register& entry) {
    const auto enrolment = TRY(decode_enrolment(entry.payload));
    if (entry.key.subject != enrolment_subject(entry.key.signer)) {
        return fail(Errc::malformed, "enrolment: for another invitation than its signer's");
    }
    const auto request = enrolment_bytes(entry.key.signer, enrolment);
    if (!verify(one_time, "enrol", network, request, enrolment.one_time_signature) ||
        !verify_register(enrolment.identity, network, entry)) {
        return fail(Errc::untrusted, "enrolment: not signed by the invitation and the new office");
    }
    return enrolment;
}

void sign_epoch_slots(const SigningKey& authority, const Founding& founding,
                      const NetworkId& network, Register& entry) {
    const auto key = std::ranges::find(founding.authority_keys, authority.public_key());
    ensure(key != founding.authority_keys.end(),
           "an authority signs with a key of the founding statement");
    entry.authority_signatures = {{static_cast<std::uint8_t>(key - founding.authority_keys.begin()),
                                   authority.sign("register", network, signed_bytes(entry))}};
}

Result<void> verify_epoch_slots(const Founding& founding, const NetworkId& network,
                                const Register& entry) {
    return verify_authority(founding, "register", network, signed_bytes(entry),
                            entry.authority_signatures);
}

Register make_fork(const NetworkId& network, const RecordProof& a, const RecordProof& b) {
    const bool a_first = record_id(network, a) < record_id(network, b);
    ByteWriter subject;
    write(subject, a.key.log.incarnation);
    subject.u8(static_cast<std::uint8_t>(a.key.log.record_class));
    ByteWriter payload;
    write(payload, a_first ? a : b);
    write(payload, a_first ? b : a);
    Register entry;
    entry.key = {a.key.log.author, static_cast<std::uint8_t>(RegisterKind::fork), subject.take()};
    entry.version.incarnation = a.key.log.incarnation;
    entry.payload = payload.take();
    return entry;
}

Result<void> verify_fork(const SigningPublic& accused, const NetworkId& network,
                         const Register& entry) {
    ByteReader in(entry.payload);
    const auto a = TRY(read_record_proof(in));
    const auto b = TRY(read_record_proof(in));
    TRY(in.expect_end("fork"));
    const auto id_a = record_id(network, a);
    const auto id_b = record_id(network, b);
    if (a.key.log != b.key.log || !a.key.run().overlaps(b.key.run()) || id_a >= id_b) {
        return fail(Errc::malformed, "fork: no two records over one number");
    }
    // All fields besides the two sides follow from them, so a fork has one form.
    if (entry != make_fork(network, a, b)) {
        return fail(Errc::malformed, "fork: not in its one form");
    }
    if (!verify_record(accused, network, id_a, a.signature) ||
        !verify_record(accused, network, id_b, b.signature)) {
        return fail(Errc::untrusted, "fork: a side that the accused office did not sign");
    }
    return ok();
}

}  // namespace fieldpost::crypto
