// The cost of a large roster with many offices that were cut off: for a newcomer, and at a start.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "crypto/invite.h"
#include "crypto/roster.h"
#include "daemon/engine/membership/groups.h"
#include "proto/sync_frames.h"
#include "tests/bench/engine_office.h"
#include "tests/bench/table.h"
#include "tests/end_to_end/offices.h"

namespace fieldpost::bench {

namespace {

constexpr std::uint16_t offices = 2000;
constexpr std::uint16_t revoked = 200;

// Changes that admit so many offices, each with keys of its own.
std::vector<RosterChange> admissions(const crypto::SigningKey& authority, crypto::Roster roster) {
    std::vector<RosterChange> changes;
    while (roster.offices().size() < offices) {
        const auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
        Admit admit;
        admit.index = roster.next_index();
        admit.identity = machine.identity.public_key();
        admit.link = machine.link.public_key;
        admit.mail = crypto::SigningKey::random().public_key();
        admit.name = fmt::format("office{}", value_of(admit.index));
        RosterChange change;
        change.at = tests::founded_at;
        change.statements = {admit};
        crypto::sign_change(authority, roster, change);
        REQUIRE(roster.apply(change).has_value());
        changes.push_back(std::move(change));
    }
    return changes;
}

}  // namespace

TEST_CASE("roster") {
    end_to_end::Network network;
    auto& hq = network.found();
    hq.stop();
    const home::OfficeHome home(hq.home());
    std::size_t pages = 0;
    std::size_t page_bytes = 0;
    std::size_t chain_bytes = 0;
    {
        EngineOffice office(home);
        const auto mail = home.mail_keys().value();
        const engine::BundleId stick{1};
        for (auto& change : admissions(*mail.authority, office.ledger().roster())) {
            office.batch({engine::BundleFrame{stick, encode_frame(RosterNews{{change}})}});
        }
        office.batch({engine::BundleEnded{stick}});
        REQUIRE(office.ledger().roster().offices().size() == offices);
        const Stopwatch watch;
        for (std::uint16_t i = 1; i <= revoked; ++i) {
            office.batch({engine::RevocationWanted{i, OfficeId{i}, "taken at a border"}});
        }
        add_row(fmt::format("revoke, in a roster of {} offices", offices),
                fmt::format("{:.0f} ms each", watch.passed().count() * 1000 / revoked));
        CHECK(engine::transport_epoch(office.ledger()) == revoked);
        for (const auto& [name, entry] : office.ledger().registers()) {
            if (entry.is_of_authority()) {
                ++pages;
                page_bytes += encode_register(entry).size();
            }
        }
        for (const auto& change : office.ledger().roster_changes()) {
            chain_bytes += encode_roster_change(change).size();
        }
        office.stop();
    }
    add_row(fmt::format("roster of {} offices, {} of them cut off: bytes to a newcomer", offices,
                        revoked),
            fmt::format("{:.0f} kB of changes, {:.0f} kB of slots on {} pages",
                        static_cast<double>(chain_bytes) / 1000,
                        static_cast<double>(page_bytes) / 1000, pages));
    const Stopwatch watch;
    hq.start();
    add_row("daemon with that roster: start to the first answer",
            fmt::format("{:.0f} ms", watch.passed().count() * 1000));
    const Stopwatch asked;
    CHECK(hq.ask({"roster"})["offices"].size() == offices);
    add_row("`roster` with it", fmt::format("{:.0f} ms", asked.passed().count() * 1000));
}

}  // namespace fieldpost::bench
