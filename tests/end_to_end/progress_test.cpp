// Goal: everything that a person is told of a report stays true over renewals, restarts and
// releases.
// Method: two real offices whose statements are renewed; and the home that a daemon of schema 1
// left, with reports in every state, taken over by this release. tests/fixtures/README.md says how
// that home was made.
#include <csignal>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;
using fieldpost::tests::TemporaryFolder;

TEST_CASE("three delivered reports stay delivered when an address changes", "[progress]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    for (int i = 0; i < 3; ++i) {
        hyesan.queue({"--to", "hq"}, "주간 보고");
    }
    const Words all = {"hyesan-1", "hyesan-2", "hyesan-3"};
    const auto wait_for_all = [&] {
        Words words = {"wait"};
        words.insert(words.end(), all.begin(), all.end());
        words.insert(words.end(), {"--for", "delivered", "--timeout", "20s"});
        return hyesan.run(words);
    };
    REQUIRE(wait_for_all().exit_code == 0);
    const auto before = hyesan.ask({"list", "--outbox"});
    std::ofstream(hyesan.home() / "fieldpost.toml", std::ios::app)
        << "advertise = [\"tcp://10.9.8.7:6743\"]\n";
    REQUIRE(::kill(hyesan.daemon_pid(), SIGHUP) == 0);
    const auto next = hyesan.queue({"--to", "hq"}, "다음 보고");
    REQUIRE(hyesan.run({"wait", next, "--for", "delivered", "--timeout", "20s"}).exit_code == 0);
    CHECK(wait_for_all().exit_code == 0);
    for (const auto& id : all) {
        const auto entry = entry_of(hyesan.ask({"list", "--outbox"}), id);
        CHECK(entry["state"] == "delivered");
        CHECK(entry == entry_of(before, id));
    }
    // Nor does a restart change a word of it.
    hyesan.stop();
    hyesan.start();
    CHECK(entry_of(hyesan.ask({"list", "--outbox"}), "hyesan-1") == entry_of(before, "hyesan-1"));
}

TEST_CASE("an office whose old release showed delivered reports as expired heals at its next start",
          "[progress]") {
    TemporaryFolder folder;
    const auto unpacked =
        run({.words = {"/bin/tar", "-xzf",
                       FIELDPOST_SOURCE_DIR "/tests/fixtures/home_of_schema_1.tar.gz", "-C",
                       folder.path().string(), "--no-same-owner"}});
    REQUIRE(unpacked.exit_code == 0);
    std::filesystem::rename(folder.path() / "home", folder.path() / "hyesan");
    Office hyesan(folder.path(), "hyesan");
    for (const bool is_first_start : {true, false}) {
        CAPTURE(is_first_start);
        hyesan.start();
        const auto list = hyesan.ask({"list", "--outbox"});
        CHECK(list.size() == 9);
        // The old release said "expired" of these four.
        for (const auto* id : {"hyesan-1", "hyesan-2", "hyesan-3", "hyesan-4"}) {
            CHECK(entry_of(list, id)["state"] == "delivered");
        }
        CHECK(entry_of(list, "hyesan-7")["state"] == "expired");  // and it is true of this report
        CHECK(entry_of(list, "hyesan-u1")["state"] == "acknowledged");
        CHECK(entry_of(list, "hyesan-5")["state"] == "delivered");
        CHECK(entry_of(list, "hyesan-6")["state"] == "carried");
        CHECK(entry_of(list, "hyesan-8")["state"] == "queued");
        const auto traced = hyesan.ask({"trace", "hyesan-4"})["recipients"];
        REQUIRE(traced.size() == 2);
        // As the old release noted it when the receipts came.
        CHECK(traced[0]["state"] == "delivered");
        CHECK(traced[0]["delivered_at"] == "2026-11-28T17:44:43Z");
        CHECK(traced[1]["state"] == "delivered");
        CHECK(traced[1]["delivered_at"] == "2026-11-28T17:44:42Z");
        const auto answered = hyesan.ask({"trace", "hyesan-u1"})["recipients"][0];
        CHECK(answered["outcome"] == "correct");
        CHECK(answered["note"] == "다시 쓰세요");
        CHECK(number_in(hyesan.ask({"status"}), "/outbox/delivered") == 5);
        hyesan.stop();
    }
}
