#include "tests/support/network.h"

namespace fieldpost::tests {

void Network::change(std::vector<RosterStatement> statements, WallTime at) {
    RosterChange next;
    next.at = at;
    next.statements = std::move(statements);
    crypto::sign_change(authority, roster, next);
    const auto applied = roster.apply(next);
    ensure(applied.has_value(), "a test makes only good roster changes here");
    changes.push_back(next);
}

void Network::admit(const std::string& name) {
    Office office;
    office.index = roster.next_index();
    office.name = name;
    office.machine = crypto::MachineKeys::random(founding.duplicate());
    office.mail = crypto::MailKeys::random();
    office.mail.prekeys.emplace(std::uint16_t{1}, crypto::BoxKeyPair::random());
    if (offices.empty()) {
        office.mail.authority = authority_key();
    }
    Admit admit;
    admit.index = office.index;
    admit.role = offices.empty() ? Role::hq : Role::field;
    admit.identity = office.machine.identity.public_key();
    admit.link = office.machine.link.public_key;
    admit.mail = office.mail.signing.public_key();
    admit.name = name;
    change({admit}, founded_at.plus(static_cast<std::int64_t>(offices.size())));
    offices.push_back(std::move(office));
}

Network make_network(const std::vector<std::string>& names) {
    auto authority = crypto::SigningKey::random();
    auto founding_key = crypto::FoundingKey::random();
    Founding founding;
    founding.network_name = "reha";
    founding.at = founded_at;
    founding.founding_key_hash = crypto::founding_key_hash(founding_key);
    founding = crypto::sign_founding(authority, founding);
    Network network{
        *crypto::Roster::found(founding), std::move(authority), std::move(founding_key), {}, {}};
    for (const auto& name : names) {
        network.admit(name);
    }
    return network;
}

Bytes bytes_of(std::string_view text) {
    return to_bytes(as_bytes(text));
}

}  // namespace fieldpost::tests
