// Goal: a printed ID is a promise that no crash breaks, and nothing arrives twice because of one.
// Method: SIGKILL of real daemons at moments that differ from round to round, while they are busy;
// then count. SIGKILL loses what the daemon held in memory, as a power cut does.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <set>
#include <thread>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

constexpr int rounds = 15;

// The promises: the text behind each printed ID.
using Promised = std::map<std::string, std::string>;

// Checks that each promised ID is there once, with its text. `all` is the answer of list --json.
void check_kept(const Office& at, const Json& all, const Promised& promised) {
    const auto ids = ids_of(all);
    CHECK(std::set(ids.begin(), ids.end()).size() == ids.size());
    for (const auto& [id, text] : promised) {
        CAPTURE(id);
        CHECK(std::ranges::count(ids, id) == 1);
        CHECK(at.run({"show", id, "--raw"}).out == text);
    }
}

// How long staff wait for an ID on this machine, today.
std::chrono::microseconds time_to_queue(const Office& at, Promised& promised) {
    const auto start = std::chrono::steady_clock::now();
    promised.emplace(at.queue({"--to", "hq"}, "the first\n"), "the first\n");
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() -
                                                                 start);
}

// Four at a time, and the daemon is killed while it works on them. Those that printed an ID were
// promised.
void queue_and_kill(Office& at, int round, std::chrono::microseconds delay, Promised& promised) {
    std::vector<std::pair<std::string, std::unique_ptr<Program>>> asking;
    for (int i = 0; i < 4; ++i) {
        const auto text = fmt::format("round {}, report {}: 휠체어 수리 {}건\n", round, i, i);
        asking.emplace_back(text,
                            std::make_unique<Program>(at.command({"queue", "--to", "hq"}, text)));
    }
    std::this_thread::sleep_for(delay);
    at.kill();
    for (const auto& [text, program] : asking) {
        const auto ran = program->finish();
        CAPTURE(round, ran);
        // 0: done. 3: no daemon. 1: the daemon hung up before it was asked. 8: it hung up after
        // that, and nobody knows.
        CHECK(std::set{0, 1, 3, 8}.contains(ran.exit_code));
        CHECK(ran.out.empty() == (ran.exit_code != 0));
        if (ran.exit_code == 0) {
            const auto id = ran.out.substr(0, ran.out.find('\n'));
            CHECK(promised.emplace(id, text).second);  // never an ID that was given before
        }
    }
}

std::uint64_t inbox_size(const Office& at) {
    return number_in(at.ask({"status"}), "/inbox/unacknowledged");
}

std::uint64_t carried(const Office& at) {
    return number_in(at.ask({"status"}), "/carrying/records");
}

// Reports large enough that one visit takes a while.
Promised queue_large(const Office& at, int count) {
    Promised promised;
    for (int i = 0; i < count; ++i) {
        const auto photo = at.home().parent_path() / fmt::format("{}.jpg", i);
        write_file(photo, random_bytes(120'000));
        const auto text = fmt::format("사진 {}\n", i);
        promised.emplace(at.queue({"--to", "hq", "--attach", photo.string()}, text), text);
    }
    return promised;
}

}  // namespace

TEST_CASE("an ID that was printed survives a kill of the daemon, with its text, once",
          "[end_to_end][slow]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    hq.stop();
    Promised promised;
    const auto usual = time_to_queue(hyesan, promised);
    for (int round = 0; round < rounds; ++round) {
        // From too early, when no command has asked yet, to too late for most.
        queue_and_kill(hyesan, round, usual * round * 3 / rounds, promised);
        hyesan.start();
    }
    const auto all = hyesan.ask({"list", "--outbox"});
    check_kept(hyesan, all, promised);
    // A report queued without a promise is there at most once. Every report arrives once.
    CHECK(all.size() <= 1 + rounds * 4);
    hq.start();
    REQUIRE(eventually([&] { return inbox_size(hq) == all.size(); }));
    check_kept(hq, hq.ask({"list", "--inbox"}), promised);
}

TEST_CASE("queue with a key, repeated after a kill, is one report", "[end_to_end][slow]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    hq.stop();
    Promised before;
    const auto usual = time_to_queue(hyesan, before);
    for (int round = 0; round < rounds; ++round) {
        const auto key = fmt::format("week-{}", round);
        const auto text = fmt::format("주간 보고 {}주\n", round);
        const Words words = {"queue", "--to", "hq", "--key", key};
        Program first(hyesan.command(words, text));
        std::this_thread::sleep_for(usual * round * 3 / 2 / rounds);
        hyesan.kill();
        const auto interrupted = first.finish();
        hyesan.start();
        const auto after = hyesan.run(words, text);
        CAPTURE(round, interrupted, after);
        REQUIRE(after.exit_code == 0);
        CHECK((interrupted.exit_code != 0 || interrupted.out == after.out));
        CHECK(hyesan.run(words, text).out == after.out);
        CHECK(hyesan.ask({"list", "--outbox"}).size() ==
              before.size() + static_cast<std::size_t>(round) + 1);
    }
}

TEST_CASE(
    "a relay and a recipient that are killed again and again lose nothing and keep nothing twice",
    "[end_to_end][slow]") {
    Network network;
    auto& hq = network.found();
    auto& pyongyang = network.add(hq, "pyongyang", "relay");
    auto& hyesan = network.add(hq, "hyesan", "field");
    REQUIRE(eventually([&] { return knows_as_active(pyongyang, "hyesan"); }));
    hq.stop();
    pyongyang.stop();
    const auto promised = queue_large(hyesan, 40);

    for (std::uint64_t wanted : {1U, 8U, 20U}) {
        pyongyang.start();
        REQUIRE(eventually([&] { return carried(pyongyang) >= wanted; }));
        pyongyang.kill();
    }
    pyongyang.start();
    REQUIRE(eventually([&] { return number_in(hyesan.ask({"status"}), "/outbox/carried") == 40; }));
    hyesan.stop();

    for (std::uint64_t wanted : {1U, 8U, 20U}) {
        hq.start();
        REQUIRE(eventually([&] { return inbox_size(hq) >= wanted; }));
        wanted == 8 ? pyongyang.kill() : hq.kill();
        if (!pyongyang.is_up()) {
            hq.stop();
            pyongyang.start();
        }
    }
    hq.start();
    REQUIRE(eventually([&] { return inbox_size(hq) == 40; }));
    const auto received = hq.ask({"list", "--inbox"});
    CHECK(received.size() == 40);
    check_kept(hq, received, promised);

    // The author hears of the delivery although the first receipt may have died with a daemon.
    REQUIRE(eventually([&] { return carried(pyongyang) == 0; }));
    hq.stop();
    hyesan.start();
    REQUIRE(
        eventually([&] { return number_in(hyesan.ask({"status"}), "/outbox/delivered") == 40; }));
}
