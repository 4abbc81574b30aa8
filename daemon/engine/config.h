// The configuration that an office runs with.
#pragma once

#include <string>
#include <vector>

#include "crypto/identity.h"

namespace fieldpost::engine {

struct Config {
    const crypto::MachineKeys* machine = nullptr;
    const crypto::MailKeys* mail = nullptr;  // null: locked
    std::vector<std::string> endpoints;
    bool carries = true;
    std::string software;
    std::uint32_t life = 0;  // chosen at random when the daemon starts (lives.h); 0: not said
    // Bytes of others' records that this office carries for them, at most.
    std::uint64_t carry_bytes_max = std::uint64_t{1} << 30;
};

}  // namespace fieldpost::engine
