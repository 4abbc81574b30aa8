#include "daemon/engine/session/pace.h"

#include <catch2/catch.hpp>

using namespace fieldpost;
using namespace fieldpost::engine;
using namespace std::chrono_literals;

namespace {

// Bytes on the wire for a frame of 1,406 bytes: one whole segment and its headers.
constexpr std::size_t frame = 1406;
constexpr std::uint64_t on_the_wire = 1500;

// Always has something to send, from `at` on, for ten seconds.
std::uint64_t sent_in_ten_seconds(Pace& pace, Instant at) {
    std::uint64_t sent = 0;
    for (const auto end = at + 10s; at < end; at = pace.free_at().value_or(at)) {
        pace.let_pass(at);
        while (pace.is_free()) {
            pace.spend_frame(frame);
            sent += on_the_wire;
        }
    }
    return sent;
}

}  // namespace

TEST_CASE("a pace holds within 5 % over ten seconds, after a pause as well", "[pace]") {
    constexpr std::uint64_t rate = 8000;
    Pace pace(rate);
    Instant at{};
    for (const auto pause : {0s, 3600s, 1s}) {
        at = at + pause;
        const auto sent = sent_in_ten_seconds(pace, at);
        CHECK(sent <= rate * 10 * 105 / 100);
        CHECK(sent >= rate * 10 * 95 / 100);
        at = at + 10s;
    }
}

TEST_CASE("what is sent all the same is paid for by what follows", "[pace]") {
    Pace pace(1000);
    pace.let_pass(Instant{1s});
    pace.spend_frame(frame);
    pace.spend_frame(frame);
    CHECK_FALSE(pace.is_free());
    // 3,000 bytes, less the 250 that were saved.
    CHECK(pace.free_at() == Instant{1s + 2750ms});
    pace.let_pass(Instant{1s + 2749ms});
    CHECK_FALSE(pace.is_free());
    pace.let_pass(Instant{1s + 2750ms});
    CHECK(pace.is_free());
}

TEST_CASE("a clock that stands still or goes back earns nothing and breaks nothing", "[pace]") {
    Pace pace(1000);
    pace.let_pass(Instant{5s});
    pace.spend_frame(frame);
    pace.let_pass(Instant{5s});
    CHECK_FALSE(pace.is_free());
    pace.let_pass(Instant{1s});
    CHECK_FALSE(pace.is_free());
    pace.let_pass(Instant{3s});
    CHECK(pace.is_free());
}

TEST_CASE("frames are small on a slow link, and without a rate nothing is held back", "[pace]") {
    CHECK(Pace(1200).frame_max() == 256);
    CHECK(Pace(8000).frame_max() == 1360);
    CHECK(Pace(1'000'000).frame_max() > 50'000);
    Pace none(0);
    none.let_pass(Instant{1s});
    none.spend_frame(1'000'000);
    CHECK(none.is_free());
    CHECK_FALSE(none.free_at());
    CHECK(none.frame_max() > 1'000'000);
}
