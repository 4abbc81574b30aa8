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

TEST_CASE("a new machine takes the place of another one by stick alone",
          "[end_to_end][revocation]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    const auto path = [&](const std::string& name) { return (network.folder() / name).string(); };
    CHECK(hyesan.deliver({"--to", "hq"}, "of the old machine") == "hyesan-1");
    hyesan.stop();
    const auto under_way = hq.queue({"--to", "hyesan"}, "under way");
    REQUIRE(hq.run({"invite", "hyesan", "--replace", "--no-code", "--output", path("invite")})
                .exit_code == 0);
    REQUIRE(hq.run({"bundle", "export", path("early.fpb")}).exit_code == 0);
    hq.stop();

    auto& machine = network.bare("hyesan2");
    REQUIRE(machine.run({"join", path("invite")}).exit_code == 0);
    machine.start();
    // Headquarters has given it no key yet.
    const auto early = machine.run({"bundle", "import", path("early.fpb")});
    CHECK(early.exit_code == 9);
    const auto words = early.out + early.err;
    CHECK_THAT(words, Catch::Contains("newer key"));
    CHECK_THAT(words, !Catch::Contains("damaged"));
    REQUIRE(machine.run({"bundle", "export", path("enrolment.fpb")}).exit_code == 0);
    machine.stop();
    hq.start();
    REQUIRE(hq.run({"bundle", "import", path("enrolment.fpb")}).exit_code == 0);
    REQUIRE(eventually([&] { return knows_as_active(hq, "hyesan"); }));
    hq.stop();  // it gives keys at its start at once, later once a minute
    hq.start();
    REQUIRE(hq.run({"bundle", "export", path("keys.fpb")}).exit_code == 0);
    hq.stop();

    // Now it says under which of its keys it can be written to.
    machine.start();
    REQUIRE(machine.run({"bundle", "import", path("keys.fpb")}).exit_code == 0);
    REQUIRE(machine.run({"bundle", "export", path("statement.fpb")}).exit_code == 0);
    machine.stop();
    hq.start();
    REQUIRE(hq.run({"bundle", "import", path("statement.fpb")}).exit_code == 0);
    REQUIRE(hq.run({"bundle", "export", path("reports.fpb")}).exit_code == 0);
    hq.stop();

    machine.start();
    REQUIRE(machine.run({"bundle", "import", path("reports.fpb")}).exit_code == 0);
    CHECK(machine.ask({"show", under_way})["text"] == "under way");
    REQUIRE(machine.run({"ack", under_way}).exit_code == 0);
    CHECK(machine.queue({"--to", "hq"}, "of the new machine") == "hyesan.2-1");
    REQUIRE(machine.run({"bundle", "export", path("back.fpb")}).exit_code == 0);
    machine.stop();
    hq.start();
    REQUIRE(hq.run({"bundle", "import", path("back.fpb")}).exit_code == 0);
    CHECK(hq.ask({"show", under_way})["recipient_states"]["hyesan"] == "acknowledged");
    CHECK(hq.ask({"show", "hyesan.2-1"})["text"] == "of the new machine");
    // To the old machine all of it is noise.
    hyesan.start();
    CHECK(hyesan.run({"bundle", "inspect", path("reports.fpb")}).exit_code == 6);
}
