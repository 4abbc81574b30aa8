// Goal: registers of others are verified and bounded, and what a later release signs travels on;
// our own always fits.  Method: an office in memory, fed with registers by hand.
#include "daemon/engine/registers.h"

#include "daemon/engine/authoring.h"
#include "daemon/engine/peer_session.h"
#include "proto/epoch_slots.h"
#include "proto/link_message.h"
#include "tests/unit/daemon/lone_office.h"

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
    return TRY(engine::take_register(office.ledger(), entry, {entry.key.signer}, LoneOffice::now(),
                                     office.notices()))
        .is_new;
}

Bytes subject_of(int number) {
    return {static_cast<std::byte>(number)};
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
    slots.slots = {{network.offices[1].index, 1, {}}};
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
                        [](const RecordId&) { return false; }, out)
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
    session.tell(office.ledger(), office.ledger().take_news(), out);
    REQUIRE(session.pump(office.ledger(), LoneOffice::now(), out).has_value());
    std::vector<Register> told;
    for (const auto& message : out.send) {
        const auto frames = frames_of(message.bytes).value();
        for (const auto bytes : frames) {
            const auto frame = decode_frame(bytes).value();
            if (const auto* news = std::get_if<RegisterNews>(&frame)) {
                std::ranges::copy(news->registers, std::back_inserter(told));
            }
        }
    }
    CHECK((std::ranges::find(told, older) == told.end()));
    CHECK((std::ranges::find(told, newer) != told.end()) == comes_newer);
}
