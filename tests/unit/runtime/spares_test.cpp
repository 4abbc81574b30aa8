// Goal: an office whose link died is asked often only where it has proved who it is.
// Method: a spare, and addresses that a member may have told of that office.
#include "daemon/runtime/spares.h"

#include <catch2/catch.hpp>

using namespace fieldpost;
using namespace fieldpost::runtime;
using namespace std::chrono_literals;

TEST_CASE("only the address of a spare that is ready is asked often, and for a short time",
          "[spares]") {
    constexpr OfficeId hq{0};
    constexpr OfficeId camp{1};
    const std::string proved = "tcp://192.0.2.1:6743";
    const std::string told = "tcp://192.0.2.99:80";
    const Instant died{100s};
    Spares spares;
    spares.put(hq, {link::ConnectionId{7}, proved, false});
    spares.died(hq, died);
    CHECK_FALSE(spares.is_asked_often(hq, proved, died));
    spares.set_ready(hq, true);
    CHECK(spares.is_asked_often(hq, proved, died + 45s));
    CHECK_FALSE(spares.is_asked_often(hq, proved, died + 46s));
    CHECK_FALSE(spares.is_asked_often(hq, told, died));
    CHECK_FALSE(spares.is_asked_often(camp, proved, died));
}
