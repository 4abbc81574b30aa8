// Goal: a row that an older build let in, or that a disk damaged, never stops an office, and costs
// only its log.
// Method: a store with such rows, loaded as at every start, and its first batch.
#include "daemon/engine/healing.h"
#include "daemon/engine/engine.h"
#include "daemon/engine/membership/founding.h"

#include <catch2/catch.hpp>

#include "proto/limits.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using engine::What;
using storage::LogState;

namespace {

void heal(LoneOffice& office) {
    REQUIRE(engine::put_aside_damage(office.ledger(), {}, LoneOffice::now(), office.notices())
                .has_value());
    office.write();
}

bool was_told(LoneOffice& office, What what, OfficeId about) {
    return office.ledger().attention().items().contains({what, about, {}});
}

storage::StoredRecord record_of(const LogKey& log, Number number, std::uint64_t arrival) {
    storage::StoredRecord record;
    record.arrival = storage::Arrival{arrival};
    record.log = log;
    record.run = {number, number};
    record.id.bytes[0] = std::byte{1};
    return record;
}

}  // namespace

TEST_CASE("logs that no summary can name, and too many logs, are dropped at the start",
          "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    const auto author = network.offices[1].index;
    LogState state;
    state.end({{1, 3}});
    std::vector<storage::StoreChange> changes;
    for (std::uint16_t life = 0; life < 60; ++life) {
        changes.emplace_back(storage::PutLog{{author, {life, 7}, RecordClass::normal}, state});
    }
    LoneOffice office(network, 0, changes);
    heal(office);
    CHECK(std::ranges::distance(office.ledger().logs_of(author)) == 32);
    CHECK(office.ledger().logs_of(author).front().first.incarnation.ordinal == 28);
    CHECK(was_told(office, What::damaged, author));
    CHECK(office.store().logs().value().size() == 32);
}

TEST_CASE("a log of more runs than anybody says is closed in the middle at the start", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    const LogKey log{network.offices[1].index, {1, 7}, RecordClass::normal};
    LogState state;
    for (Number number = 1; number < 60'000; number += 2) {
        state.refuse(5, {{number, number}});
    }
    LoneOffice office(network, 0, {storage::PutLog{log, state}});
    heal(office);
    CHECK(office.ledger().log(log).known.intervals().size() <= limits::log_runs_max);
    CHECK(office.ledger().log(log).refused.at(5).intervals().size() <= limits::refused_runs_max);
    CHECK(office.store().log(log).value()->known == office.ledger().log(log).known);
}

TEST_CASE("a damaged log is made anew from its records, and others are left alone", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    const auto author = network.offices[1].index;
    const LogKey damaged{author, {1, 7}, RecordClass::normal};
    const LogKey sound{author, {1, 7}, RecordClass::bulk};
    LogState state;
    state.end({{1, 20}});
    state.hold({7, 7});
    const auto table = GENERATE(storage::Table::logs, storage::Table::log_pages);
    LoneOffice office(
        network, 0,
        {storage::PutLog{damaged, state}, storage::PutLog{sound, state},
         storage::PutRecord{record_of(damaged, 7, 1)}, storage::PutRecord{record_of(sound, 7, 2)}},
        [&](storage::MemoryDisk& disk) {
            auto& content = disk.tables[static_cast<std::size_t>(table)];
            content.begin()->second.back() ^= std::byte{1};
        });
    heal(office);
    const auto& anew = office.ledger().log(damaged);
    CHECK(anew.held == IntervalSet{{7, 7}});
    CHECK(anew.known == IntervalSet{{7, 7}});  // all else comes again
    CHECK(office.ledger().log(sound).known == IntervalSet{{1, 20}});
    CHECK(was_told(office, What::damaged, author));
    CHECK_FALSE(office.ledger().meta().stopped);
    CHECK(office.store().log(damaged).value()->held == IntervalSet{{7, 7}});
}

TEST_CASE("an office whose own log is damaged signs nothing more", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    const LogKey log{network.offices[0].index, {1, 7}, RecordClass::normal};
    LogState state;
    state.hold({7, 7});
    LoneOffice office(
        network, 0, {storage::PutLog{log, state}, storage::PutRecord{record_of(log, 7, 1)}},
        [&](storage::MemoryDisk& disk) {
            auto& content = disk.tables[static_cast<std::size_t>(storage::Table::logs)];
            content.begin()->second.back() ^= std::byte{1};
        });
    heal(office);
    CHECK(office.ledger().meta().stopped);
    CHECK(office.ledger().log(log).held == IntervalSet{{7, 7}});
    CHECK(office.ledger().log(log).next == 8);
}

TEST_CASE("registers that cannot be read come again, and are said to be gone", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    Register entry;
    entry.key = {network.offices[1].index, static_cast<std::uint8_t>(RegisterKind::office), {}};
    entry.version = {{1, 7}, 4};
    LoneOffice office(
        network, 0, {engine::put_register(network.id(), entry)}, [&](storage::MemoryDisk& disk) {
            auto& content = disk.tables[static_cast<std::size_t>(storage::Table::registers)];
            content.rbegin()->second.back() ^= std::byte{1};
        });
    CHECK(office.ledger().newest(entry.key) == nullptr);
    heal(office);
    CHECK(was_told(office, What::damaged, office.ledger().us()));
    CHECK(office.ledger().keep_register(entry));
}

TEST_CASE("a batch that runs out of memory leaves nothing behind", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    storage::MemoryDisk disk;
    const auto store =
        storage::RecordStore::open(storage::open_memory_tables(disk), crypto::SealKey::random())
            .value();
    REQUIRE(store->begin().has_value());
    for (const auto& change : engine::founding_changes(network.id(), network.offices[0].index,
                                                       {1, 7}, founded_at, network.changes, {})) {
        REQUIRE(store->apply(change).has_value());
    }
    REQUIRE(store->commit().has_value());
    const engine::Config config{
        &network.offices[0].machine, &network.offices[0].mail, {}, true, "test"};
    const auto load = [&] {
        return engine::Engine::load(*store, config, network.roster.founding(), LoneOffice::now());
    };
    auto engine = load().value();
    const std::vector<engine::Input> inputs{engine::TimerFired{}};
    const auto before = disk.tables;
    const auto failed = engine.run_batch(inputs, []() -> Now { throw std::bad_alloc(); });
    CHECK(failed.error().code == Errc::no_memory);
    CHECK(disk.tables == before);
    auto again = load().value();
    CHECK(again.run_batch(inputs, [] { return LoneOffice::now(); }).has_value());
}
