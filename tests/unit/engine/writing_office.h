// An office in memory that can write to others: it has their statements.
#pragma once

#include "daemon/engine/record/authoring.h"
#include "proto/office_statement.h"
#include "tests/unit/engine/lone_office.h"

namespace fieldpost::tests {

class WritingOffice {
public:
    // The office at `place`. It knows the prekeys of those at `known`.
    WritingOffice(Network of, std::size_t place, const std::vector<std::size_t>& known)
        : network(std::move(of)), office(network, place) {
        for (const auto one : known) {
            state(one, keys_of(one));
        }
        engine::reserve_numbers(office.ledger());
        office.write();
    }
    std::vector<Prekey> keys_of(std::size_t place) const {
        const auto& one = network.offices[place];
        std::vector<Prekey> prekeys;
        for (const auto& [epoch, pair] : one.mail.prekeys) {
            prekeys.push_back(crypto::sign_prekey(one.mail.signing, network.id(), one.index, epoch,
                                                  pair.public_key));
        }
        return prekeys;
    }
    void state(std::size_t place, std::vector<Prekey> prekeys) {
        OfficeStatement statement;
        statement.prekeys = std::move(prekeys);
        Register entry;
        entry.key = {index(place), static_cast<std::uint8_t>(RegisterKind::office), {}};
        entry.version = {{1, 7}, ++counter_};
        entry.at = founded_at;
        entry.payload = encode_office_statement(statement);
        crypto::sign_register(network.offices[place].machine.identity, network.id(), entry);
        office.ledger().keep_register(entry);
    }
    [[nodiscard]] OfficeId index(std::size_t place) const { return network.offices[place].index; }
    engine::Notice submit(engine::Draft draft) {
        office.notices().clear();
        // Catch repeats an expression that throws; what is moved must not be in it.
        const auto done = engine::submit(office.ledger(), {1, std::move(draft)}, LoneOffice::now(),
                                         office.notices());
        REQUIRE(done);
        return office.notices().back();
    }

    Network network;
    LoneOffice office;

private:
    std::uint64_t counter_ = 0;
};

}  // namespace fieldpost::tests
