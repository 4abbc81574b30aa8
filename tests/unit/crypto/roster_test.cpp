// Goal: only the authority changes the roster, one step after the other.
#include "crypto/roster.h"

#include <catch2/catch.hpp>

#include <set>

#include "tests/support/network.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

Invitation invitation_for(const Network& network, std::string name) {
    Invitation invitation;
    invitation.index = network.roster.next_index();
    invitation.name = std::move(name);
    invitation.expires = founded_at.plus(86400);
    return invitation;
}

RosterChange signed_change(const Network& network, RosterStatement statement) {
    RosterChange change;
    change.at = founded_at;
    change.statements = {std::move(statement)};
    crypto::sign_change(network.authority, network.roster, change);
    return change;
}

}  // namespace

TEST_CASE("a chain of changes replays to the same roster elsewhere", "[crypto]") {
    auto network = make_network({"hq", "hyesan"});
    network.change({invitation_for(network, "camp")}, founded_at);
    auto elsewhere = crypto::Roster::found(network.roster.founding()).value();
    for (const auto& change : network.changes) {
        ByteWriter out;
        out.raw(encode_roster_change(change));
        ByteReader in(out.bytes());
        REQUIRE(elsewhere.apply(read_roster_change(in).value()).has_value());
    }
    CHECK(elsewhere.head() == network.roster.head());
    CHECK(elsewhere.find("hyesan")->identity == network.offices[1].machine.identity.public_key());
    CHECK(elsewhere.find("camp")->state == crypto::OfficeState::invited);
    CHECK(elsewhere.find("nowhere") == nullptr);
}

TEST_CASE("a change that is older, skips, forks or is forged changes nothing", "[crypto]") {
    auto network = make_network({"hq", "hyesan"});
    const auto head = network.roster.head();
    CHECK(network.roster.apply(network.changes[0]).error().code == Errc::refused);

    auto skipping = signed_change(network, invitation_for(network, "a"));
    skipping.version += 1;
    CHECK_FALSE(network.roster.apply(skipping).has_value());

    auto forged = signed_change(network, invitation_for(network, "a"));
    forged.signatures[0].signature =
        network.offices[1].machine.identity.sign("roster", network.id(), signed_bytes(forged));
    CHECK(network.roster.apply(forged).error().code == Errc::untrusted);

    auto altered = signed_change(network, invitation_for(network, "a"));
    std::get<Invitation>(altered.statements[0]).name = "b";
    CHECK(network.roster.apply(altered).error().code == Errc::untrusted);

    CHECK(network.roster.head() == head);
}

TEST_CASE("two changes of one version contradict each other, if the authority signed both",
          "[crypto]") {
    auto network = make_network({"hq"});
    const auto one = signed_change(network, invitation_for(network, "a"));
    auto other = signed_change(network, invitation_for(network, "b"));
    REQUIRE(network.roster.apply(one).has_value());
    CHECK_FALSE(network.roster.contradicts(one));
    CHECK(network.roster.contradicts(other));
    other.signatures[0].signature.bytes[0] ^= std::byte{1};
    CHECK_FALSE(network.roster.contradicts(other));
}

TEST_CASE("an index names one set of keys for ever, and a name one member", "[crypto]") {
    auto network = make_network({"hq", "hyesan"});
    const auto malformed = [&](const RosterStatement& statement) {
        const auto applied = network.roster.apply(signed_change(network, statement));
        return !applied && applied.error().code == Errc::malformed;
    };
    auto again = invitation_for(network, "hyesan");
    CHECK(malformed(again));
    again.name = "camp";
    again.index = network.offices[1].index;
    CHECK(malformed(again));

    Admit admit;
    admit.index = network.roster.next_index();
    admit.name = "copy";
    admit.identity = network.offices[1].machine.identity.public_key();
    CHECK(malformed(admit));
    CHECK(malformed(CancelInvitation{network.offices[1].index}));
    CHECK(malformed(Revoke{OfficeId{77}, {}, ""}));
}

TEST_CASE("a change with one bad statement does nothing at all", "[crypto]") {
    auto network = make_network({"hq"});
    RosterChange change;
    change.statements = {invitation_for(network, "camp"), CancelInvitation{OfficeId{500}}};
    crypto::sign_change(network.authority, network.roster, change);
    CHECK_FALSE(network.roster.apply(change).has_value());
    CHECK(network.roster.find("camp") == nullptr);
}

TEST_CASE("a statement of a later release is kept and does no harm", "[crypto]") {
    auto network = make_network({"hq"});
    const auto change = signed_change(network, UnknownStatement{200, bytes_of("later")});
    ByteWriter out;
    out.raw(encode_roster_change(change));
    ByteReader in(out.bytes());
    const auto read = read_roster_change(in).value();
    CHECK(read == change);
    CHECK(network.roster.apply(read).has_value());
}

TEST_CASE("every statement decodes to what was encoded", "[proto]") {
    CutOff cut_off;
    cut_off.logs = {{{1, 2}, RecordClass::normal, 9, {}}};
    cut_off.register_incarnation = {1, 2};
    cut_off.register_counter = 77;
    RosterChange change;
    change.version = 9;
    Admit admit;
    admit.name = "hq";
    Invitation invitation;
    invitation.name = "camp";
    change.statements = {admit,
                         invitation,
                         CancelInvitation{OfficeId{4}},
                         Revoke{OfficeId{5}, cut_off, "분실"},
                         Retire{OfficeId{6}, OfficeId{7}, std::nullopt},
                         Retire{OfficeId{6}, no_office, cut_off},
                         JoinHeads{}};
    change.signatures = {{0, {}}};
    const auto bytes = encode_roster_change(change);
    ByteReader in(bytes);
    CHECK(read_roster_change(in).value() == change);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ByteReader cut(BytesView(bytes).first(size));
        CHECK_FALSE(read_roster_change(cut).has_value());
    }
}

TEST_CASE("a founding statement must be signed by its own keys", "[crypto]") {
    const auto network = make_network({"hq"});
    auto founding = network.roster.founding();
    CHECK(decode_founding(encode_founding(founding)).value() == founding);
    founding.network_name = "other";
    CHECK_FALSE(crypto::Roster::found(founding).has_value());
}

TEST_CASE("names that could be mistaken are refused", "[proto]") {
    for (const auto* name : {"hq", "hyesan", "camp-east", "camp2", "a", "site-2b"}) {
        CAPTURE(name);
        CHECK(is_office_name(name));
    }
    for (const auto* name :
         {"", "Camp", "camp-2", "camp-u7", "camp-b3", "camp-r1", "2camp", "-camp", "camp-",
          "ca--mp", "캠프", "camp.2", "camp 2", "abcdefghijklmnopqrstuvwxyzabcdefg"}) {
        CAPTURE(name);
        CHECK_FALSE(is_office_name(name));
    }
}

TEST_CASE("a fingerprint is eight groups of five digits and differs by key", "[crypto]") {
    const auto network = make_network({"hq", "hyesan"});
    std::set<std::string> all;
    for (const auto& office : network.offices) {
        const auto text =
            crypto::fingerprint(network.id(), office.machine.identity.public_key(),
                                office.machine.link.public_key, office.mail.signing.public_key());
        CHECK(text.size() == 8 * 5 + 7);
        CHECK(text.find_first_not_of("0123456789 ") == std::string::npos);
        all.insert(text);
    }
    CHECK(all.size() == 2);
}
