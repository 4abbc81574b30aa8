// A small network for tests: an authority and offices with keys, all in memory.
#pragma once

#include <string>
#include <vector>

#include "crypto/identity.h"
#include "crypto/register_seal.h"
#include "crypto/roster.h"
#include "crypto/sealed_record.h"

namespace fieldpost::tests {

struct Office {
    OfficeId index{};
    std::string name;
    crypto::MachineKeys machine;
    crypto::MailKeys mail;

    [[nodiscard]] crypto::Recipient recipient(std::uint16_t epoch = 1) const {
        return {index, epoch, mail.prekeys.at(epoch).public_key};
    }
};

struct Network {
    crypto::Roster roster;
    crypto::SigningKey authority;
    crypto::FoundingKey founding;
    std::vector<RosterChange> changes;
    std::vector<Office> offices;

    // Every office of these networks holds the authority's key.
    [[nodiscard]] crypto::SigningKey authority_key() const {
        return crypto::SigningKey::from_seed(authority.seed().duplicate());
    }
    [[nodiscard]] crypto::FoundingKey founding_key() const { return founding.duplicate(); }
    [[nodiscard]] const NetworkId& id() const { return roster.network(); }
    // Signs and applies a change. The statements must be valid.
    void change(std::vector<RosterStatement> statements, WallTime at);
    // Makes an office of this name and admits it: the first as hq, all others as field.
    void admit(const std::string& name);
};

inline constexpr WallTime founded_at{50'000'000};

// The first office is the authority's own, hq; the others are admitted in order, role field.
Network make_network(const std::vector<std::string>& names);

// The bytes of `text`, for attachments and payloads.
Bytes bytes_of(std::string_view text);

}  // namespace fieldpost::tests
