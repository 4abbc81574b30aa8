// Goal: every implementation of the tables keeps the promises of record_store.h, and both the same.
// Method: each case runs on LMDB and in memory; a random run of operations is compared between
// them.
#include "storage/record_store.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <functional>

#include "crypto/register_seal.h"
#include "crypto/secret.h"
#include "storage/lmdb_tables.h"
#include "storage/memory_tables.h"
#include "storage/values.h"
#include "tests/support/temporary_folder.h"

using namespace fieldpost;
using namespace fieldpost::storage;
using fieldpost::tests::TemporaryFolder;

namespace {

const auto seal_bytes = crypto::SealKey::random();

// A disk that a store can be opened on again and again.
struct Disk {
    explicit Disk(bool on_lmdb) : lmdb(on_lmdb) {}
    std::unique_ptr<Tables> open_tables() {
        return lmdb ? open_lmdb_tables(folder.path(), {.limit_bytes = 64U << 20}).value()
                    : open_memory_tables(memory);
    }
    std::unique_ptr<RecordStore> open() {
        return RecordStore::open(open_tables(), seal_bytes.duplicate()).value();
    }
    bool lmdb;
    TemporaryFolder folder;
    MemoryDisk memory;
};

void change(RecordStore& store, const std::vector<StoreChange>& changes) {
    REQUIRE(store.begin().has_value());
    for (const auto& one : changes) {
        REQUIRE(store.apply(one).has_value());
    }
    REQUIRE(store.commit().has_value());
}

const LogKey log_a{OfficeId{3}, {1, 7}, RecordClass::normal};
const LogKey log_b{OfficeId{3}, {1, 7}, RecordClass::bulk};

Register register_of(OfficeId signer) {
    Register entry;
    entry.key = {signer, static_cast<std::uint8_t>(RegisterKind::office), {}};
    entry.version = {{1, 7}, 3};
    return entry;
}

Custody custody_of(OfficeId signer) {
    Custody custody;
    custody.signer = signer;
    custody.version = {{1, 7}, 3};
    return custody;
}

StoredRecord record_of(std::uint64_t arrival, const LogKey& log, Interval run, std::size_t body) {
    StoredRecord record;
    record.arrival = Arrival{arrival};
    record.log = log;
    record.run = run;
    record.id.bytes[0] = static_cast<std::byte>(arrival);
    record.received = {1234};
    record.header = Bytes(130, std::byte{7});
    record.body = Bytes(body, static_cast<std::byte>(arrival));
    return record;
}

}  // namespace

TEST_CASE("what was committed is there when the store is opened again", "[storage]") {
    Disk disk(GENERATE(true, false));
    CAPTURE(disk.lmdb);
    OfficeMeta meta;
    meta.office = OfficeId{4};
    meta.incarnation = {2, 99};
    meta.next_arrival = 77;
    meta.mark = {5};
    meta.archive_key.bytes[31] = std::byte{4};
    LogState state;
    state.hold({1, 4});
    state.hold({9, 9});
    state.hold({70'000, 70'000});
    state.end({{5, 8}});
    state.refuse(1, {{12, 14}});
    ShortHash id;
    id.bytes[5] = std::byte{6};
    state.count_receipted({1, 4}, id, {});
    state.count_receipted({4'095, 4'096}, id, id);  // over two pages
    state.count_unreadable({9, 9});
    state.closed = {{20, 60'000}};
    state.window = 7;
    state.closed_from = 100;
    state.next = 15;
    state.reserved = 64;
    state.published = 9;
    state.published_id.bytes[3] = std::byte{3};
    Partial partial;
    partial.id.bytes[0] = std::byte{1};
    partial.blob = Blob{3};
    partial.header = Bytes(140, std::byte{2});
    partial.checked = {{1, 1}};
    partial.prefix_part = 2;
    partial.prefix = Bytes(100, std::byte{9});
    const ArchiveEntry entry{Box::outbox, ArchiveEntry::Form::own_key, Bytes(64, std::byte{8})};
    const ReportKey report{OfficeId{3}, {{1, 7}, RecordClass::normal, 2}};
    Event event;
    event.seq = 5;
    event.at = {44};
    event.last = {55};
    event.count = 300;
    event.what = What::carried;
    event.office = OfficeId{2};
    event.report = report;
    event.detail = "김은희";
    PeerState peer;
    peer.fingerprint_number = 9;
    const KeyedReport keyed{{}, report};
    ReportProgress progress;
    progress.arrival = Arrival{1};
    progress.replaced_by = report_in(log_b, 3);
    progress.recipients = {
        {.office = OfficeId{1},
         .state = State::acknowledged,
         .carried_at = {30},
         .carried_by = OfficeId{2},
         .delivered_at = {40},
         .acknowledged_at = {50},
         .outcome = ReplyOutcome::correct,
         .answer = Origin{{1, 7}, RecordClass::reply, 9}},
        {.office = OfficeId{2}, .state = State::failed, .reason = FailReason::refused},
        {.office = OfficeId{4}, .reissued_as = Origin{{2, 9}, RecordClass::bulk, 5}},
        {.office = OfficeId{5},
         .state = State::failed,
         .reason = FailReason::unreadable,
         .reissued_as = Origin{{2, 9}, RecordClass::bulk, 6}}};
    const auto as = report_in(log_b, 77);
    const Reissue reissue{report.origin, ShortHash{{std::byte{7}}}};
    peer.is_caught_up = true;
    meta.seen = {3, 8};
    {
        const auto store = disk.open();
        change(*store,
               {PutMeta{meta}, PutLog{log_a, state}, PutRecord{record_of(1, log_a, {1, 4}, 300)},
                PutRecord{record_of(5, log_a, {9, 9}, 30'000)}, PutPart{Blob{3}, 1, Bytes(16384)},
                PutPartial{partial},
                PutRegister{OfficeId{3}, 2, {}, encode_register(register_of(OfficeId{3}))},
                AddRosterChange{1, Bytes(200, std::byte{1})},
                PutCustody{OfficeId{1}, encode_custody(custody_of(OfficeId{1}))},
                PutArchive{Arrival{1}, entry}, PutReport{report, progress},
                FileWith{report, Filed::answer, Arrival{5}}, PutKeyed{{}, keyed}, PutEvent{event},
                PutReissue{as, reissue}, PutLeaf{OfficeId{3}, {}}, PutPeer{OfficeId{3}, peer},
                PutExpiry{{900}, Arrival{5}}, PutExpiry{{800}, Arrival{9}}});
    }
    const auto store = disk.open();
    REQUIRE(store->begin().has_value());
    CHECK(store->meta().value() == meta);
    state.touched.clear();
    CHECK(store->log(log_a).value() == state);
    CHECK(store->log(log_b).value() == std::nullopt);
    CHECK(store->logs().value().size() == 1);
    for (const Number number : {1U, 3U, 4U}) {
        CHECK(store->record(log_a, number, WithBody::yes).value() ==
              record_of(1, log_a, {1, 4}, 300));
    }
    CHECK(store->record(log_a, 5, WithBody::yes).value() == std::nullopt);
    CHECK(store->record(log_a, 10, WithBody::yes).value() == std::nullopt);
    CHECK(store->record(log_b, 1, WithBody::yes).value() == std::nullopt);
    CHECK(store->record(log_a, 9, WithBody::no).value()->body.empty());
    CHECK(store->record_from(Arrival{2}, WithBody::no).value()->arrival == Arrival{5});
    CHECK(store->record_until(Arrival{4}, WithBody::no).value()->arrival == Arrival{1});
    CHECK(store->record_from(Arrival{6}, WithBody::no).value() == std::nullopt);
    CHECK(store->part(Blob{3}, 1).value()->size() == 16384);
    CHECK(store->reissued(as).value() == reissue);
    CHECK(store->reissued(report).value() == std::nullopt);
    CHECK(store->part(Blob{3}, 2).value() == std::nullopt);
    CHECK(store->partials().value() == std::vector{partial});
    CHECK(store->registers().value() == std::vector{register_of(OfficeId{3})});
    CHECK(store->roster_changes().value() == std::vector<Bytes>{Bytes(200, std::byte{1})});
    CHECK(store->custody().value() == std::vector{custody_of(OfficeId{1})});
    CHECK(store->archive(Arrival{1}).value() == entry);
    progress.change = 2;  // the page is the first change of the feed, the answer the second
    CHECK(store->report(report).value() == progress);
    CHECK(store->answers(report).value() == std::vector{Arrival{5}});
    CHECK(store->keyed({}).value() == keyed);
    CHECK(store->events(0, 10).value() == std::vector{event});
    CHECK(store->events(6, 10).value().empty());
    CHECK(store->event(5).value() == event);
    CHECK(store->event(6).value() == std::nullopt);
    CHECK(store->events_of(report).value() == std::vector{event});
    CHECK(store->event_of(report, What::carried, OfficeId{2}).value() == event);
    CHECK(store->event_of(report, What::carried, OfficeId{1}).value() == std::nullopt);
    CHECK(store->leaves().value().size() == 1);
    CHECK(store->peers().value().front().second == peer);
    CHECK(store->next_expiry().value()->arrival == Arrival{9});
    CHECK(store->next_expiry().value()->at == WallTime{800});
}

TEST_CASE("the last events are kept, and the oldest makes room", "[storage]") {
    Disk disk(false);
    auto store = disk.open();
    const auto report = [](std::uint64_t seq) {
        return ReportKey{OfficeId{3}, {{1, 7}, RecordClass::normal, static_cast<Number>(seq)}};
    };
    Event event;
    REQUIRE(store->begin().has_value());
    for (event.seq = 1; event.seq <= events_kept + 2; ++event.seq) {
        event.report = report(event.seq);
        event.detail = event.seq == 2 ? "김은희" : "";
        REQUIRE(store->apply(PutEvent{event}).has_value());
    }
    CHECK(store->events(0, 1).value().front().seq == 3);
    // Nothing names the event that was pushed out.
    CHECK(store->events_of(report(2)).value().empty());
    CHECK(store->event_of(report(2), event.what, event.office).value() == std::nullopt);
    CHECK(store->events_of(report(3)).value().front().seq == 3);
    // The same event may happen again.
    event.report = report(2);
    REQUIRE(store->apply(PutEvent{event}).has_value());
    CHECK(store->events_of(report(2)).value() == std::vector{event});
    CHECK(store->events(0, SIZE_MAX).value().size() == events_kept);
    store->abort();
}

TEST_CASE("entries that wait for the mail keys are found in order, until they are filed again",
          "[storage]") {
    Disk disk(GENERATE(true, false));
    const auto store = disk.open();
    using Form = ArchiveEntry::Form;
    const auto entry = [](Form form) {
        return ArchiveEntry{Box::inbox, form, Bytes(64, std::byte{8})};
    };
    change(*store, {PutArchive{Arrival{3}, entry(Form::own_key)},
                    PutArchive{Arrival{5}, entry(Form::unopened)},
                    PutArchive{Arrival{7}, entry(Form::public_key)},
                    PutArchive{Arrival{9}, entry(Form::unreadable)},
                    PutArchive{Arrival{300}, entry(Form::of_schema_1)}});
    REQUIRE(store->begin().has_value());
    CHECK(store->waiting_for_keys(Arrival{0}).value() == Arrival{5});
    CHECK(store->waiting_for_keys(Arrival{6}).value() == Arrival{7});
    CHECK(store->waiting_for_keys(Arrival{8}).value() == Arrival{300});
    store->abort();
    change(*store, {PutArchive{Arrival{5}, entry(Form::own_key)}, DropArchive{Arrival{7}}});
    REQUIRE(store->begin().has_value());
    CHECK(store->archive(Arrival{5}).value() == entry(Form::own_key));
    CHECK(store->waiting_for_keys(Arrival{0}).value() == Arrival{300});
    CHECK_FALSE(store->waiting_for_keys(Arrival{301}).value().has_value());
    store->abort();
}

TEST_CASE("a transaction that is not committed leaves nothing", "[storage]") {
    Disk disk(GENERATE(true, false));
    {
        const auto store = disk.open();
        change(*store, {PutRecord{record_of(1, log_a, {1, 1}, 10)}});
        REQUIRE(store->begin().has_value());
        REQUIRE(store->apply(DropRecord{Arrival{1}, log_a, 1}).has_value());
        REQUIRE(store->apply(PutRecord{record_of(2, log_a, {2, 2}, 10)}).has_value());
        CHECK(store->record(log_a, 1, WithBody::no).value() == std::nullopt);
        CHECK(store->record(log_a, 2, WithBody::no).value() != std::nullopt);
    }  // the process dies here
    const auto store = disk.open();
    REQUIRE(store->begin().has_value());
    CHECK(store->record(log_a, 1, WithBody::no).value() != std::nullopt);
    CHECK(store->record(log_a, 2, WithBody::no).value() == std::nullopt);
}

TEST_CASE("a store of a newer schema is refused and left alone", "[storage]") {
    Disk disk(GENERATE(true, false));
    disk.open();
    ByteWriter newer;
    newer.u32(schema_version + 1);
    const auto key = to_bytes(as_bytes("schema"));
    {
        const auto tables = disk.open_tables();
        REQUIRE(tables->begin().has_value());
        REQUIRE(tables->put(Table::meta, key, newer.bytes()).has_value());
        REQUIRE(tables->commit().has_value());
    }
    CHECK(RecordStore::open(disk.open_tables(), seal_bytes.duplicate()).error().code ==
          Errc::unsupported);
    const auto tables = disk.open_tables();
    REQUIRE(tables->begin().has_value());
    CHECK(equal(*tables->get(Table::meta, key).value(), newer.bytes()));
}

TEST_CASE("a full store says so, keeps what it has, and goes on once there is room", "[storage]") {
    Disk disk(GENERATE(true, false));
    disk.memory.limit_bytes = 64U << 20;
    const auto store = disk.open();
    std::uint64_t arrival = 0;
    Errc failure{};
    while (failure == Errc{}) {
        ++arrival;
        REQUIRE(arrival < 10'000);
        const auto started = store->begin();
        auto done =
            started ? store->apply(PutRecord{record_of(
                          arrival, log_a,
                          {static_cast<Number>(arrival), static_cast<Number>(arrival)}, 30'000)})
                    : started;
        if (done) {
            done = store->commit();
        } else {
            store->abort();
        }
        failure = done ? Errc{} : done.error().code;
    }
    CHECK(failure == Errc::storage_full);
    CHECK(arrival > 1000);
    for (Number number = 1; number <= 20; ++number) {
        change(*store, {DropRecord{Arrival{number}, log_a, number}});
    }
    change(*store, {PutRecord{record_of(arrival, log_a, {1, 1}, 30'000)}});
    REQUIRE(store->begin().has_value());
    CHECK(store->record(Arrival{arrival - 1}, WithBody::yes).value()->body.size() == 30'000);
    CHECK(store->usage().used_bytes > 30U << 20);
}

TEST_CASE("names and words are not readable on the disk", "[storage]") {
    Disk disk(GENERATE(true, false));
    const std::string marker = "MARKER-OF-A-NAME";
    Event event;
    event.detail = marker;
    change(*disk.open(), {AddRosterChange{1, to_bytes(as_bytes(marker))}, PutEvent{event}});
    const auto tables = disk.open_tables();
    REQUIRE(tables->begin().has_value());
    for (std::size_t table = 0; table < table_count; ++table) {
        Bytes from;
        while (const auto entry = tables->at_or_after(static_cast<Table>(table), from).value()) {
            CHECK(as_text(entry->value).find(marker) == std::string_view::npos);
            from = entry->key;
            from.push_back(std::byte{0});
        }
    }
    // A value that was sealed for one place does not open in another.
    const auto value = to_bytes(tables->at_or_after(Table::roster, {}).value()->value);
    REQUIRE(tables->put(Table::roster, Bytes(8, std::byte{9}), value).has_value());
    REQUIRE(tables->commit().has_value());
    const auto store = disk.open();
    REQUIRE(store->begin().has_value());
    CHECK(store->roster_changes().error().code == Errc::corrupt);
}

TEST_CASE("LMDB and memory agree after any run of operations", "[storage]") {
    CHECK(rc::check([] {
        Disk lmdb(true);
        Disk memory(false);
        const auto a = lmdb.open_tables();
        const auto b = memory.open_tables();
        const auto both = [&](const std::function<Result<void>(Tables&)>& act) {
            RC_ASSERT(act(*a).has_value() == act(*b).has_value());
        };
        const auto key_of = [] {
            return Bytes{static_cast<std::byte>(*rc::gen::inRange(1, 6)),
                         static_cast<std::byte>(*rc::gen::inRange(0, 4))};
        };
        both([](Tables& t) { return t.begin(); });
        for (int step = 0; step < 40; ++step) {
            const auto table = static_cast<Table>(*rc::gen::inRange(0, 3));
            const auto key = key_of();
            switch (*rc::gen::inRange(0, 6)) {
                case 0:
                case 1:
                    both([&](Tables& t) { return t.put(table, key, Bytes(3, key[1])); });
                    break;
                case 2:
                    both([&](Tables& t) { return t.erase(table, key); });
                    break;
                case 3: {
                    both([](Tables& t) { return t.commit(); });
                    both([](Tables& t) { return t.begin(); });
                    break;
                }
                case 4: {
                    both([](Tables& t) {
                        t.abort();
                        return t.begin();
                    });
                    break;
                }
                default: {
                    const auto same = [](const std::optional<TableEntry>& x,
                                         const std::optional<TableEntry>& y) {
                        return x.has_value() == y.has_value() &&
                               (!x || (x->key == y->key && equal(x->value, y->value)));
                    };
                    RC_ASSERT(a->get(table, key).value().has_value() ==
                              b->get(table, key).value().has_value());
                    RC_ASSERT(same(a->at_or_after(table, key).value(),
                                   b->at_or_after(table, key).value()));
                    RC_ASSERT(same(a->at_or_before(table, key).value(),
                                   b->at_or_before(table, key).value()));
                }
            }
        }
    }));
}

TEST_CASE("the page of a report has room for every office there is", "[storage]") {
    MemoryDisk disk;
    const auto store = RecordStore::open(open_memory_tables(disk), seal_bytes.duplicate()).value();
    const ReportKey report{OfficeId{3}, {{1, 7}, RecordClass::normal, 2}};
    for (const int offices : {127, 128, 300}) {
        ReportProgress progress;
        for (int i = 0; i < offices; ++i) {
            progress.recipients.push_back({.office = OfficeId{static_cast<std::uint16_t>(i)}});
        }
        change(*store, {PutReport{report, progress}});
        REQUIRE(store->begin().has_value());
        progress.change = 1;  // of the page that came first
        CHECK(store->report(report).value() == progress);
        store->abort();
    }
}

static bool has_sound_index(const RecordStore& store) {
    for (const auto& term : {term_of(Facet::box, Box::inbox), term_of(Facet::state, State::queued),
                             term_of(Facet::priority, RecordClass::normal),
                             term_of(Facet::from, OfficeId{3}), term_of(Facet::to, OfficeId{1})}) {
        auto selection = store.select({.all = {{term}}, .none = {}}).value();
        if (!selection.count()) {
            return false;
        }
    }
    return true;
}

TEST_CASE("a value in which one bit has turned is damage, and is never read", "[storage]") {
    MemoryDisk disk;
    const auto store = RecordStore::open(open_memory_tables(disk), seal_bytes.duplicate()).value();
    const ReportKey report{OfficeId{3}, {{1, 7}, RecordClass::normal, 2}};
    ReportProgress progress;
    progress.recipients = {{.office = OfficeId{1}}};
    change(*store, {PutReport{report, progress}, PutLeaf{OfficeId{3}, {}},
                    PutCustody{OfficeId{1}, encode_custody(custody_of(OfficeId{1}))}});
    for (auto& content : disk.tables) {
        for (auto& [key, value] : content) {
            if (key == to_bytes(as_bytes("schema"))) {
                continue;
            }
            for (std::size_t at = 0; at < value.size(); ++at) {
                value[at] ^= std::byte{4};
                REQUIRE(store->begin().has_value());
                const auto read = store->report(report);
                const auto leaves = store->leaves();
                const auto custody = store->custody();
                const bool is_derived_sound = store->counts() && store->changes(0, 10) &&
                                              store->feed_end() && has_sound_index(*store);
                store->abort();
                // Values that come again are left out; for all others this is an error.
                const bool is_found = (!read && read.error().code == Errc::corrupt) ||
                                      leaves.value().empty() || custody.value().empty() ||
                                      !is_derived_sound;
                CHECK(is_found);
                value[at] ^= std::byte{4};
            }
        }
    }
}

TEST_CASE("a value that stands under another's key is damage", "[storage]") {
    MemoryDisk disk;
    const auto store = RecordStore::open(open_memory_tables(disk), seal_bytes.duplicate()).value();
    change(*store, {PutCustody{OfficeId{1}, encode_custody(custody_of(OfficeId{1}))},
                    PutCustody{OfficeId{2}, encode_custody(custody_of(OfficeId{2}))}});
    auto& custody = disk.tables[static_cast<std::size_t>(Table::custody)];
    std::swap(custody.begin()->second, custody.rbegin()->second);
    REQUIRE(store->begin().has_value());
    CHECK(store->custody().value().empty());
    CHECK(store->erase_damaged().value() == 2);
    REQUIRE(store->commit().has_value());
    CHECK(custody.empty());
}

TEST_CASE("a damaged log is told as that, and its records can be read", "[storage]") {
    MemoryDisk disk;
    const auto store = RecordStore::open(open_memory_tables(disk), seal_bytes.duplicate()).value();
    LogState state;
    state.hold({1, 1});
    state.hold({90'000, 90'000});
    change(*store,
           {PutLog{log_a, state}, PutLog{log_b, state}, PutRecord{record_of(1, log_a, {1, 1}, 10)},
            PutRecord{record_of(2, log_b, {1, 1}, 10)},
            PutRecord{record_of(3, log_a, {90'000, 90'000}, 10)}});
    const auto table = GENERATE(Table::logs, Table::log_pages);
    auto& content = disk.tables[static_cast<std::size_t>(table)];
    content.begin()->second.back() ^= std::byte{1};
    REQUIRE(store->begin().has_value());
    CHECK(store->logs().value() == std::vector{log_a, log_b});
    CHECK(store->log(log_a).error().code == Errc::corrupt);
    CHECK(store->log(log_b).value()->held == state.held);
    CHECK(store->records_of(log_a).value().size() == 2);
    store->abort();
    // Once the logs are dropped, no row of them is left.
    change(*store, {DropLog{log_a}, DropLog{log_b}});
    CHECK(content.empty());
}

TEST_CASE("a batch writes the pages of a log that it changed", "[storage]") {
    MemoryDisk disk;
    const auto store = RecordStore::open(open_memory_tables(disk), seal_bytes.duplicate()).value();
    LogState state;
    state.end({{1, 140'000}});
    for (Number number = 1; number < 140'000; number += 2) {
        state.hold({number, number});
    }
    change(*store, {PutLog{log_a, state}});
    auto& pages = disk.tables[static_cast<std::size_t>(Table::log_pages)];
    CHECK(pages.size() == 35);
    const auto before = pages;
    state.touched.clear();
    state.end({{1, 5000}});
    change(*store, {PutLog{log_a, state}});
    const auto changed = std::ranges::count_if(before, [&](const auto& page) {
        return !pages.contains(page.first) || pages.at(page.first) != page.second;
    });
    CHECK(changed == 2);
    REQUIRE(store->begin().has_value());
    CHECK(store->log(log_a).value()->held == state.held);
}

TEST_CASE("an enrolment in a store of schema 1 lies under its hash from then on", "[storage]") {
    MemoryDisk disk;
    Register entry;
    entry.key = {OfficeId{3}, static_cast<std::uint8_t>(RegisterKind::enrolment),
                 enrolment_subject(OfficeId{3})};
    entry.version = {{1, 7}, 0};
    const auto bytes = encode_register(entry);
    {
        const auto tables = open_memory_tables(disk);
        REQUIRE(tables->begin().has_value());
        ByteWriter version;
        version.u32(1);
        REQUIRE(tables->put(Table::meta, as_bytes("schema"), version.bytes()).has_value());
        REQUIRE(tables
                    ->put(Table::registers,
                          register_key(entry.key.signer, entry.key.kind, entry.key.subject, {}),
                          bytes)
                    .has_value());
        REQUIRE(tables->commit().has_value());
    }
    const auto store = RecordStore::open(open_memory_tables(disk), seal_bytes.duplicate()).value();
    CHECK(disk.tables[static_cast<std::size_t>(Table::registers)].size() == 1);
    REQUIRE(store->begin().has_value());
    CHECK(store->registers().value() == std::vector{entry});
    const auto hash = crypto::register_hash(NetworkId{}, entry);
    REQUIRE(store
                ->apply(DropRegister{entry.key.signer, entry.key.kind, entry.key.subject,
                                     short_hash(hash)})
                .has_value());
    CHECK(store->registers().value().empty());
}

TEST_CASE("of events that a store of schema 1 repeats, one is left that counts them", "[storage]") {
    MemoryDisk disk;
    const ReportKey report{OfficeId{3}, {{1, 7}, RecordClass::normal, 2}};
    {
        const auto tables = open_memory_tables(disk);
        REQUIRE(tables->begin().has_value());
        ByteWriter version;
        version.u32(1);
        REQUIRE(tables->put(Table::meta, as_bytes("schema"), version.bytes()).has_value());
        for (std::uint64_t seq = 1; seq <= 5; ++seq) {
            Event event;
            event.seq = seq;
            event.at = {static_cast<std::uint32_t>(40 + seq)};
            event.what = seq == 4 ? What::delivered : What::carried;
            if (seq != 2) {
                event.report = report;
                REQUIRE(
                    tables
                        ->put(Table::report_events, joined(report_key(report), number_key(seq)), {})
                        .has_value());
            }
            REQUIRE(tables->put(Table::events, number_key(seq), seal_event(seal_bytes, event))
                        .has_value());
        }
        REQUIRE(tables->commit().has_value());
    }
    const auto store = RecordStore::open(open_memory_tables(disk), seal_bytes.duplicate()).value();
    REQUIRE(store->begin().has_value());
    CHECK(store->events(1, 10).value().size() == 3);
    const auto events = store->events_of(report).value();
    REQUIRE(events.size() == 2);
    CHECK(events[0].seq == 1);
    CHECK(events[0].count == 3);
    CHECK(events[0].at == WallTime{41});
    CHECK(events[0].last == WallTime{45});
    CHECK(events[1].what == What::delivered);
    CHECK(events[1].count == 1);
}
