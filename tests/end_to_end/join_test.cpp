// Goal: an office that may come in gets in, even if the roster that it meets is old.
// Method: a relay that was away while an office was invited, or admitted, meets that office first.
#include <catch2/catch.hpp>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

std::uint64_t carried_by_others(const Office& office) {
    return number_in(office.ask({"status"}), "/outbox/carried");
}

}  // namespace

TEST_CASE("a relay that was away lets in whom hq has invited or admitted since", "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    auto& pyongyang = network.add(hq, "pyongyang", "relay");
    pyongyang.stop();
    auto& camp = network.invite(hq, "camp", "field");
    bool is_member_already = false;
    SECTION("admitted") {
        is_member_already = true;
        camp.start();
        REQUIRE(eventually([&] { return knows_as_active(camp, "camp"); }));
        camp.stop();
    }
    SECTION("invited") {}
    hq.stop();

    pyongyang.start();
    camp.start();
    const auto id = camp.queue({"--to", "hq"}, "here we are\n");
    INFO(camp.log() << "\n\n" << pyongyang.log());
    if (is_member_already) {
        REQUIRE(eventually([&] { return carried_by_others(camp) == 1; }));
        CHECK(knows_as_active(pyongyang, "camp"));
    }
    REQUIRE(eventually([&] { return number_in(camp.ask({"status"}), "/peers/connected") == 1; }));
    hq.start();
    REQUIRE(eventually([&] { return camp.ask({"show", id}).at("state") == "delivered"; }));
    CHECK(knows_as_active(pyongyang, "camp"));
}
