// The name that a register is kept under.
#pragma once

#include "proto/register.h"
#include "proto/sync_frames.h"
#include "storage/record_store.h"

namespace fieldpost::engine {

inline bool is_of(std::uint8_t kind, RegisterKind one) {
    return kind == static_cast<std::uint8_t>(one);
}

// Two enrolments of one invitation stand beside each other,
// so the name of an enrolment has the start of its hash too.
struct RegisterName {
    // The key alone names a register of any other kind, and converts by itself.
    RegisterName(RegisterKey of, ShortHash hash = {}) : key(std::move(of)), enrolment(hash) {}
    auto operator<=>(const RegisterName&) const = default;

    RegisterKey key;
    ShortHash enrolment;  // zero if it is none
};
RegisterName name_of(const NetworkId& network, const Register& entry);
// The name of a register that the leaf of an office lists.
RegisterName name_of(OfficeId leaf, const RegisterSummary& entry);
storage::PutRegister put_register(const NetworkId& network, const Register& entry);

}  // namespace fieldpost::engine
