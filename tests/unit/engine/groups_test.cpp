// Goal: in a network too large for one record's names, every member gets the keys of its groups
// from the authority. Authors seal to these keys, and no member can spoil that for the others.
// Method: the authority's office in memory; the others are keys, and statements made by hand.
#include "daemon/engine/membership/groups.h"

#include <fmt/format.h>

#include "crypto/epoch_chain.h"
#include "crypto/group_key.h"
#include "daemon/engine/bundle/bundle_knowledge.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/engine/registers.h"
#include "proto/limits.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

constexpr std::int64_t two_days = std::int64_t{2} * 86400;

constexpr OfficeId field = group_of(Role::field);

Network network_of(std::size_t offices) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < offices; ++i) {
        names.push_back(fmt::format("office{}", i));
    }
    auto network = make_network(names);
    network.offices.reserve(offices + 8);  // offices in memory point into it
    return network;
}

Now later(std::int64_t seconds) {
    return {{}, founded_at.plus(seconds)};
}

Invitation invitation(std::uint16_t index) {
    Invitation invitation;
    invitation.index = OfficeId{index};
    invitation.name = "wonsan";
    return invitation;
}

// The authority's office, which knows everybody's statement.
class Headquarters {
public:
    explicit Headquarters(std::size_t offices) : network(network_of(offices)), office(network, 0) {
        for (std::size_t place = 1; place < offices; ++place) {
            state(place, {1});
        }
        engine::reserve_numbers(office.ledger());
    }
    // The office at `place` states that it has prekeys of these epochs.
    void state(std::size_t place, const std::vector<std::uint16_t>& epochs) {
        auto& one = network.offices[place];
        std::vector<Prekey> prekeys;
        for (const auto epoch : epochs) {
            const auto& pair =
                one.mail.prekeys.try_emplace(epoch, crypto::BoxKeyPair::random()).first->second;
            prekeys.push_back(crypto::sign_prekey(one.mail.signing, network.id(), one.index, epoch,
                                                  pair.public_key));
        }
        const auto taken = take(signed_statement(place, std::move(prekeys)));
        REQUIRE(taken.value());
    }
    // Plants a statement with an invalid key, as an invitation may bring it.
    void plant_bad_key(std::size_t place) {
        const auto& one = network.offices[place];
        office.ledger().keep_register(signed_statement(
            place, {crypto::sign_prekey(one.mail.signing, network.id(), one.index, 9, {})}));
    }
    Register signed_statement(std::size_t place, std::vector<Prekey> prekeys) {
        OfficeStatement statement;
        statement.prekeys = std::move(prekeys);
        return signed_statement(place, statement);
    }
    Register signed_statement(std::size_t place, const OfficeStatement& statement) {
        Register entry;
        entry.key = {
            network.offices[place].index, static_cast<std::uint8_t>(RegisterKind::office), {}};
        entry.version = {{1, 7}, ++counter_};
        entry.at = founded_at;
        entry.payload = encode_office_statement(statement);
        crypto::sign_register(network.offices[place].machine.identity, network.id(), entry);
        return entry;
    }
    Result<bool> take(const Register& entry) {
        return engine::take_register(office.ledger(), entry, {entry.key.signer}, LoneOffice::now(),
                                     office.notices());
    }
    void change(std::vector<RosterStatement> statements) {
        network.change(std::move(statements), founded_at);
        learn_roster();
    }
    void admit(const std::string& name) {
        network.admit(name);
        learn_roster();
    }
    std::vector<EpochSlots> pages(OfficeId group) {
        std::vector<EpochSlots> all;
        for (const auto& [name, entry] : office.ledger().registers()) {
            if (entry.is_of_authority()) {
                CHECK(crypto::verify_epoch_slots(network.roster.founding(), network.id(), entry));
                CHECK(encode_register(entry).size() <= limits::register_bytes_max);
                auto page = decode_epoch_slots(entry).value();
                if (page.group == group) {
                    all.push_back(std::move(page));
                }
            }
        }
        return all;
    }
    // All registers, as another office would have them.
    std::vector<storage::StoreChange> told() {
        std::vector<storage::StoreChange> changes;
        for (const auto& [name, entry] : office.ledger().registers()) {
            changes.emplace_back(engine::put_register(network.id(), entry));
        }
        return changes;
    }
    // The page with a slot that this office can open.
    const EpochSlots* slot_of(const std::vector<EpochSlots>& all, std::size_t place) const {
        const auto& one = network.offices[place];
        for (const auto& page : all) {
            for (const auto& [epoch, prekey] : one.mail.prekeys) {
                if (crypto::open_slot(network.id(), page, one.index, epoch, prekey)) {
                    return &page;
                }
            }
        }
        return nullptr;
    }
    std::size_t holders(OfficeId group) {
        const auto key = engine::usable_group_key(office.ledger(), group);
        return key ? key->holders.size() : 0;
    }
    // The header of a report to all field offices; nothing: it was declined.
    std::optional<Header> write(const std::vector<OfficeId>& groups = {field}) {
        engine::Submitted submitted;
        submitted.draft.groups = groups;
        submitted.draft.report.text = "to the field";
        for (const auto& [index, one] : network.roster.offices()) {
            if (one.role == Role::field && one.is_member()) {
                submitted.draft.to.push_back(index);
            }
        }
        office.notices().clear();
        REQUIRE(engine::submit(office.ledger(), submitted, LoneOffice::now(), office.notices()));
        if (const auto* no = std::get_if<engine::Declined>(&office.notices().back())) {
            declined = no->error;
            return std::nullopt;
        }
        const auto& accepted = std::get<engine::Accepted>(office.notices().back());
        const auto record = office.store()
                                .record(storage::log_of(accepted.report),
                                        accepted.report.origin.number, storage::WithBody::no)
                                .value();
        CHECK(office.store().report(accepted.report).value()->recipients.size() ==
              submitted.draft.to.size());
        return decode_header(record->header).value();
    }

    Network network;
    LoneOffice office;
    Error declined{};

private:
    void learn_roster() {
        const auto known = office.ledger().roster().version();
        for (std::size_t i = known; i < network.changes.size(); ++i) {
            REQUIRE(office.ledger().apply_roster_change(network.changes[i], LoneOffice::now()));
        }
    }
    std::uint64_t counter_ = 0;
};

}  // namespace

TEST_CASE("offices that one record can name need no group keys", "[groups]") {
    Headquarters hq(limits::recipients_max);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    CHECK(hq.pages(field).empty());
    CHECK(hq.pages(group_of_all).empty());
}

TEST_CASE("each member gets a slot of its groups, on as many pages as it takes", "[groups]") {
    Headquarters hq(110);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    const auto all = hq.pages(group_of_all);
    const auto of_field = hq.pages(field);
    CHECK(all.size() == 2);
    CHECK(of_field.size() == 2);
    CHECK(hq.pages(group_of(Role::relay)).empty());
    CHECK(hq.pages(group_of(Role::hq)).size() == 1);
    for (std::size_t place = 0; place < 110; ++place) {
        INFO("office " << place);
        CHECK(hq.slot_of(all, place) != nullptr);
        CHECK((hq.slot_of(of_field, place) != nullptr) == (place != 0));  // it is no field office
    }
    CHECK(all[0].group_key == all[1].group_key);
    CHECK(all[0].group_key != of_field[0].group_key);
    // From its own registers a member opens a record that was sealed to the group.
    LoneOffice member(hq.network, 109, hq.told());
    CHECK(engine::group_key_of(member.ledger(), field, 1).value().public_key ==
          of_field[0].group_key);
    CHECK(engine::group_key_of(member.ledger(), field, 2).error().code == Errc::unavailable);
    CHECK(engine::group_key_of(member.ledger(), group_of(Role::hq), 1).error().code ==
          Errc::unavailable);
}

TEST_CASE("a later member gets a slot on the last page, and the rest stays as it was", "[groups]") {
    Headquarters hq(110);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    const auto before = hq.pages(field);
    engine::tend_group_keys(hq.office.ledger(), later(60));
    CHECK(hq.pages(field) == before);

    hq.admit("late");
    engine::tend_group_keys(hq.office.ledger(), later(120));
    CHECK(hq.pages(field) == before);  // its prekey is not known yet
    hq.state(110, {1});
    engine::tend_group_keys(hq.office.ledger(), later(180));
    const auto after = hq.pages(field);
    REQUIRE(after.size() == 2);
    CHECK(after[0] == before[0]);
    CHECK(after[1].epoch == 1);
    CHECK(after[1].revision == before[1].revision + 1);
    CHECK(after[1].group_key == before[1].group_key);
    CHECK(hq.slot_of(after, 110) == &after[1]);
    CHECK(hq.slot_of(after, 109) != nullptr);
}

TEST_CASE("a member that lost its prekey gets another slot, a day later", "[groups]") {
    Headquarters hq(70);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    const auto before = hq.pages(field);
    // The member still has the older prekey, so its slot still opens.
    hq.state(5, {1, 2});
    engine::tend_group_keys(hq.office.ledger(), later(two_days));
    CHECK(hq.pages(field) == before);
    CHECK(hq.holders(field) == 69);

    hq.state(5, {2});
    hq.network.offices[5].mail.prekeys.erase(1);
    // Until it gets a new slot, authors name the member by itself.
    CHECK(hq.holders(field) == 68);
    engine::tend_group_keys(hq.office.ledger(), later(3600));
    CHECK(hq.pages(field) == before);
    engine::tend_group_keys(hq.office.ledger(), later(two_days));
    CHECK(hq.slot_of(hq.pages(field), 5) != nullptr);
    CHECK(hq.holders(field) == 69);
    CHECK(hq.slot_of(hq.pages(field), 6) != nullptr);
}

TEST_CASE("a prekey that is none costs its own office the slot, and no other", "[groups]") {
    Headquarters hq(70);
    const auto& bad = hq.network.offices[5];
    CHECK_FALSE(hq.take(hq.signed_statement(
        5, {crypto::sign_prekey(bad.mail.signing, hq.network.id(), bad.index, 9, {})})));
    hq.plant_bad_key(5);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    CHECK(hq.holders(field) == 68);
    const auto before = hq.pages(field);
    engine::tend_group_keys(hq.office.ledger(), later(two_days));
    CHECK(hq.pages(field) == before);
    hq.state(5, {10});
    engine::tend_group_keys(hq.office.ledger(), later(two_days));
    CHECK(hq.holders(field) == 69);
}

TEST_CASE("a key that an office took with it is not used any more: a new epoch begins",
          "[groups]") {
    Headquarters hq(110);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    CHECK(hq.pages(transport_group).empty());
    const auto before = hq.pages(field);
    REQUIRE(hq.write().has_value());
    hq.change({Revoke{.index = OfficeId{5}, .cut_off = {}, .reason = "lost"}});
    CHECK_FALSE(engine::usable_group_key(hq.office.ledger(), field));
    CHECK_FALSE(hq.write().has_value());
    engine::tend_group_keys(hq.office.ledger(), later(0));
    const auto after = hq.pages(field);
    REQUIRE(after.size() == before.size());
    CHECK(after[0].epoch == 2);
    CHECK(after[0].group_key != before[0].group_key);
    CHECK(hq.holders(field) == 108);
    CHECK(hq.slot_of(after, 5) == nullptr);
    CHECK(hq.slot_of(after, 6) != nullptr);
    const auto header = hq.write();
    REQUIRE(header.has_value());
    CHECK(header->stanzas.front().epoch == 2);
    // A member that was away has these registers only, and opens what was sealed before.
    LoneOffice member(hq.network, 109, hq.told());
    CHECK(engine::group_key_of(member.ledger(), field, 2).value().public_key == after[0].group_key);
    CHECK(engine::group_key_of(member.ledger(), field, 1).value().public_key ==
          before[0].group_key);
    // The office that left has its slot of the old epoch, and gets no other.
    LoneOffice left(hq.network, 5, hq.told());
    CHECK(engine::group_key_of(left.ledger(), field, 2).error().code == Errc::unavailable);
    engine::Transport theirs;
    CHECK(theirs.newest(left.ledger()) == nullptr);
}

TEST_CASE(
    "the transport has an epoch for each time that an office left, and locked offices know it",
    "[groups]") {
    Headquarters hq(4);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    CHECK(engine::transport_epoch(hq.office.ledger()) == 0);
    std::vector<Bytes> secrets;
    for (const auto left : {OfficeId{3}, OfficeId{2}}) {
        hq.change({Revoke{.index = left, .cut_off = {}, .reason = "lost"}});
        engine::tend_group_keys(hq.office.ledger(), later(0));
        LoneOffice member(hq.network, 1, hq.told());
        member.lock_mail();
        engine::Transport transport;
        const auto* newest = transport.newest(member.ledger());
        REQUIRE(newest != nullptr);
        CHECK(newest->epoch == secrets.size() + 1);
        secrets.push_back(to_bytes(newest->secret.view()));
        // A member that joined meanwhile gets its slot in the same epoch.
        hq.admit("late" + std::to_string(value_of(left)));
        engine::tend_group_keys(hq.office.ledger(), later(0));
        LoneOffice late(hq.network, hq.network.offices.size() - 1, hq.told());
        engine::Transport of_late;
        REQUIRE(of_late.newest(late.ledger()) != nullptr);
        CHECK(to_bytes(of_late.newest(late.ledger())->secret.view()) == secrets.back());
    }
    CHECK(to_bytes(crypto::earlier_epoch_secret(crypto::BoxSecret::from(secrets[1]),
                                                hq.network.id(), transport_group, 2, 1)
                       .view()) == secrets[0]);
    LoneOffice left(hq.network, 2, hq.told());
    engine::Transport theirs;
    CHECK(theirs.newest(left.ledger()) == nullptr);
}

TEST_CASE("an invitation that ended begins an epoch, for it holds the founding key", "[groups]") {
    Headquarters hq(3);
    hq.change({invitation(3)});
    engine::tend_group_keys(hq.office.ledger(), later(0));
    CHECK(engine::transport_epoch(hq.office.ledger()) == 0);
    hq.change({CancelInvitation{OfficeId{3}}});
    engine::tend_group_keys(hq.office.ledger(), later(0));
    CHECK(engine::transport_epoch(hq.office.ledger()) == 1);
    // A later one that ends has never known its secret.
    hq.change({invitation(4)});
    hq.change({CancelInvitation{OfficeId{4}}});
    engine::tend_group_keys(hq.office.ledger(), later(0));
    CHECK(engine::transport_epoch(hq.office.ledger()) == 1);
}

TEST_CASE("only the authority's slots count, whoever brings them", "[groups]") {
    Headquarters hq(70);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    EpochSlots planted = hq.pages(field).front();
    planted.epoch = 2;
    const auto theirs = crypto::BoxKeyPair::random();
    crypto::seal_slots(hq.network.id(), theirs,
                       {{OfficeId{5}, 1, hq.network.offices[5].mail.prekeys.at(1).public_key}},
                       planted);
    auto entry = epoch_slots_register(planted, founded_at);
    entry.authority_signatures = {{0, hq.network.offices[5].machine.identity.sign(
                                          "register", hq.network.id(), signed_bytes(entry))}};
    CHECK_FALSE(engine::take_register(hq.office.ledger(), entry, {OfficeId{5}}, later(0),
                                      hq.office.notices()));
    // An invitation brings registers that nobody has verified.
    LoneOffice invited(hq.network, 6, {engine::put_register(hq.network.id(), entry)});
    CHECK_FALSE(engine::usable_group_key(invited.ledger(), field));
}

TEST_CASE("a report to more offices than it can name is sealed to their group", "[groups]") {
    Headquarters hq(70);
    SECTION("of which all hold the key") {
        engine::tend_group_keys(hq.office.ledger(), later(0));
        const auto header = hq.write();
        REQUIRE(header.has_value());
        REQUIRE(header->stanzas.size() == 1);
        CHECK(header->stanzas.front().recipient == field);
        CHECK(header->stanzas.front().epoch == 1);
        CHECK(header->group_roster_version == hq.network.roster.version());
        CHECK(encode_header(*header).size() == 112 + 20 + 4);
    }
    SECTION("and to those by name that hold none") {
        engine::tend_group_keys(hq.office.ledger(), later(0));
        hq.admit("late");
        hq.state(70, {1});
        const auto header = hq.write();
        REQUIRE(header.has_value());
        REQUIRE(header->stanzas.size() == 2);
        CHECK(header->stanzas.front().recipient == OfficeId{70});
    }
    SECTION("and refused in one sentence if too many hold none") {
        CHECK_FALSE(hq.write().has_value());
        CHECK(hq.declined.code == Errc::unavailable);
        CHECK(hq.declined.detail.starts_with("69 of 69 recipients have no group key"));
    }
    SECTION("and refused if no group was addressed") {
        engine::tend_group_keys(hq.office.ledger(), later(0));
        CHECK_FALSE(hq.write({}).has_value());
        CHECK(hq.declined.code == Errc::limit_exceeded);
    }
}

TEST_CASE("a stick for an office that does not carry has the reports of its groups", "[groups]") {
    Headquarters hq(70);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    OfficeStatement statement;
    statement.carries = false;
    hq.office.ledger().keep_register(hq.signed_statement(5, statement));
    const auto known = engine::BundleKnowledge::of(hq.office.ledger(), OfficeId{5}).value();
    auto header = hq.write().value();
    CHECK(known.takes(hq.network.roster, header));
    header.group_roster_version = 5;  // it was admitted by version 6
    CHECK_FALSE(known.takes(hq.network.roster, header));
}

TEST_CASE("where one record can name all, each has a stanza of its own", "[groups]") {
    Headquarters hq(65);
    engine::tend_group_keys(hq.office.ledger(), later(0));
    REQUIRE(hq.holders(field) == 64);
    const auto header = hq.write();
    REQUIRE(header.has_value());
    CHECK(header->stanzas.size() == 64);
    CHECK_FALSE(header->group_roster_version);
}
