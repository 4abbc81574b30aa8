// Goal: a link is used as far as its policy allows, and no further; a report that waits for another
// time is not lost.
// Method: named scenarios, in virtual time.
#include <catch2/catch.hpp>

#include <deque>
#include <numeric>

#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::LinkPolicy;
using engine::What;

namespace {

constexpr std::uint64_t rate = 4000;
constexpr std::size_t attachment = 200'000;

// At most this many bytes went both ways in any ten seconds until the report was there.
std::uint64_t most_in_ten_seconds(World& world, Node at, const storage::ReportKey& report) {
    std::deque<std::uint64_t> seconds;
    std::uint64_t most = 0;
    while (!world.has_received(at, report)) {
        const auto before = world.bytes_sent();
        world.run_for(1s);
        seconds.push_back(world.bytes_sent() - before);
        if (seconds.size() > 10) {
            seconds.pop_front();
            most = std::max(most, std::accumulate(seconds.begin(), seconds.end(), 0UL));
        }
        REQUIRE(world.time() < 10min);
    }
    return most;
}

}  // namespace

TEST_CASE("either end can hold a link to a rate, both ways", "[simulation]") {
    const bool is_sender = GENERATE(true, false);
    CAPTURE(is_sender);
    World world(1, {"hq", "hyesan"}, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, attachment).value();
    const LinkPolicy limited{.bytes_per_second = rate};
    world.connect(hyesan, hq, is_sender ? limited : LinkPolicy{},
                  is_sender ? LinkPolicy{} : limited);
    const auto most = most_in_ten_seconds(world, hq, report);
    // Acknowledgements of the other way are in it, headers are not.
    CHECK(most <= rate * 10 * 105 / 100);
    CHECK(most >= rate * 10 * 80 / 100);
    world.check_everything();
}

TEST_CASE("what is urgent goes first under a rate too", "[simulation]") {
    const bool is_sender = GENERATE(true, false);
    CAPTURE(is_sender);
    World world(2, {"hq", "hyesan"}, {});
    const auto large = world.queue(hyesan, {hq}, RecordClass::normal, attachment).value();
    const LinkPolicy limited{.bytes_per_second = rate};
    world.connect(hyesan, hq, is_sender ? limited : LinkPolicy{},
                  is_sender ? LinkPolicy{} : limited);
    world.run_for(20s);
    const auto urgent = world.queue(hyesan, {hq}, RecordClass::urgent).value();
    world.run_for(1s);
    CHECK(world.has_received(hq, urgent));
    CHECK_FALSE(world.has_received(hq, large));
}

TEST_CASE("what people wrote goes before the photographs that were queued before it",
          "[simulation]") {
    World world(5, {"hq", "hyesan"}, {});
    const auto large = world.queue(hyesan, {hq}, RecordClass::normal, attachment).value();
    const auto larger = world.queue(hyesan, {hq}, RecordClass::normal, 2 * attachment).value();
    world.connect(hyesan, hq, {.bytes_per_second = rate});
    world.run_for(10s);
    // As large as a pack of texts, and too large for one frame of such a link.
    std::vector<storage::ReportKey> texts;
    for (int i = 0; i < 8; ++i) {
        texts.push_back(world.queue(hyesan, {hq}, RecordClass::normal, 3000).value());
    }
    world.run_for(10s);
    CHECK_FALSE(world.has_received(hq, large));
    for (const auto& text : texts) {
        CHECK(world.has_received(hq, text));
    }
    world.run_for(60s);
    CHECK(world.has_received(hq, large));
    CHECK_FALSE(world.has_received(hq, larger));
}

TEST_CASE("outside its window a link carries what is urgent, and tells that it came",
          "[simulation]") {
    const bool at_author = GENERATE(true, false);
    CAPTURE(at_author);
    World world(3, {"hq", "hyesan"}, {});
    const auto urgent = world.queue(hyesan, {hq}, RecordClass::urgent).value();
    const auto normal = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto large = world.queue(hyesan, {hq}, RecordClass::bulk, attachment).value();
    const LinkPolicy closed{.only_urgent = true};
    world.connect(hyesan, hq, at_author ? closed : LinkPolicy{}, at_author ? LinkPolicy{} : closed);
    world.run_until_idle(1h);
    CHECK(world.times_happened(hyesan, What::delivered, urgent, hq) == 1);
    CHECK_FALSE(world.has_received(hq, normal));
    CHECK_FALSE(world.has_received(hq, large));
    const auto later = world.queue(hyesan, {hq}, RecordClass::urgent).value();
    world.run_until_idle(1h);
    CHECK(world.has_received(hq, later));
    CHECK(world.bytes_sent() < attachment / 10);

    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    CHECK(world.times_happened(hyesan, What::delivered, normal, hq) == 1);
    CHECK(world.times_happened(hyesan, What::delivered, large, hq) == 1);
    world.check_everything();
}

TEST_CASE("a limited link carries for its two ends, and for others when told to", "[simulation]") {
    World world(4, {"hq", "hyesan", "pyongyang"}, {});
    const LinkPolicy limited{.carries = false};
    const auto for_hq = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto for_both = world.queue(hq, {hyesan, pyongyang}, RecordClass::normal).value();
    // Over this link pyongyang neither takes records for others nor gives the records that it
    // carries.
    world.connect(hyesan, pyongyang, {}, limited);
    world.run_until_idle(1h);
    CHECK(world.times_happened(hyesan, What::carried, for_hq, pyongyang) == 0);
    world.connect(hq, pyongyang);
    world.run_until_idle(1h);
    CHECK(world.has_received(pyongyang, for_both));
    CHECK(world.has_received(hyesan, for_both));
    world.cut(hq, pyongyang);
    const auto from_pyongyang = world.queue(pyongyang, {hq}, RecordClass::normal).value();
    world.run_until_idle(1h);
    // Its own reports may travel on with any office that takes them.
    CHECK(world.times_happened(pyongyang, What::carried, from_pyongyang, hyesan) == 1);

    world.connect(hyesan, pyongyang);
    world.connect(hq, pyongyang);
    world.run_until_idle(1h);
    CHECK(world.times_happened(hyesan, What::delivered, for_hq, hq) == 1);
    world.check_everything();
}
