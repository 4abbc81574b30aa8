// Goal: where large packets vanish silently, reports get through all the same, the urgent first.
// Method: two network namespaces and a link between them that begins to lose every packet of more
// than 700 bytes.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/end_to_end/offices.h"
#include "tests/support/slow_link.h"

using namespace fieldpost;
using namespace fieldpost::end_to_end;
using namespace std::chrono_literals;
using tests::SlowLink;

TEST_CASE("where large packets vanish urgent gets through, and then all", "[end_to_end][link]") {
    std::string why;
    if (!SlowLink::can_be_made(why)) {
        WARN("skipped: " << why);
        return;
    }
    SlowLink link({.bits_per_second = 10'000'000, .delay = 10ms, .loss = 0});
    Network network;
    auto& hq = network.bare("hq");
    auto& hyesan = network.bare("hyesan");
    hq.live_behind(link.at(SlowLink::End::far));
    hyesan.live_behind(link.at(SlowLink::End::near));
    hq.ask({"init", "hq", "--network", "reha", "--listen", "tcp://*:6743", "--advertise",
            fmt::format("tcp://{}:6743", SlowLink::address(SlowLink::End::far))});
    hq.start();
    const auto file = network.folder() / "hyesan.invite";
    hq.ask({"invite", "hyesan", "--no-code", "--output", file.string()});
    hyesan.ask({"join", file.string()});
    hyesan.start();
    REQUIRE(eventually([&] { return knows_as_active(hyesan, "hyesan"); }));
    REQUIRE(eventually([&] { return is_linked(hyesan); }));

    link.set_packet_max(700);
    const auto photo = network.folder() / "photo.jpg";
    write_file(photo, random_bytes(200'000));
    // The report goes from the end that dials. From the other end it takes over two minutes,
    // because the dialler learns only by its beat that the link is gone: FIELDPOST_FROM_HQ=1 tries
    // that.
    auto& from = std::getenv("FIELDPOST_FROM_HQ") == nullptr ? hyesan : hq;
    const auto* to = &from == &hyesan ? "hq" : "hyesan";
    const auto large = from.queue({"--to", to, "--attach", photo.string()}, "photo\n");
    const auto urgent = from.queue({"--to", to, "--priority", "urgent"}, "urgent\n");
    const auto has_come = [&](const std::string& id) {
        const auto wait = [&] {
            return from.run({"wait", id, "--for", "delivered", "--timeout", "100s"}).exit_code;
        };
        return wait() == 0 || wait() == 0 || wait() == 0;
    };
    INFO(hyesan.log() << hq.log());
    CHECK(has_come(urgent));
    CHECK(has_come(large));
    CHECK(hyesan.ask({"peers"}).at(0).at("small_segments") == true);
    CHECK(hyesan.run({"peers"}).out.find("small packets only") != std::string::npos);
}
