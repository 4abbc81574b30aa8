// Goal: registers of others are verified and bounded, registers signed by a later release travel
// on, and our own always fits.
// Method: an office in memory, fed with registers by hand.
#include "daemon/engine/registers.h"
#include "daemon/engine/leaves.h"
#include "daemon/engine/membership/own_statement.h"

#include "daemon/engine/record/authoring.h"
#include "daemon/engine/session/peer_session.h"
#include "proto/epoch_slots.h"
#include "proto/link_message.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

constexpr std::uint8_t later_kind = 77;

Register signed_by(const Network& network, std::size_t place, std::uint8_t kind, Bytes subject,
                   std::uint64_t counter, Bytes payload = {}) {
    Register entry;
    entry.key = {network.offices[place].index, kind, std::move(subject)};
    entry.version = {{1, 7}, counter};
    entry.at = founded_at;
    entry.payload = std::move(payload);
    crypto::sign_register(network.offices[place].machine.identity, network.id(), entry);
    return entry;
}

Result<bool> take(LoneOffice& office, const Register& entry) {
    return engine::take_register(office.ledger(), entry, {entry.key.signer}, LoneOffice::now(),
                                 office.notices());
}

Bytes subject_of(int number) {
    return {static_cast<std::byte>(number)};
}

// A network with an open invitation, and the enrolments of machines that have its file.
class Invitees {
public:
    Invitees() {
        network_.change({Invitation{.index = index_,
                                    .one_time_signing = one_time_.public_key(),
                                    .one_time_box = crypto::BoxKeyPair::random().public_key,
                                    .expires = founded_at.plus(86400),
                                    .name = "camp"}},
                        founded_at);
    }
    // Ascending by hash.
    std::vector<Register> enrolments(std::size_t count) {
        std::vector<Register> all;
        for (std::size_t i = 0; i < count; ++i) {
            machines_.push_back(crypto::MachineKeys::random(network_.founding_key()));
            // A copied disk, or a person who joins twice: the version says nothing.
            all.push_back(crypto::make_enrolment(one_time_, machines_.back(), mail_.public_key(),
                                                 network_.id(), index_, {{1, 7}, 0}, founded_at));
        }
        std::ranges::sort(all, {}, [&](const Register& entry) {
            return crypto::register_hash(network_.id(), entry);
        });
        return all;
    }
    [[nodiscard]] RosterChange admission() const {
        RosterChange change;
        change.at = founded_at;
        change.statements = {Admit{.index = index_,
                                   .identity = machines_.front().identity.public_key(),
                                   .link = machines_.front().link.public_key,
                                   .mail = mail_.public_key(),
                                   .name = "camp"}};
        crypto::sign_change(network_.authority, network_.roster, change);
        return change;
    }
    [[nodiscard]] RosterChange cancellation() const {
        RosterChange change;
        change.at = founded_at;
        change.statements = {CancelInvitation{index_}};
        crypto::sign_change(network_.authority, network_.roster, change);
        return change;
    }
    [[nodiscard]] const Network& network() const { return network_; }
    [[nodiscard]] OfficeId index() const { return index_; }

private:
    Network network_ = make_network({"hq", "hyesan"});
    OfficeId index_ = network_.roster.next_index();
    crypto::SigningKey one_time_ = crypto::SigningKey::random();
    crypto::SigningKey mail_ = crypto::SigningKey::random();
    std::vector<crypto::MachineKeys> machines_;
};

std::vector<Register> registers_told(const engine::Consequences& out) {
    std::vector<Register> told;
    for (const auto& message : out.send) {
        const auto frames = frames_of(message.bytes).value();
        for (const auto bytes : frames) {
            const auto sent = decode_frame(bytes).value();
            if (const auto* news = std::get_if<RegisterNews>(&sent)) {
                std::ranges::copy(news->registers, std::back_inserter(told));
            }
        }
    }
    return told;
}

std::uint32_t alarms(LoneOffice& office, OfficeId of) {
    const auto& items = office.ledger().attention().items();
    const auto found = items.find({engine::What::second_enrolment, of, {}});
    return found == items.end() ? 0 : found->second.count;
}

}  // namespace

TEST_CASE("a register of a kind that this release does not know is kept to be passed on",
          "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    LoneOffice office(network, 0);
    const auto entry = signed_by(network, 1, later_kind, {}, 5);
    CHECK(take(office, entry).value());
    CHECK_FALSE(take(office, entry).value());
    CHECK_FALSE(take(office, signed_by(network, 1, later_kind, {}, 4)).value());
    REQUIRE(office.ledger().newest(entry.key) != nullptr);
    CHECK(*office.ledger().newest(entry.key) == entry);
    CHECK(office.ledger().take_news().registers.contains(entry.key));
    auto forged = signed_by(network, 1, later_kind, {}, 6);
    forged.payload = {std::byte{1}};
    CHECK(take(office, forged).error().code == Errc::untrusted);
}

TEST_CASE(
    "of kinds it does not know an office keeps the sixteen lowest, in whatever order they came",
    "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    LoneOffice rising(network, 0);
    LoneOffice falling(network, 0);
    for (int i = 0; i < 40; ++i) {
        REQUIRE(take(rising, signed_by(network, 1, later_kind, subject_of(i), 5)));
        REQUIRE(take(falling, signed_by(network, 1, later_kind, subject_of(39 - i), 5)));
    }
    for (auto* office : {&rising, &falling}) {
        CHECK(office->ledger().newest({network.offices[1].index, later_kind, subject_of(15)}));
        CHECK_FALSE(
            office->ledger().newest({network.offices[1].index, later_kind, subject_of(16)}));
    }
    CHECK(rising.ledger().leaves() == falling.ledger().leaves());
    // A store that is opened again knows the same ones.
    falling.write();
    CHECK(falling.store().registers().value().size() == 16);
}

TEST_CASE("an office register with a key that its office did not sign is refused", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    LoneOffice office(network, 0);
    OfficeStatement statement;
    const auto& hyesan = network.offices[1];
    statement.prekeys.push_back(crypto::sign_prekey(hyesan.machine.identity, network.id(),
                                                    hyesan.index, 1,
                                                    hyesan.mail.prekeys.at(1).public_key));
    const auto kind = static_cast<std::uint8_t>(RegisterKind::office);
    CHECK(take(office, signed_by(network, 1, kind, {}, 5, encode_office_statement(statement)))
              .error()
              .code == Errc::untrusted);
    statement.prekeys = {crypto::sign_prekey(hyesan.mail.signing, network.id(), hyesan.index, 1,
                                             hyesan.mail.prekeys.at(1).public_key)};
    CHECK(take(office, signed_by(network, 1, kind, {}, 5, encode_office_statement(statement)))
              .value());
}

TEST_CASE("a register of ours that we do not know stops our writing", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    LoneOffice office(network, 0);
    const auto kind = static_cast<std::uint8_t>(RegisterKind::office);
    CHECK_FALSE(
        take(office, signed_by(network, 0, kind, {}, 500, encode_office_statement({}))).value());
    CHECK(office.ledger().meta().stopped);
    CHECK(office.notices().size() == 1);
}

TEST_CASE("our own register fits, however many holes our logs have", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    const LogKey log{network.offices[0].index, {1, 7}, RecordClass::normal};
    storage::LogState state;
    for (Number number = 1; number < 30000; number += 3) {
        state.end({{number, number}});
        state.hold({number + 1, number + 2});
    }
    LoneOffice office(network, 0, {storage::PutLog{log, state}});
    engine::renew_statement(office.ledger(), LoneOffice::now());
    const auto* statement = office.ledger().statement(log.author);
    REQUIRE(statement != nullptr);
    REQUIRE(statement->logs.size() == 1);
    CHECK(statement->logs[0].done.contains(1));
    CHECK(statement->logs[0].done.count() > 500);
    CHECK(without(statement->logs[0].done, state.terminal()).empty());
}

TEST_CASE("epoch slots of the authority are carried, in the leaf of the first office", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    LoneOffice office(network, 1);
    const auto before = office.ledger().leaves();
    EpochSlots slots;
    slots.epoch = 3;
    slots.roster_version = 1;
    slots.group_key = network.offices[1].machine.link.public_key;  // any key
    slots.slots = {{network.offices[1].index, 0, {}}};
    auto entry = epoch_slots_register(slots, founded_at);
    CHECK(take(office, entry).error().code == Errc::untrusted);
    crypto::sign_epoch_slots(network.authority, network.roster.founding(), network.id(), entry);
    CHECK(take(office, entry).value());
    CHECK(office.ledger().leaves().at(OfficeId{0}) != before.at(OfficeId{0}));
    CHECK(office.ledger().leaves().at(OfficeId{1}) == before.at(OfficeId{1}));
    CHECK(office.ledger().registers_in_leaf(OfficeId{0}).size() == 1);
    CHECK(office.ledger().take_news().registers.contains(entry.key));
}

TEST_CASE("a receipt about a log of which nothing was ever sent proves nothing, and harms nothing",
          "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    LoneOffice office(network, 0);
    Receipt receipt;
    ReceiptLog log;
    log.incarnation = {1, 7};
    log.record_class = RecordClass::normal;
    SECTION("unreadable") {
        log.unreadable = {{1, 4'000'000'000}};
    }
    SECTION("refused") {
        log.refused = {{1, {{1, 4'000'000'000}}}};
    }
    receipt.logs = {log};
    const auto entry =
        signed_by(network, 1, static_cast<std::uint8_t>(RegisterKind::receipt),
                  receipt_subject(network.offices[0].index), 5, encode_receipt(receipt));
    CHECK(take(office, entry).value());
    CHECK(office.notices().empty());
}

TEST_CASE("nothing is told to who said it, but what is newer than that is", "[engine]") {
    const auto network = make_network({"hq", "hyesan", "wonsan"});
    LoneOffice office(network, 0);
    engine::PeerSession session(engine::LinkId{1}, network.offices[1].index, {}, false,
                                engine::Flow{});
    engine::Consequences out;
    const auto hear = [&](const Frame& frame) {
        REQUIRE(session
                    .receive(
                        office.ledger(), encode_frame(frame), LoneOffice::now(),
                        [](const Header&, const RecordId&) { return false; }, out)
                    .has_value());
    };
    REQUIRE(session.greet(office.ledger(), LoneOffice::now(), out).has_value());
    Hello hello;
    hello.roster_version = office.ledger().roster().version();
    hello.credit_bytes = 1U << 20;
    hear(hello);
    const auto older = signed_by(network, 2, later_kind, {}, 5);
    const auto newer = signed_by(network, 2, later_kind, {}, 6);
    hear(RegisterNews{{older}});
    const bool comes_newer = GENERATE(false, true);
    if (comes_newer) {
        CHECK(take(office, newer).value());  // from another, in the same batch
    }
    out.send.clear();
    session.let_time_pass(LoneOffice::now());
    session.tell(office.ledger(), LoneOffice::now(), office.ledger().take_news(), out);
    REQUIRE(session.pump(office.ledger(), LoneOffice::now(), out).has_value());
    const auto told = registers_told(out);
    CHECK((std::ranges::find(told, older) == told.end()));
    CHECK((std::ranges::find(told, newer) != told.end()) == comes_newer);
}

TEST_CASE("of many enrolments of one invitation all offices keep the two with the lowest hashes",
          "[engine]") {
    Invitees invitees;
    auto all = invitees.enrolments(3);
    const std::vector<Register> lowest(all.begin(), all.begin() + 2);
    std::optional<std::map<OfficeId, Hash>> leaves;
    std::vector<std::size_t> order{0, 1, 2};
    do {
        CAPTURE(order);
        LoneOffice office(invitees.network(), 1);
        CHECK(take(office, all[order[0]]).value());
        CHECK(alarms(office, invitees.index()) == 0);
        CHECK(take(office, all[order[1]]).value());
        CHECK(alarms(office, invitees.index()) == 1);
        const bool is_low = order[2] != 2;
        CHECK(take(office, all[order[2]]).value() == is_low);
        // Each enrolment is told once.
        for (const auto& entry : all) {
            CHECK_FALSE(take(office, entry).value());
        }
        CHECK(alarms(office, invitees.index()) == (is_low ? 2 : 1));
        std::vector<Register> kept;
        for (const auto* entry : office.ledger().registers_in_leaf(invitees.index())) {
            kept.push_back(*entry);
        }
        CHECK(kept == lowest);
        CHECK(office.ledger().take_news().registers.size() == 2);
        leaves = leaves.value_or(office.ledger().leaves());
        CHECK(office.ledger().leaves() == *leaves);
        // Also after a restart.
        office.write();
        const engine::Config config{&invitees.network().offices[1].machine, nullptr, {}, true, ""};
        auto again = engine::Ledger::load(office.store(), config,
                                          invitees.network().roster.founding(), LoneOffice::now())
                         .value();
        CHECK(again.registers_in_leaf(invitees.index()).size() == 2);
        CHECK(engine::registers_hash(again.network(),
                                     engine::register_list(again, invitees.index())) ==
              engine::registers_hash(office.ledger().network(),
                                     engine::register_list(office.ledger(), invitees.index())));
    } while (std::ranges::next_permutation(order).found);
}

TEST_CASE("which enrolments are kept does not depend on what became of the invitation meanwhile",
          "[engine]") {
    Invitees invitees;
    const auto all = invitees.enrolments(4);
    const auto change = GENERATE(true, false) ? invitees.admission() : invitees.cancellation();
    const auto fate = [&](LoneOffice& office) {
        REQUIRE(office.ledger().apply_roster_change(change, LoneOffice::now()).has_value());
    };
    LoneOffice before(invitees.network(), 0);
    LoneOffice after(invitees.network(), 1);
    LoneOffice between(invitees.network(), 1);
    for (const auto& entry : all) {
        REQUIRE(take(before, entry).has_value());
    }
    fate(before);
    fate(after);
    for (const auto at : {3U, 2U, 1U, 0U}) {
        REQUIRE(take(after, all[at]).has_value());
        REQUIRE(take(between, all[at]).has_value());
        if (at == 2) {
            fate(between);
        }
    }
    CHECK(before.ledger().leaves() == after.ledger().leaves());
    CHECK(before.ledger().leaves() == between.ledger().leaves());
    auto by_another = all[0];
    by_another.payload[0] ^= std::byte{1};
    CHECK(take(after, by_another).error().code == Errc::untrusted);
}

TEST_CASE("two enrolments under one name are each told to who lacks it", "[engine]") {
    Invitees invitees;
    const auto all = invitees.enrolments(2);
    LoneOffice office(invitees.network(), 0);
    REQUIRE(take(office, all[0]).value());
    REQUIRE(take(office, all[1]).value());
    static_cast<void>(office.ledger().take_news());
    engine::PeerSession session(engine::LinkId{1}, invitees.network().offices[1].index, {}, false,
                                engine::Flow{});
    engine::Consequences out;
    const auto hear = [&](const Frame& frame) {
        REQUIRE(session
                    .receive(
                        office.ledger(), encode_frame(frame), LoneOffice::now(),
                        [](const Header&, const RecordId&) { return false; }, out)
                    .has_value());
    };
    REQUIRE(session.greet(office.ledger(), LoneOffice::now(), out).has_value());
    Hello hello;
    hello.roster_version = office.ledger().roster().version();
    hello.credit_bytes = 1U << 20;
    hear(hello);
    LeafSummary leaf;
    leaf.office = invitees.index();
    const auto had = GENERATE(0U, 1U);
    leaf.registers = {engine::register_list(office.ledger(), leaf.office).at(had)};
    hear(Summary{false, {leaf}});
    out.send.clear();
    session.let_time_pass(LoneOffice::now());
    REQUIRE(session.pump(office.ledger(), LoneOffice::now(), out).has_value());
    CHECK(registers_told(out) == std::vector{all[1 - had]});
}
