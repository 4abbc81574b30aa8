#include "daemon/engine/register_name.h"

#include "crypto/register_seal.h"

namespace fieldpost::engine {

RegisterName name_of(const NetworkId& network, const Register& entry) {
    return {entry.key, is_of(entry.key.kind, RegisterKind::enrolment)
                           ? short_hash(crypto::register_hash(network, entry))
                           : ShortHash{}};
}

RegisterName name_of(OfficeId leaf, const RegisterSummary& entry) {
    const auto signer = is_of(entry.kind, RegisterKind::epoch_slots) ? authority_signer : leaf;
    return {{signer, entry.kind, entry.subject},
            is_of(entry.kind, RegisterKind::enrolment) ? entry.hash : ShortHash{}};
}

storage::PutRegister put_register(const NetworkId& network, const Register& entry) {
    return {entry.key.signer, entry.key.kind, entry.key.subject, encode_register(entry),
            name_of(network, entry).enrolment};
}

}  // namespace fieldpost::engine
