// How long a daemon with a full store takes to start, and how much memory it needs then.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "tests/bench/control_client.h"
#include "tests/bench/engine_office.h"
#include "tests/bench/table.h"
#include "tests/end_to_end/offices.h"

namespace fieldpost::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t records = 100'000;
constexpr std::uint32_t records_a_commit = 200;
constexpr int starts = 5;

struct Started {
    double milliseconds = 0;  // the median, from fork to an answer
    double cpu_milliseconds = 0;
    double peers_milliseconds = 0;
    Memory memory;
};

Started start_and_stop(const end_to_end::Office& office) {
    std::vector<Seconds> times;
    Started started;
    for (int i = 0; i < starts; ++i) {
        const ControlClient client(office.home());
        const Stopwatch watch;
        end_to_end::Program daemon({.words = {FIELDPOSTD_BIN, "--home", office.home().string()},
                                    .log = office.home() / "benchmark.log"});
        while (!client.answers()) {
            REQUIRE(daemon.is_running());
            REQUIRE(watch.passed() < 60s);
            std::this_thread::sleep_for(200us);
        }
        times.push_back(watch.passed());
        started.cpu_milliseconds += cpu_of(daemon.pid()).count() * 1000 / starts;
        const Stopwatch asked;
        REQUIRE(client.peers());
        started.peers_milliseconds += asked.passed().count() * 1000 / starts;
        std::this_thread::sleep_for(300ms);
        started.memory = resident_beyond(daemon.pid(), "/data.mdb");
        daemon.signal(SIGTERM);
        REQUIRE(daemon.finish().exit_code == 0);
    }
    std::ranges::sort(times);
    started.milliseconds = times[starts / 2].count() * 1000;
    return started;
}

std::string words_of(const Started& started) {
    return fmt::format("{:.0f} ms ({:.0f} ms of CPU), {:.1f} MB{}", started.milliseconds,
                       started.cpu_milliseconds, static_cast<double>(started.memory.bytes) / 1e6,
                       started.memory.is_anonymous_only ? " anonymous" : "");
}

}  // namespace

TEST_CASE("start") {
    end_to_end::Network network;
    auto& hq = network.found();
    auto& camp = network.add(hq, "camp", "field");
    auto& village = network.add(hq, "village", "field");
    auto& relay = network.add(hq, "relay", "relay");
    REQUIRE(end_to_end::eventually([&] { return end_to_end::knows_as_active(relay, "camp"); }));
    for (auto* office : {&hq, &camp, &village, &relay}) {
        office->stop();
    }
    const auto empty = start_and_stop(relay);
    {
        EngineOffice author{home::OfficeHome(hq.home())};
        EngineOffice carrier{home::OfficeHome(relay.home())};
        // To two offices in turn, or the reports would be packed.
        const std::vector to = {author.ledger().roster().find("camp")->index,
                                author.ledger().roster().find("village")->index};
        // The words do not matter for a start. Short texts are sealed sooner.
        std::vector<std::string> texts;
        for (std::uint32_t i = 0; i < records_a_commit; ++i) {
            texts.push_back(fmt::format("well {} gives {} litres an hour", i, 40 + i % 90));
        }
        for (std::uint32_t i = 0; i < records; i += records_a_commit) {
            author.queue(to, texts);
        }
        exchange(author, carrier);
        REQUIRE(carrier.ledger().meta().carried_records == records);
        author.stop();
        carrier.stop();
    }
    const auto carrying = start_and_stop(relay);
    const auto writing = start_and_stop(hq);
    CHECK(end_to_end::read_file(relay.home() / "benchmark.log").find("error") == std::string::npos);

    add_row(fmt::format("daemon carrying {} records: start to the first answer; RSS beyond the map",
                        records),
            words_of(carrying), "≤ 100 ms, ≤ 16 MB");
    add_row(fmt::format("daemon with {} own records, none delivered", records), words_of(writing),
            "≤ 100 ms, ≤ 16 MB");
    add_row("daemon with an empty store", words_of(empty));
    add_row(fmt::format("`peers` with {} carried", records),
            fmt::format("{:.0f} ms", carrying.peers_milliseconds));
}

}  // namespace fieldpost::bench
