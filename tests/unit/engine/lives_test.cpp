// Goal: two machines that use one office's keys are not confused with one machine that starts again
// and again.
// Method: the lives that HELLO would bring, on a made-up clock.
#include "daemon/engine/membership/lives.h"

#include <catch2/catch.hpp>

using namespace fieldpost;
using namespace std::chrono_literals;

namespace {

constexpr OfficeId camp{3};

Instant at(std::chrono::milliseconds time) {
    return Instant{time};
}

}  // namespace

TEST_CASE("a daemon that starts again and again is one machine", "[engine]") {
    engine::Lives lives;
    for (std::uint32_t life = 1; life < 100; ++life) {
        CHECK_FALSE(lives.came(camp, life, at(life * 1s)));
        CHECK_FALSE(lives.came(camp, life, at(life * 1s)));  // its link came up again
    }
    CHECK_FALSE(lives.is_doubled(camp, at(100s)));
}

TEST_CASE("whoever does not say its life is never taken for two", "[engine]") {
    engine::Lives lives;
    for (const std::uint32_t life : {7U, 0U, 7U, 0U, 7U}) {
        CHECK_FALSE(lives.came(camp, life, at(1s)));
    }
}

TEST_CASE("a life that comes back after another is of a second machine, told once an hour",
          "[engine]") {
    engine::Lives lives;
    CHECK_FALSE(lives.came(camp, 7, at(1s)));
    CHECK_FALSE(lives.came(camp, 8, at(2s)));
    CHECK(lives.came(camp, 7, at(3s)));
    CHECK(lives.is_doubled(camp, at(4s)));
    CHECK_FALSE(lives.is_doubled(OfficeId{4}, at(4s)));
    CHECK_FALSE(lives.came(camp, 8, at(5s)));
    CHECK(lives.came(camp, 7, at(1h + 4s)));
    CHECK(lives.is_doubled(camp, at(2h + 3s)));
    CHECK_FALSE(lives.is_doubled(camp, at(2h + 4s)));
}

TEST_CASE("a peer that says we are doubled is believed once an hour", "[engine]") {
    engine::Lives lives;
    CHECK(lives.told_by(camp, at(1s)));
    CHECK_FALSE(lives.told_by(camp, at(2s)));
    CHECK(lives.told_by(OfficeId{4}, at(2s)));
    CHECK(lives.told_by(camp, at(1h + 1s)));
}
