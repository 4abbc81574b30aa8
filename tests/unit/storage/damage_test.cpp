// Goal: a damaged value goes, rows that only belonged to it go with it, and nothing else is
// touched.
// Method: a store in memory with a row in each table, one value of which is changed on its disk.
#include "storage/damage.h"

#include <catch2/catch.hpp>

#include "storage/memory_tables.h"

using namespace fieldpost;
using namespace fieldpost::storage;

namespace {

const LogKey log_of_three{OfficeId{3}, {1, 7}, RecordClass::normal};
const ReportKey first_report{OfficeId{3}, {{1, 7}, RecordClass::normal, 1}};

Header header_of(Number number, std::uint32_t body_bytes) {
    Header header;
    header.log = log_of_three;
    header.number = number;
    header.count = 1;
    header.lifetime_seconds = 86400;
    header.stanzas = {{OfficeId{1}, 1, {}}};
    header.body_bytes = body_bytes;
    return header;
}

class DamagedStore {
public:
    DamagedStore() {
        std::vector<StoreChange> changes;
        for (Number number = 1; number <= 3; ++number) {
            StoredRecord record;
            record.arrival = Arrival{number};
            record.log = log_of_three;
            record.run = {number, number};
            record.header = encode_header(header_of(number, number == 3 ? 3000 : 100));
            record.body = Bytes(100, std::byte{1});
            if (number == 3) {
                record.blob = Blob{1};
                record.body.clear();
                changes.emplace_back(PutPart{Blob{1}, 1, Bytes(3000, std::byte{2})});
            }
            changes.emplace_back(PutRecord{record});
            changes.emplace_back(PutExpiry{WallTime{100}, record.arrival});
            changes.emplace_back(PutArchive{record.arrival, {}});
        }
        ReportProgress page;
        page.arrival = Arrival{1};
        changes.emplace_back(PutReport{first_report, page});
        changes.emplace_back(FileWith{first_report, Filed::answer, Arrival{2}});
        changes.emplace_back(PutKeyed{Hash{}, {Hash{}, first_report}});
        changes.emplace_back(PutBundled{OfficeId{4}, Bytes(8, std::byte{4})});
        for (std::uint64_t seq = 1; seq <= 2; ++seq) {
            Event event;
            event.seq = seq;
            event.what = seq == 1 ? What::queued : What::carried;
            event.report = first_report;
            changes.emplace_back(PutEvent{event});
        }
        REQUIRE(store->begin().has_value());
        for (const auto& change : changes) {
            REQUIRE(store->apply(change).has_value());
        }
        REQUIRE(store->commit().has_value());
    }

    MemoryDisk::Content& table(Table table) { return disk.tables[static_cast<std::size_t>(table)]; }
    std::size_t put_aside() {
        REQUIRE(store->begin().has_value());
        const auto gone = store->put_aside_damage();
        REQUIRE(gone.has_value());
        REQUIRE(store->commit().has_value());
        CHECK_FALSE(store->is_in_doubt());
        return gone->values;
    }

    MemoryDisk disk;
    std::unique_ptr<RecordStore> store =
        RecordStore::open(open_memory_tables(disk), crypto::SealKey::random()).value();
};

}  // namespace

TEST_CASE("a store without damage stays as it is, whatever was in doubt", "[storage]") {
    DamagedStore office;
    const auto before = office.disk.tables;
    office.store->doubt();
    CHECK(office.store->is_in_doubt());
    CHECK(office.put_aside() == 0);
    CHECK(office.disk.tables == before);
}

TEST_CASE("a damaged value goes, and nothing else that is whole", "[storage]") {
    const auto table =
        GENERATE(Table::archive, Table::reports, Table::answers, Table::keys, Table::bundled,
                 Table::expiries, Table::events, Table::records, Table::report_events);
    DamagedStore office;
    const auto before = office.disk.tables;
    auto& content = office.table(table);
    content.begin()->second.front() ^= std::byte{0x40};
    CHECK(office.put_aside() == 1);
    // An event's row is made anew from the event.
    CHECK(content.size() ==
          before[static_cast<std::size_t>(table)].size() - (table == Table::report_events ? 0 : 1));
    // Rows that named a removed value are gone too.
    CHECK(office.table(Table::numbers).size() == (table == Table::records ? 2 : 3));
    CHECK(office.table(Table::report_events).size() == (table == Table::events ? 1 : 2));
    CHECK(office.table(Table::parts).size() == 1);
    CHECK(office.put_aside() == 0);
}

TEST_CASE("the index of numbers is made anew from the records", "[storage]") {
    DamagedStore office;
    const auto before = office.disk.tables;
    for (auto& [key, value] : office.table(Table::numbers)) {
        value.back() ^= std::byte{1};
    }
    CHECK(office.put_aside() == 3);
    CHECK(office.disk.tables == before);
}

TEST_CASE("a record whose body lacks a part, or is in doubt, goes with all its parts",
          "[storage]") {
    DamagedStore office;
    SECTION("its only part is shorter than it was") {
        office.table(Table::parts).begin()->second.pop_back();
        office.store->doubt();
    }
    SECTION("somebody found it to be wrong") {
        office.store->doubt(Blob{1});
    }
    CHECK(office.put_aside() == 1);
    CHECK(office.table(Table::records).size() == 2);
    CHECK(office.table(Table::numbers).size() == 2);
    CHECK(office.table(Table::parts).empty());
}

TEST_CASE("a read that meets damage puts the store in doubt", "[storage]") {
    DamagedStore office;
    office.table(Table::events).begin()->second.back() ^= std::byte{1};
    CHECK_FALSE(office.store->is_in_doubt());
    REQUIRE(office.store->begin().has_value());
    CHECK(office.store->events(1, 10).error().code == Errc::corrupt);
    office.store->abort();
    CHECK(office.store->is_in_doubt());
    CHECK(office.put_aside() == 1);
    REQUIRE(office.store->begin().has_value());
    CHECK(office.store->events(1, 10).value().size() == 1);
    CHECK(office.store->events_of(first_report).value().size() == 1);
    office.store->abort();
}
