// Goal: bytes that have arrived are not sent again, however often links go and from whatever
// source.
// Method: named scenarios in virtual time, and the bytes that all offices sent.
#include <catch2/catch.hpp>

#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;

namespace {

// Held by pyongyang and wonsan, and its author is away.
storage::ReportKey held_by_two(World& world, std::size_t attachment) {
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, attachment).value();
    world.connect(hyesan, pyongyang);
    world.connect(hyesan, wonsan);
    world.run_until_idle(1h);
    REQUIRE(world.times_happened(hyesan, What::carried, report, pyongyang) == 1);
    REQUIRE(world.times_happened(hyesan, What::carried, report, wonsan) == 1);
    world.stop(hyesan);
    return report;
}

}  // namespace

TEST_CASE("two that both have what we lack send it once", "[simulation]") {
    constexpr std::size_t size = 2'000'000;
    World world(1, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto report = held_by_two(world, size);
    const auto before = world.bytes_sent();
    world.connect(pyongyang, hq);
    world.connect(wonsan, hq);
    world.run_until_idle(1h);
    CHECK(world.has_received(hq, report));
    CHECK(world.bytes_sent() - before < size * 105 / 100);
    world.check_everything();
}

TEST_CASE("the second half of a body comes from another, and not the first half again",
          "[simulation]") {
    constexpr std::size_t size = 1'000'000;
    const bool is_gone_for_good = GENERATE(true, false);
    CAPTURE(is_gone_for_good);
    World world(2, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto report = held_by_two(world, size);
    const auto before = world.bytes_sent();
    const engine::LinkPolicy slow{.bytes_per_second = 50'000};
    world.connect(pyongyang, hq, slow, slow);
    world.run_for(10s);
    if (!is_gone_for_good) {
        // The other is there all along, told to wait.
        world.connect(wonsan, hq);
        world.run_for(1s);
    }
    REQUIRE_FALSE(world.has_received(hq, report));
    world.stop(pyongyang);
    world.connect(wonsan, hq);
    world.run_until_idle(1h);
    CHECK(world.has_received(hq, report));
    CHECK(world.bytes_sent() - before < size * 105 / 100);
    world.check_everything();
}

TEST_CASE("a body crosses a link that is cut again and again, and machines that die",
          "[simulation]") {
    constexpr std::size_t size = 5'000'000;
    // Bytes on their way when a link goes are lost: here 3 kB of 300.
    World world(3, {"hq", "hyesan"}, {.latency = 10ms});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, size).value();
    const engine::LinkPolicy slow{.bytes_per_second = 300'000};
    for (int contact = 0; !world.has_received(hq, report); ++contact) {
        REQUIRE(contact < 60);
        world.restart(hq);
        world.restart(hyesan);
        world.connect(hyesan, hq, slow, slow);
        world.run_for(1s);
        if (contact % 5 == 4) {
            world.crash(contact % 2 == 0 ? hq : hyesan);
        } else {
            world.cut(hyesan, hq);
        }
    }
    CHECK(world.bytes_sent() < size * 105 / 100);
    world.check_everything();
}

TEST_CASE("what comes together with the end of a link is kept", "[simulation]") {
    constexpr std::size_t size = 1'000'000;
    World world(5, {"hq", "hyesan"}, {.latency = 200ms});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, size).value();
    const engine::LinkPolicy slow{.bytes_per_second = 100'000};
    for (int contact = 0; !world.has_received(hq, report); ++contact) {
        REQUIRE(contact < 20);
        world.connect(hyesan, hq, slow, slow);
        world.run_for(5s);
        world.end(hyesan, hq);  // with 20 kB under way
    }
    CHECK(world.bytes_sent() < size * 105 / 100);
    world.check_everything();
}

TEST_CASE("many bodies of one size come one after the other, over one link", "[simulation]") {
    World world(6, {"hq", "hyesan"}, {});
    std::vector<storage::ReportKey> reports;
    for (int i = 0; i < 30; ++i) {
        reports.push_back(world.queue(hyesan, {hq}, RecordClass::normal, 60'000).value());
    }
    const engine::LinkPolicy slow{.bytes_per_second = 100'000};
    world.connect(hyesan, hq, slow, slow);
    world.run_for(4s);
    // Most of the first ones, and not a little of each.
    CHECK(world.has_received(hq, reports[3]));
    world.run_until_idle(1h);
    CHECK(world.has_received(hq, reports.back()));
    CHECK(world.is_connected(hyesan, hq));
    CHECK_FALSE(world.was_told(hq, What::offender));
    world.check_everything();
}

TEST_CASE("a large report arrives over contacts of twenty seconds at 9.6 kbit/s", "[simulation]") {
    constexpr std::size_t size = std::size_t{32} * 1024;
    World world(4, {"hq", "hyesan"}, {.latency = 300ms});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, size).value();
    const engine::LinkPolicy slow{.bytes_per_second = 1200};
    int contacts = 0;
    for (; !world.has_received(hq, report); ++contacts) {
        REQUIRE(contacts < 20);
        world.connect(hyesan, hq, slow, slow);
        world.run_for(20s);
        world.cut(hyesan, hq);
        world.run_for(10min);
    }
    // At the rate alone it takes 28 s.
    CHECK(contacts <= 3);
    CHECK(world.bytes_sent() < size * 120 / 100);
    world.check_everything();
}

TEST_CASE("a body comes by two buses in turn, twenty seconds each, and nothing of it twice",
          "[simulation]") {
    constexpr std::size_t size = 60'000;
    World world(7, {"hq", "hyesan", "pyongyang", "wonsan"}, {.latency = 300ms});
    const auto report = held_by_two(world, size);
    world.cut(pyongyang, wonsan);
    const auto before = world.bytes_sent();
    const engine::LinkPolicy slow{.bytes_per_second = 1200};
    int contacts = 0;
    for (; !world.has_received(hq, report); ++contacts) {
        REQUIRE(contacts < 12);
        const Node bus = contacts % 2 == 0 ? pyongyang : wonsan;
        world.connect(bus, hq, slow, slow);
        world.run_for(20s);
        world.cut(bus, hq);
        world.run_for(10min);
    }
    // At the rate alone it takes 51 s. A piece is larger than the rest of a contact: one bus brings
    // its beginning and another its end.
    CHECK(contacts <= 5);
    CHECK(world.bytes_sent() - before < size * 120 / 100);
    for (const auto bus : {pyongyang, wonsan}) {
        CHECK(world.offences(hq, bus).empty());
    }
    world.check_everything();
}
