// Goal: a relay with a small share lives for a month beside authors who write more than it holds.
// The share is kept at all times (World::check), urgent reports always come through, nothing grows,
// and reports that gave way are brought by their author in the end.
// Method: virtual days. The relay meets each author every day and the reader every other week; at
// other times these are off.
#include <catch2/catch.hpp>

#include "daemon/engine/record/carry_share.h"
#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;

namespace {

constexpr Node month_relay = pyongyang;
constexpr std::uint64_t month_share = 10'000'000;
constexpr int month_days = 30;
constexpr int days_between_readings = 14;

// `b` stays up.
void come_by(World& world, Node a, Node b, std::chrono::minutes time) {
    world.restart(a);
    world.connect(a, b);
    world.run_for(time);
    world.stop(a);
}

// Rows of all tables of the relay, but those that events fill.
std::size_t rows_of_relay(World& world) {
    std::size_t rows = 0;
    for (std::size_t table = 0; table < storage::table_count; ++table) {
        const auto name = static_cast<storage::Table>(table);
        const bool is_of_events =
            name == storage::Table::events || name == storage::Table::report_events;
        rows += is_of_events ? 0 : world.disk(month_relay).tables[table].size();
    }
    return rows;
}

}  // namespace

TEST_CASE("a relay with a small share carries for a month what its authors write",
          "[simulation][slow]") {
    World world(96, {"hq", "hyesan", "relay", "wonsan", "sinuiju"}, {});
    world.set_carry_limit(month_relay, month_share);
    const std::vector<Node> authors = {hyesan, wonsan, 4};
    std::vector<storage::ReportKey> urgent;
    std::vector<storage::ReportKey> all;
    std::vector<std::size_t> rows;
    std::uint64_t most_used = 0;
    bool has_been_full = false;
    for (int day = 1; day <= month_days; ++day) {
        for (const auto author : authors) {
            world.restart(author);
            // One of them photographs three times as much as the others.
            const int photographs = author == hyesan ? 6 : 2;
            for (int i = 0; i < photographs; ++i) {
                all.push_back(world.queue(author, {hq}, RecordClass::bulk, 150'000).value());
            }
            for (int i = 0; i < 3; ++i) {
                all.push_back(world.queue(author, {hq}, RecordClass::normal, 2'000).value());
            }
            urgent.push_back(world.queue(author, {hq}, RecordClass::urgent, 300).value());
            world.connect(author, month_relay);
            world.run_for(10min);
            CHECK(world.view(author, urgent.back()).state == engine::State::carried);
            world.stop(author);
        }
        has_been_full = has_been_full || engine::carried_bytes(world.ledger(month_relay)) >
                                             month_share - month_share / 20;
        most_used = std::max(most_used, world.disk(month_relay).used_bytes);
        if (day % days_between_readings == 0) {
            rows.push_back(rows_of_relay(world));
            come_by(world, hq, month_relay, 1h);
            for (const auto& report : urgent) {
                CHECK(world.has_received(hq, report));
            }
        }
        world.run_for(20h);
    }
    CHECK(has_been_full);
    // The share counts bytes on the disk. The store's other rows are small.
    CHECK(most_used < month_share * 11 / 10);
    REQUIRE(rows.size() == 2);
    CHECK(rows[1] < rows[0] * 12 / 10);
    std::size_t missing = 0;
    for (const auto& report : all) {
        missing += world.has_received(hq, report) ? 0 : 1;
    }
    CHECK(missing > 0);
    world.restart(hq);
    for (const auto author : authors) {
        come_by(world, author, hq, 1h);
    }
    for (const auto& report : all) {
        CHECK(world.has_received(hq, report));
    }
    // The relay hears of it, and has room again.
    come_by(world, hq, month_relay, 1h);
    CHECK(engine::carried_bytes(world.ledger(month_relay)) == 0);
    world.check_everything();
}
