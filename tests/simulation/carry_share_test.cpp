// Goal: no member fills the carry share, alone or with others, and the share never costs this
// office its own mail.
// Method: members write masses of records for a third office; then honest offices need the room.
#include <catch2/catch.hpp>

#include "daemon/engine/record/carry_share.h"
#include "tests/simulation/forging.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;

namespace {

constexpr Node filler = 2;
const std::vector<std::string> share_offices = {"hq", "hyesan", "filler", "wonsan", "helper"};

void fill(World& world, Node by, RecordClass record_class, Number first, int count, Node reader) {
    for (int i = 0; i < count; ++i) {
        auto one = write_as(world, by, reader, first + static_cast<Number>(i));
        one.header.log.record_class = record_class;
        world.tell(hq, by, signed_by(world, by, one));
    }
}

IntervalSet held(const World& world, Node author, RecordClass record_class) {
    return world.ledger(hq).log({world.keys(author).index, {1, 7}, record_class}).held;
}

std::uint64_t carried(const World& world) {
    return engine::carried_bytes(world.ledger(hq));
}

}  // namespace

TEST_CASE("who fills the room for carried mail gives way to others", "[simulation]") {
    World world(91, share_offices, {});
    constexpr std::uint64_t limit = 60'000;
    world.set_carry_limit(hq, limit);
    fill(world, filler, RecordClass::urgent, 1, 3, wonsan);
    fill(world, filler, RecordClass::bulk, 1, 400, wonsan);
    CHECK(carried(world) <= limit);
    CHECK(held(world, filler, RecordClass::urgent).count() == 3);
    // Bytes on the disk count: a record of a few bytes takes hundreds.
    const auto before = held(world, filler, RecordClass::bulk).count();
    CHECK(before < 250);
    CHECK(before > 50);
    // A second member does the same. Each has its share, and so has any author that comes later.
    fill(world, 4, RecordClass::bulk, 1, 400, wonsan);
    const auto report = world.queue(hyesan, {wonsan}, RecordClass::bulk, 3'000).value();
    world.connect(hyesan, hq);
    world.run_for(1min);
    CHECK(world.times_happened(hyesan, What::carried, report, hq) == 1);
    CHECK(carried(world) <= limit);
    CHECK(held(world, filler, RecordClass::bulk).count() < before);
    CHECK(held(world, filler, RecordClass::urgent).count() == 3);
    const auto one = held(world, filler, RecordClass::bulk).count();
    const auto other = held(world, 4, RecordClass::bulk).count();
    CHECK(one * 10 > other * 7);
    CHECK(other * 10 > one * 7);
    // More of the same is refused, and pushes nobody out.
    fill(world, filler, RecordClass::bulk, 1000, 50, wonsan);
    CHECK(world.ledger(hq)
              .log({world.keys(hyesan).index, {1, 7}, RecordClass::bulk})
              .held.contains(report.origin.number));
    world.connect(hq, wonsan);
    world.run_for(1min);
    CHECK(world.has_received(wonsan, report));
    world.check_everything();
}

TEST_CASE("an author is told what was let go of its mail, and it comes again", "[simulation]") {
    World world(92, share_offices, {});
    world.set_carry_limit(hq, 100'000);
    std::vector<storage::ReportKey> reports;
    world.connect(hyesan, hq);
    for (int i = 0; i < 20; ++i) {
        reports.push_back(world.queue(hyesan, {wonsan}, RecordClass::normal, 1'500).value());
        world.run_for(1s);
    }
    world.run_for(1min);
    const auto held_at_first = held(world, hyesan, RecordClass::normal).count();
    CHECK(held_at_first == 20);
    fill(world, filler, RecordClass::normal, 1, 300, wonsan);
    world.run_for(1min);
    const auto kept = held(world, hyesan, RecordClass::normal).count();
    CHECK(kept < held_at_first);
    CHECK(kept >= 8);
    std::size_t shown = 0;
    for (const auto& report : reports) {
        shown += world.view(hyesan, report).state == engine::State::carried ? 1 : 0;
    }
    CHECK(shown == kept);
    // When the room is free again all of it arrives.
    world.connect(hq, wonsan);
    world.run_for(30min);
    for (const auto& report : reports) {
        CHECK(world.has_received(wonsan, report));
    }
    world.check_everything();
}

TEST_CASE("a record for no office that there is, is not carried", "[simulation]") {
    World world(93, share_offices, {});
    auto one = write_as(world, filler, wonsan, 1);
    one.header.stanzas[0].recipient = OfficeId{999};
    world.tell(hq, filler, signed_by(world, filler, one));
    CHECK(held(world, filler, RecordClass::normal).empty());
    const auto& refused =
        world.ledger(hq).log({world.keys(filler).index, {1, 7}, RecordClass::normal}).refused;
    CHECK(refused.contains(static_cast<std::uint8_t>(RefusalReason::roster)));
    world.check_everything();
}

TEST_CASE("mail for an office is not put off because of what it carries", "[simulation]") {
    World world(94, share_offices, {});
    fill(world, filler, RecordClass::normal, 1, 300, wonsan);
    REQUIRE(held(world, filler, RecordClass::normal).count() == 300);
    // The disk is as full as it may be, mostly with carried records.
    world.set_disk_limit(hq, world.disk(hq).used_bytes * 16 / 15 + 500);
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, 20'000).value();
    world.connect(hyesan, hq);
    world.run_for(1min);
    CHECK(world.has_received(hq, report));
    CHECK(held(world, filler, RecordClass::normal).count() < 300);
    world.check_everything();
}

TEST_CASE("what is carried is counted about as it lies on the disk", "[simulation]") {
    // Whole in a frame; in a stream and one piece; in a stream and segments.
    const std::size_t size = GENERATE(2'000, 9'000, 25'000, 100'000);
    CAPTURE(size);
    constexpr std::uint64_t count = 10;
    World world(97, share_offices, {});
    world.connect(hyesan, hq);
    world.run_for(1min);
    const auto used_before = world.disk(hq).used_bytes;
    for (std::uint64_t i = 0; i < count; ++i) {
        world.queue(hyesan, {wonsan}, RecordClass::normal, size);
        world.run_for(1min);
    }
    const auto used = world.disk(hq).used_bytes - used_before;
    REQUIRE(used > count * size);
    // A page is not quite full, and a large value begins its own.
    CHECK(carried(world) > used * 9 / 10);
    CHECK(carried(world) < used * 2);
    world.check_everything();
}

TEST_CASE("two that fill the room together leave who had most of it an equal share",
          "[simulation]") {
    World world(95, share_offices, {});
    constexpr std::uint64_t limit = 150'000;
    constexpr Node second = 4;
    world.set_carry_limit(hq, limit);
    std::map<RecordClass, std::vector<storage::ReportKey>> reports;
    const auto write = [&](RecordClass record_class, std::size_t attachment) {
        reports[record_class].push_back(
            world.queue(hyesan, {wonsan}, record_class, attachment).value());
        world.run_for(1s);
    };
    world.connect(hyesan, hq);
    for (int i = 0; i < 4; ++i) {
        write(RecordClass::urgent, 500);
        write(RecordClass::normal, 1'500);
        write(RecordClass::normal, 1'500);
        write(RecordClass::bulk, 9'000);
        write(RecordClass::bulk, 9'000);
    }
    world.run_for(1min);
    const auto held_of = [&](RecordClass record_class) {
        return held(world, hyesan, record_class).count();
    };
    REQUIRE(held_of(RecordClass::bulk) == 8);
    REQUIRE(carried(world) > limit * 7 / 10);
    for (Number number = 1; number <= 400; number += 20) {
        fill(world, filler, RecordClass::urgent, number, 20, wonsan);
        fill(world, second, RecordClass::urgent, number, 20, wonsan);
        CHECK(carried(world) <= limit);
    }
    // The two members mark everything urgent. They push none of hyesan's records out of its third
    // of the room: only hyesan's own bulk goes.
    const auto share_of = [&](Node author) {
        return world.ledger(hq).peer(world.keys(author).index).carried_bytes;
    };
    for (const auto author : {hyesan, filler, second}) {
        CHECK(share_of(author) > limit * 25 / 100);
        CHECK(share_of(author) < limit * 40 / 100);
    }
    CHECK(held_of(RecordClass::urgent) == 4);
    CHECK(held_of(RecordClass::normal) == 8);
    CHECK(held_of(RecordClass::bulk) < 4);
    // hyesan's next record would be the first to give way, so it is not taken. Its author is told
    // so, as for records that gave way.
    const auto late = world.queue(hyesan, {wonsan}, RecordClass::normal, 20'000).value();
    world.run_for(1min);
    CHECK(world.view(hyesan, late).state == engine::State::queued);
    for (const auto& report : reports[RecordClass::urgent]) {
        CHECK(world.view(hyesan, report).state == engine::State::carried);
    }
    // Hundreds of refused records of members that are gone do not hold up the return of other
    // authors' records.
    world.connect(hq, wonsan);
    world.run_for(6h);
    CHECK(world.has_received(wonsan, late));
    for (const auto& [record_class, some] : reports) {
        for (const auto& report : some) {
            CHECK(world.has_received(wonsan, report));
        }
    }
    world.check_everything();
}
