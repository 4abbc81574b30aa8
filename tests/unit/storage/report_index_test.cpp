// Goal: the index, the counts and the feed say what the pages say, whatever happens to pages, and
// the feed stays as short as what there is to tell.
// Method: random changes of random pages, on LMDB and in memory, compared with a plain scan; feeds
// are read from places of many kinds.
#include "storage/report_index.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <random>
#include <set>

#include "storage/lmdb_tables.h"
#include "storage/memory_tables.h"
#include "storage/record_store.h"
#include "tests/support/feed_reader.h"
#include "tests/support/temporary_folder.h"

using namespace fieldpost;
using namespace fieldpost::storage;

namespace {

const auto index_seal = crypto::SealKey::random();
const LogKey log_of_author{OfficeId{3}, {1, 7}, RecordClass::normal};

struct Store {
    explicit Store(bool on_lmdb) {
        auto tables = on_lmdb ? open_lmdb_tables(folder.path(), {.limit_bytes = 64U << 20}).value()
                              : open_memory_tables(memory);
        store = RecordStore::open(std::move(tables), index_seal.duplicate()).value();
        REQUIRE(store->begin().has_value());
    }
    void apply(const StoreChange& change) { REQUIRE(store->apply(change).has_value()); }
    void commit() {
        REQUIRE(store->commit().has_value());
        REQUIRE(store->begin().has_value());
    }
    fieldpost::tests::TemporaryFolder folder;
    MemoryDisk memory;
    std::unique_ptr<RecordStore> store;
};

ReportProgress page_at(std::uint64_t arrival, const std::vector<OfficeId>& to) {
    ReportProgress page;
    page.arrival = Arrival{arrival};
    page.box = Box::outbox;
    for (const auto office : to) {
        page.recipients.push_back({.office = office});
    }
    return page;
}

Bitmap bitmap_of(const std::set<std::size_t>& positions) {
    Bitmap bitmap;
    for (const auto position : positions) {
        bitmap.set(position);
    }
    return bitmap;
}

}  // namespace

TEST_CASE("a bitmap is a set of positions", "[storage]") {
    CHECK(rc::check("as std::set", [] {
        const auto wanted = *rc::gen::container<std::set<std::size_t>>(
            rc::gen::inRange<std::size_t>(0, arrivals_a_block));
        const auto bitmap = bitmap_of(wanted);
        RC_ASSERT(bitmap.count() == wanted.size());
        RC_ASSERT(bitmap.is_empty() == wanted.empty());
        const auto from = *rc::gen::inRange<std::size_t>(0, arrivals_a_block);
        const auto next = wanted.lower_bound(from);
        RC_ASSERT(bitmap.next(from) ==
                  (next == wanted.end() ? std::nullopt : std::optional(*next)));
        const auto after = wanted.upper_bound(from);
        RC_ASSERT(bitmap.previous(from) ==
                  (after == wanted.begin() ? std::nullopt : std::optional(*std::prev(after))));
        RC_ASSERT(Bitmap::decode(bitmap.encode()).value() == bitmap);
    }));
}

TEST_CASE("a bitmap of any density reads back", "[storage]") {
    const auto count = GENERATE(std::size_t{0}, 1, 254, 255, 256, 257, 4095, 4096);
    std::set<std::size_t> positions;
    for (std::size_t i = 0; i < count; ++i) {
        positions.insert(i * (arrivals_a_block / std::max<std::size_t>(count, 1)));
    }
    const auto bitmap = bitmap_of(positions);
    REQUIRE(bitmap.count() == positions.size());
    const auto bytes = bitmap.encode();
    CHECK(bytes.size() <= arrivals_a_block / 8);
    CHECK(Bitmap::decode(bytes).value() == bitmap);
}

TEST_CASE("index, counts and feed follow from the pages", "[storage]") {
    const bool on_lmdb = GENERATE(true, false);
    CAPTURE(on_lmdb);
    std::mt19937_64 dice(1);
    const auto any = [&](std::size_t below) { return dice() % below; };
    Store store(on_lmdb);
    tests::FeedReader reader;
    for (int round = 0; round < 300; ++round) {
        const LogKey log{OfficeId{static_cast<std::uint16_t>(3 + any(3))},
                         {1, 7},
                         static_cast<RecordClass>(any(4))};
        const auto key = report_in(log, static_cast<Number>(1 + any(20)));
        auto page = store.store->report(key).value();
        if (!page) {
            // Three blocks, so that some are skipped.
            page = page_at(any(3) * arrivals_a_block * 5 + any(2 * arrivals_a_block),
                           {OfficeId{9}, OfficeId{10}});
            page->box = any(2) == 0 ? Box::inbox : Box::outbox;
            page->type = TypeNumber{static_cast<std::uint32_t>(any(4))};
            page->size_bytes = any(1000);
            page->addressed = {OfficeId{0xfff0}};
        }
        if (any(8) == 0) {
            store.apply(DropReport{key});
        } else {
            auto& one = page->recipients[any(2)];
            one.state = static_cast<State>(any(6));
            one.reason = one.state == State::failed ? FailReason::refused : FailReason::none;
            if (any(6) == 0) {
                page->replaced_by = report_in(log, 30);
            }
            store.apply(PutReport{key, *page});
        }
        if (any(4) == 0) {
            store.commit();
            reader.take_turn(*store.store, 0);
        }
        tests::check_index(*store.store, 0);
    }
    reader.catch_up(*store.store, 0);
}

TEST_CASE("filters combine", "[storage]") {
    Store store(true);
    for (std::uint64_t i = 1; i <= 100; ++i) {
        auto page = page_at(i * 100, {OfficeId{static_cast<std::uint16_t>(i % 7)}});
        page.box = i % 2 == 0 ? Box::inbox : Box::outbox;
        if (i % 5 == 0) {
            page.replaced_by = report_in(log_of_author, 1000);
        }
        store.apply(PutReport{report_in(log_of_author, static_cast<Number>(i)), page});
    }
    store.commit();
    auto selection = store.store
                         ->select({.all = {{term_of(Facet::box, Box::inbox)},
                                           {term_of(Facet::to, 2), term_of(Facet::to, 4)}},
                                   .none = {term_of(Facet::replaced, 1)}})
                         .value();
    std::vector<std::uint64_t> expected;
    for (std::uint64_t i = 1; i <= 100; ++i) {
        if (i % 2 == 0 && (i % 7 == 2 || i % 7 == 4) && i % 5 != 0) {
            expected.push_back(i * 100);
        }
    }
    std::vector<std::uint64_t> forward;
    for (auto at = selection.from(Arrival{0}).value(); at;
         at = selection.from(Arrival{forward.back() + 1}).value()) {
        forward.push_back(static_cast<std::uint64_t>(*at));
    }
    CHECK(forward == expected);
    std::vector<std::uint64_t> back;
    for (auto at = selection.until(Arrival{UINT64_MAX}).value(); at;
         at = selection.until(Arrival{back.back() - 1}).value()) {
        back.push_back(static_cast<std::uint64_t>(*at));
    }
    std::ranges::reverse(back);
    CHECK(back == expected);
    CHECK(selection.count().value() == expected.size());
}

TEST_CASE("a state that flaps does not make the feed longer", "[storage]") {
    Store store(true);
    const auto key = report_in(log_of_author, 1);
    auto page = page_at(1, {OfficeId{9}});
    store.apply(PutReport{key, page});
    for (int i = 0; i < 1000; ++i) {
        page.recipients[0].state = i % 2 == 0 ? State::carried : State::queued;
        store.apply(PutReport{key, page});
        if (i % 100 == 0) {
            store.commit();
        }
    }
    store.commit();
    const auto changes = store.store->changes(0, 100).value();
    REQUIRE(changes.size() == 2);
    CHECK(changes[0].of == ChangeOf::report);
    CHECK(changes[1].of == ChangeOf::state);
    CHECK(changes[1].number == 1001);
    CHECK(store.store->feed_end().value().number == 1001);
}

TEST_CASE("a place in the feed fits if no other change was written under its number", "[storage]") {
    MemoryDisk disk;
    const auto open = [&](std::uint32_t start) {
        auto store = RecordStore::open(open_memory_tables(disk), index_seal.duplicate()).value();
        REQUIRE(store->begin().has_value());
        REQUIRE(store->apply(NoteStart{start}).has_value());
        return store;
    };
    const auto queue = [](RecordStore& store, Number number) {
        REQUIRE(store.apply(PutReport{report_in(log_of_author, number), page_at(number, {})})
                    .has_value());
        REQUIRE(store.commit().has_value());
        REQUIRE(store.begin().has_value());
    };
    auto store = open(11);
    CHECK(store->is_in_feed(store->feed_end().value()).value());
    queue(*store, 1);
    const auto first = store->feed_end().value();
    const auto copy = disk;
    queue(*store, 2);
    const auto lost = store->feed_end().value();
    REQUIRE(lost.number == 2);
    CHECK(store->is_in_feed(first).value());
    CHECK(store->is_in_feed(lost).value());

    store.reset();
    disk = copy;
    store = open(12);
    CHECK(store->is_in_feed(first).value());
    CHECK_FALSE(store->is_in_feed(lost).value());  // beyond the end
    queue(*store, 7);
    CHECK(store->feed_end().value().number == 2);
    CHECK_FALSE(store->is_in_feed(lost).value());  // another change
    CHECK(store->is_in_feed(first).value());

    REQUIRE(store->apply(RenewFeed{}).has_value());
    CHECK_FALSE(store->is_in_feed(first).value());
    CHECK(store->changes(0, 10).value().size() == 2);
}

TEST_CASE("what was received since a day is found although a clock was set back", "[storage]") {
    Store store(true);
    constexpr std::uint32_t day = 86400;
    const std::vector<std::uint32_t> received = {10 * day, 11 * day, 5 * day, 12 * day, 11 * day};
    for (std::size_t i = 0; i < received.size(); ++i) {
        StoredRecord record;
        record.arrival = Arrival{i + 1};
        record.log = log_of_author;
        record.run = {static_cast<Number>(i + 1), static_cast<Number>(i + 1)};
        record.received = {received[i]};
        store.apply(PutRecord{record});
    }
    const auto since = [&](std::uint32_t time) {
        return store.store->first_received_since({time}).value();
    };
    CHECK(since(0) == Arrival{1});
    CHECK(since(11 * day) == Arrival{2});
    CHECK(since(12 * day) == Arrival{4});
    CHECK_FALSE(since(13 * day).has_value());
}
