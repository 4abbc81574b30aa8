// Goal: two offices in one network find each other though nobody has told either where the other
// is, and who has switched that off is not found. Method: network namespaces with a cable between
// them.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "tests/end_to_end/two_sites.h"

using namespace fieldpost::end_to_end;
using Site = TwoSites::Site;

TEST_CASE("offices of one network find each other with nothing configured",
          "[end_to_end][link][slow]") {
    std::string why;
    if (!TwoSites::can_be_made(why)) {
        WARN("not tested: " << why);
        return;
    }
    const TwoSites sites;
    Network network;
    auto& hq = network.bare("hq");
    auto& hyesan = network.bare("hyesan");
    hq.live_behind(sites.at(Site::hq));
    hyesan.live_behind(sites.at(Site::field));
    hq.be_findable();
    hyesan.be_findable();
    hq.ask({"init", "hq", "--network", "reha"});
    hq.start();
    const auto file = network.folder() / "hyesan.invite";
    hq.ask({"invite", "hyesan", "--no-code", "--output", file.string()});
    hyesan.ask({"join", file.string()});
    hyesan.start();
    const auto first = hyesan.queue({"--to", "hq"}, "before there was any cable\n");
    const auto arrives = [&](const std::string& id) {
        INFO("hyesan:\n" << hyesan.log() << "\nhq:\n" << hq.log());
        CHECK(eventually([&] { return hyesan.ask({"trace", id}).at("state") == "delivered"; }));
    };

    sites.join(false);
    arrives(first);
    // Who dialled knows the address; of two links the one that hq dialled is kept.
    const auto addresses = hyesan.ask({"peers"}).dump() + hq.ask({"peers"}).dump();
    CHECK(addresses.find("tcp://[fe80::") != std::string::npos);
    sites.part();
    REQUIRE(eventually([&] { return !is_linked(hyesan) && !is_linked(hq); }));

    sites.join(true);
    arrives(hyesan.queue({"--to", "hq"}, "over another cable\n"));
    sites.part();
    REQUIRE(eventually([&] { return !is_linked(hyesan) && !is_linked(hq); }));

    // Who calls no more is forgotten with the daemon that heard it.
    hyesan.stop();
    write_file(hq.home() / "fieldpost.toml", "beacon = false\n");
    hq.stop();
    hq.start();
    hyesan.start();
    sites.join(true);
    const auto unheard = hyesan.queue({"--to", "hq"}, "nobody calls\n");
    std::this_thread::sleep_for(std::chrono::seconds(4));
    CHECK(hyesan.ask({"trace", unheard}).at("state") == "queued");
    write_file(hq.home() / "fieldpost.toml", "beacon = true\n");
    ::kill(hq.daemon_pid(), SIGHUP);
    arrives(unheard);
}
