// Goal: the chain of roster changes and an invitation say the same for ever.
// Method: roster.json holds a founding statement, a chain with every statement, the offices that
// follow from it, a network that needs two of three authority keys, and invitation files.
#include <catch2/catch.hpp>

#include "crypto/invite.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

json meaning(const CutOff& cut_off) {
    json logs = json::array();
    for (const auto& log : cut_off.logs) {
        logs.push_back({{"incarnation", tests::meaning(log.incarnation)},
                        {"class", static_cast<int>(log.record_class)},
                        {"last", log.last},
                        {"id", hex(log.id)}});
    }
    return {{"logs", logs},
            {"register_incarnation", tests::meaning(cut_off.register_incarnation)},
            {"register_counter", cut_off.register_counter}};
}

json meaning(const crypto::RosterOffice& office) {
    json means = {
        {"index", value_of(office.index)},         {"name", office.name},
        {"role", static_cast<int>(office.role)},   {"state", static_cast<int>(office.state)},
        {"first_ordinal", office.first_ordinal},   {"replaces", value_of(office.replaces)},
        {"successor", value_of(office.successor)}, {"cut_off", nullptr}};
    if (office.cut_off) {
        means["cut_off"] = meaning(*office.cut_off);
    }
    return means;
}

json meaning(const crypto::Roster& roster) {
    json offices = json::array();
    for (const auto& [index, office] : roster.offices()) {
        offices.push_back(meaning(office));
    }
    return offices;
}

json chain_json(const NetworkId& network, const std::vector<RosterChange>& changes) {
    json list = json::array();
    for (const auto& change : changes) {
        list.push_back({{"bytes", hex(encode_roster_change(change))},
                        {"hash", hex(crypto::roster_change_hash(network, change))}});
    }
    return list;
}

Invitation invitation_of(const Network& network, const crypto::InviteSeed& seed, const char* name) {
    Invitation invitation;
    invitation.index = network.roster.next_index();
    invitation.role = Role::relay;
    invitation.first_ordinal = 2;
    invitation.one_time_signing = crypto::one_time_signing_key(seed).public_key();
    invitation.one_time_box = crypto::one_time_box_key(seed).public_key;
    invitation.expires = founded_at.plus(std::int64_t{30} * 86400);
    invitation.name = name;
    return invitation;
}

Admit admission_of(const Network& network, const char* name) {
    const auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
    Admit admit;
    admit.index = network.roster.next_index();
    admit.identity = machine.identity.public_key();
    admit.link = machine.link.public_key;
    admit.mail = crypto::MailKeys::random().signing.public_key();
    admit.name = name;
    return admit;
}

CutOff some_cut_off() {
    CutOff cut_off;
    cut_off.logs = {{{1, 3}, RecordClass::normal, 40, {}}, {{2, 0}, RecordClass::reply, 1, {}}};
    crypto::fill_random(cut_off.logs[0].id.mutable_view());
    crypto::fill_random(cut_off.logs[1].id.mutable_view());
    cut_off.register_incarnation = {2, 0};
    cut_off.register_counter = 99;
    return cut_off;
}

// Every statement there is, after the four admissions.
void add_all_statements(Network& network, const Invitation& invitation) {
    network.change({invitation}, founded_at.plus(100));
    auto depot = invitation_of(network, crypto::InviteSeed::random(), "depot");
    network.change({depot}, founded_at.plus(110));
    network.change({CancelInvitation{depot.index}}, founded_at.plus(120));

    auto replacement = admission_of(network, "wonsan");
    const auto lost = network.offices[3].index;
    replacement.replaces = lost;
    replacement.first_ordinal = 3;
    replacement.role = Role::relay;
    network.change({replacement, Revoke{lost, some_cut_off(), "도난"}}, founded_at.plus(200));

    const auto closing = network.offices[2].index;
    network.change({Retire{closing, replacement.index, {}}}, founded_at.plus(300));
    network.change({Retire{closing, replacement.index, some_cut_off()}}, founded_at.plus(400));
    CutOff nothing_ever;
    const auto short_lived = admission_of(network, "short-lived");
    network.change({short_lived}, founded_at.plus(410));
    network.change({Retire{short_lived.index, no_office, nothing_ever}}, founded_at.plus(420));
    JoinHeads join;
    crypto::fill_random(join.other_head.mutable_view());
    network.change({join, UnknownStatement{200, bytes_of("of a later release")}},
                   founded_at.plus(500));
}

// Two of three keys sign.
json two_of_three() {
    std::vector<crypto::SigningKey> keys;
    Founding founding;
    founding.network_name = "재활";
    founding.at = founded_at;
    founding.threshold = 2;
    for (int i = 0; i < 3; ++i) {
        keys.push_back(crypto::SigningKey::random());
        founding.authority_keys.push_back(keys.back().public_key());
    }
    founding.founding_key_hash = crypto::founding_key_hash(crypto::FoundingKey::random());
    const auto sign = [&](std::size_t number, std::string_view label, const NetworkId& network,
                          BytesView bytes) {
        return AuthoritySignature{static_cast<std::uint8_t>(number),
                                  keys[number].sign(label, network, bytes)};
    };
    const auto message = signed_bytes(founding);
    founding.signatures = {sign(0, "founding", {}, message), sign(2, "founding", {}, message)};
    const auto network = crypto::network_id_of(founding);
    RosterChange change;
    change.at = founded_at.plus(1);
    change.statements = {UnknownStatement{7, {}}};
    const auto changed = signed_bytes(change);
    change.signatures = {sign(1, "roster", network, changed), sign(2, "roster", network, changed)};
    return {{"founding", hex(encode_founding(founding))},
            {"network", hex(network)},
            {"changes", chain_json(network, {change})}};
}

}  // namespace

json make_roster(Network& network) {
    const auto seed = crypto::InviteSeed::random();
    const auto invitation = invitation_of(network, seed, "camp");
    add_all_statements(network, invitation);
    const auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
    const auto mail = crypto::MailKeys::random();
    const auto enrolment = crypto::make_enrolment(
        crypto::one_time_signing_key(seed), machine, mail.signing.public_key(), network.id(),
        invitation.index, {{1, 9}, 1}, founded_at.plus(150));

    crypto::Invite invite;
    invite.seed = seed.duplicate();
    invite.founding_key = network.founding_key();
    invite.index = invitation.index;
    invite.registers = {enrolment};
    invite.founding = network.roster.founding();
    invite.roster = network.changes;
    const auto& hq = network.offices[0];
    return {
        {"founding", hex(encode_founding(network.roster.founding()))},
        {"network", hex(network.id())},
        {"changes", chain_json(network.id(), network.changes)},
        {"offices", meaning(network.roster)},
        {"two_of_three", two_of_three()},
        {"enrolment", hex(encode_register(enrolment))},
        {"invitation_key", hex(invitation.one_time_signing)},
        {"invite_with_code",
         hex(crypto::seal_invite(invite, "7KQ2M-R4XWD", {2, 64 * 1024}).value())},
        {"invite_code", "7kq2m r4xwd"},
        {"invite_without_code", hex(crypto::seal_invite(invite, "").value())},
        {"invite_seed", hex(seed.view())},
        {"fingerprint",
         {{"identity", hex(hq.machine.identity.public_key())},
          {"link", hex(hq.machine.link.public_key)},
          {"mail", hex(hq.mail.signing.public_key())},
          {"text", crypto::fingerprint(network.id(), hq.machine.identity.public_key(),
                                       hq.machine.link.public_key, hq.mail.signing.public_key())}}},
    };
}

namespace {

crypto::Roster followed(const json& file) {
    const auto founding = decode_founding(unhex(file["founding"])).value();
    CHECK(hex(encode_founding(founding)) == text_of(file["founding"]));
    auto roster = crypto::Roster::found(founding).value();
    CHECK(hex(roster.network()) == text_of(file["network"]));
    for (const auto& vector : file["changes"]) {
        const auto bytes = unhex(vector["bytes"]);
        ByteReader in(bytes);
        const auto change = read_roster_change(in).value();
        CHECK(in.at_end());
        CHECK(encode_roster_change(change) == bytes);
        REQUIRE(roster.apply(change).has_value());
        CHECK(hex(roster.head()) == text_of(vector["hash"]));
    }
    return roster;
}

}  // namespace

TEST_CASE("roster, enrolment and invitation mean what they meant", "[vectors]") {
    const auto file = read_vectors("roster");
    const auto roster = followed(file);
    CHECK(meaning(roster) == file["offices"]);
    CHECK(followed(file["two_of_three"]).founding().threshold == 2);

    const auto enrolment_bytes = unhex(file["enrolment"]);
    ByteReader in(enrolment_bytes);
    CHECK(crypto::verify_enrolment(array_of<SigningPublic>(file["invitation_key"]),
                                   roster.network(), read_register(in).value())
              .has_value());
    const auto coded = crypto::open_invite(unhex(file["invite_with_code"]),
                                           file["invite_code"].get<std::string>());
    const auto open = crypto::open_invite(unhex(file["invite_without_code"]), "");
    REQUIRE(coded.has_value());
    REQUIRE(open.has_value());
    CHECK(hex(coded->seed.view()) == text_of(file["invite_seed"]));
    CHECK(open->roster == coded->roster);
    CHECK(coded->roster.size() == file["changes"].size());
    const auto& print = file["fingerprint"];
    CHECK(crypto::fingerprint(roster.network(), array_of<SigningPublic>(print["identity"]),
                              array_of<BoxPublic>(print["link"]),
                              array_of<SigningPublic>(print["mail"])) == text_of(print["text"]));
}

}  // namespace fieldpost::tests
