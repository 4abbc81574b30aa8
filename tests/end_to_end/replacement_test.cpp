// Goal: an office goes on, on a new machine, whenever the authority's machine dies meanwhile.
// Method: real offices; daemons that are killed. What the new machine gets: revocation_test.cpp.
#include <catch2/catch.hpp>
#include <thread>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

// The states of all machines that have or had this name.
std::multiset<std::string> machines_of(const Office& at, const std::string& name) {
    std::multiset<std::string> states;
    const auto roster = at.ask({"roster"});
    for (const auto& office : roster["offices"]) {
        if (office["name"] == name) {
            states.insert(office["state"].get<std::string>());
        }
    }
    return states;
}

}  // namespace

TEST_CASE("an authority that dies while it replaces a machine has done it whole or not at all",
          "[end_to_end][revocation]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    hyesan.stop();
    for (int moment = 0; moment < 10; ++moment) {
        const auto file = (network.folder() / (std::to_string(moment) + ".invite")).string();
        std::thread inviting(
            [&] { hq.run({"invite", "hyesan", "--replace", "--no-code", "--output", file}); });
        std::this_thread::sleep_for(std::chrono::milliseconds{7 * moment});
        hq.kill();
        inviting.join();
        hq.start();
        auto states = machines_of(hq, "hyesan");
        // The old machine is cut off exactly if a new one is invited.
        CHECK(states.count("active") + states.count("invited") == 1);
        CHECK(states.count("revoked") == states.count("invited"));
    }
    // The same command once more makes an invitation that counts.
    auto& machine = network.replace(hq, "hyesan");
    CHECK(machine.deliver({"--to", "hq"}, "x") == "hyesan.2-1");
    CHECK(machines_of(hq, "hyesan").count("revoked") == 1);
}
