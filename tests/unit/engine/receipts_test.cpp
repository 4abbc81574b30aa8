// Goal: an author with thousands of holes in its log costs its own receipt, not the daemon.
// Method: a store with such a log, loaded as at every start.
#include "daemon/engine/record/receipts.h"

#include <catch2/catch.hpp>

#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

// What the receipt tells of records, found one by one.
ShortHash tops_in(LoneOffice& office, const LogKey& log, const IntervalSet& numbers) {
    std::vector<ShortHash> ids;
    for (const auto run : numbers.intervals()) {
        const auto record = office.store().record(log, run.last, storage::WithBody::no).value();
        ids.push_back(short_hash(record.value().id));
    }
    return crypto::hash_of_tops(office.ledger().network(), ids);
}

}  // namespace

TEST_CASE("a receipt that would not fit a register says what fits, with its own top", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    const auto& hq = network.offices[0];
    const LogKey log{network.offices[1].index, {1, 7}, RecordClass::normal};
    storage::LogState state;
    state.addresses_us = true;
    std::vector<storage::StoreChange> changes;
    for (Number number = 1; number < 9000; number += 3) {
        state.hold({number, number});
        storage::StoredRecord record;
        record.arrival = storage::Arrival{number};
        record.log = log;
        record.run = {number, number};
        record.id = RecordId{
            crypto::hash("test", network.id(), {std::as_bytes(std::span(&number, 1))}).bytes};
        state.count_receipted(record.run, short_hash(record.id), {});
        changes.emplace_back(storage::PutRecord{record});
    }
    changes.emplace_back(storage::PutLog{log, state});
    LoneOffice office(network, 0, changes);
    auto& ledger = office.ledger();
    REQUIRE(engine::renew_receipts(ledger, {log.author}, {{}, founded_at}).has_value());
    const auto receipt = ledger.receipt(hq.index, log.author);
    REQUIRE(receipt != nullptr);
    const auto& told = receipt->logs.at(0);
    CHECK(told.received.count() > 500);
    CHECK(without(told.received, state.receipted).empty());
    CHECK(told.received.contains(1));
    CHECK(told.tops == tops_in(office, log, told.received));
}

TEST_CASE("what the author has closed is left out of a receipt that would not fit", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    const LogKey log{network.offices[1].index, {1, 7}, RecordClass::normal};
    // One old letter to another office stays; above it every third number came here. Most of these
    // the author has closed, and the others have ended elsewhere.
    constexpr Number last = 7500;
    storage::LogState state;
    state.addresses_us = true;
    const IntervalSet done{{2, 5400}};
    std::vector<storage::StoreChange> changes;
    for (Number number = 4; number <= last; number += 3) {
        storage::StoredRecord record;
        record.arrival = storage::Arrival{number};
        record.log = log;
        record.run = {number, number};
        record.id.bytes[0] = static_cast<std::byte>(number);
        record.id.bytes[1] = static_cast<std::byte>(number >> 8);
        state.count_receipted(record.run, short_hash(record.id), {});
        changes.emplace_back(storage::PutRecord{record});
    }
    state.hold({7498, 7498});
    changes.emplace_back(storage::PutLog{log, state});
    OfficeStatement statement;
    statement.logs.push_back({log.incarnation, log.record_class, last, {}, done, {}});
    LoneOffice office(network, 0, changes);
    Register entry;
    entry.key = {log.author, static_cast<std::uint8_t>(RegisterKind::office), {}};
    entry.payload = encode_office_statement(statement);
    office.ledger().keep_register(entry);
    REQUIRE(engine::renew_receipts(office.ledger(), {log.author}, LoneOffice::now()).has_value());
    const auto receipt = office.ledger().receipt(network.offices[0].index, log.author);
    const auto& told = receipt->logs.at(0);
    CHECK(told.received == without(office.ledger().log(log).receipted, done));
    CHECK(told.tops == tops_in(office, log, told.received));
}

TEST_CASE("the newest receipt is read, whatever was decoded before it came", "[engine]") {
    const auto network = make_network({"hq", "hyesan", "pyongyang"});
    LoneOffice office(network, 0);
    auto& ledger = office.ledger();
    const auto signer = network.offices[1].index;
    const auto author = network.offices[2].index;
    const auto receive = [&](Number up_to) {
        ReceiptLog log;
        log.incarnation = {1, 7};
        log.record_class = RecordClass::normal;
        log.received = {{1, up_to}};
        Register entry;
        entry.key = {signer, static_cast<std::uint8_t>(RegisterKind::receipt),
                     receipt_subject(author)};
        entry.version = {{1, 7}, up_to};
        entry.payload = encode_receipt({{std::move(log)}});
        REQUIRE(ledger.keep_register(entry));
        return entry;
    };
    CHECK(ledger.receipt(signer, author) == nullptr);
    receive(3);
    const auto first = ledger.receipt(signer, author);
    REQUIRE(first != nullptr);
    const auto newest = receive(5);
    CHECK(ledger.receipt(signer, author)->logs.at(0).received == IntervalSet{{1, 5}});
    CHECK(first->logs.at(0).received == IntervalSet{{1, 3}});
    ledger.drop_register(ledger.name_of(newest));
    CHECK(ledger.receipt(signer, author) == nullptr);
}
