// Goal: a person who watches sees events as they happen, and sync ends when nothing is left to
// exchange, or says which office was not reached.
// Method: two or three daemons and their commands.
#include <catch2/catch.hpp>
#include <csignal>
#include <sstream>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

TEST_CASE("watch tells what happens, a line each, from the place that is asked for",
          "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    const auto log = network.folder() / "watched";
    auto command = hq.command({"watch", "--json", "--after", "0"});
    command.log = log;
    Program watching(command);
    const auto id = hyesan.queue({"--to", "hq"}, "물이 필요하다\n");
    const auto arrival_of = [&]() -> Json {
        for (const auto& event : documents_in(read_file(log))) {
            if (event.at("what") == "received") {
                return event;
            }
        }
        return {};
    };
    REQUIRE(eventually([&] { return !arrival_of().is_null(); }));
    watching.signal(SIGINT);
    CHECK(watching.finish().exit_code == 128 + SIGINT);
    const auto arrived = arrival_of();
    CHECK(arrived.at("id") == id);
    CHECK(arrived.at("office") == "hyesan");
    CHECK(arrived.at("at").is_string());
    const auto all = documents_in(read_file(log));
    for (std::size_t i = 0; i < all.size(); ++i) {
        CHECK(all[i].at("seq") == i + 1);  // nothing left out, nothing twice
    }

    // From there on, without the earlier events.
    auto later = hq.command({"watch", "--json", "--after", std::to_string(all.size())});
    later.log = network.folder() / "later";
    Program watching_later(later);
    const auto next = hyesan.queue({"--to", "hq"}, "다음\n");
    REQUIRE(eventually([&] {
        const auto lines = documents_in(read_file(later.log));
        return !lines.empty() && lines.back().at("id") == next;
    }));
    CHECK(documents_in(read_file(later.log)).front().at("seq") > all.size());
    watching_later.signal(SIGINT);
    watching_later.finish();
}

TEST_CASE("watch says that the daemon is not running", "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    hq.stop();
    CHECK(hq.run({"watch"}).exit_code == 3);
}

TEST_CASE("sync dials now, and ends when both have what the other had", "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    hq.stop();
    for (int i = 0; i < 20; ++i) {
        hyesan.queue({"--to", "hq"}, "report " + std::to_string(i) + "\n");
    }
    const auto unreached = hyesan.run({"sync", "--json"});
    CHECK(unreached.exit_code == 1);
    CHECK(Json::parse(unreached.err).at("error").at("code") == "no_answer");
    hq.start();
    const auto synced = hyesan.ask({"sync"});
    CHECK(synced.at("only_here") == 0);
    CHECK(synced.at("received_records") == 0);
    CHECK(synced.at("offices").at(0).at("reached") == true);
    // No waiting: it is there when sync has ended.
    CHECK(number_in(hq.ask({"status"}), "/inbox/unacknowledged") == 20);
    CHECK(number_in(hyesan.ask({"status"}), "/outbox/delivered") == 20);
    const auto again = hyesan.run({"sync", "hq"});
    CHECK(again.exit_code == 0);
    CHECK(again.out ==
          "hq: nothing left to exchange\n"
          "sent 0, received 0; all that was queued here is held by another office too\n");
}

TEST_CASE("sync refuses offices that it cannot mean", "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    CHECK(hyesan.run({"sync", "nobody"}).exit_code == 4);
    CHECK(hyesan.run({"sync", "hyesan"}).exit_code == 5);
    CHECK(hyesan.run({"sync", "hq", "--timeout", "soon"}).exit_code == 6);
    // hyesan does not listen: nobody can dial it.
    hyesan.stop();
    const auto none = hq.run({"sync", "hyesan"});
    CHECK(none.exit_code == 1);
    CHECK(none.err.find("hyesan") != std::string::npos);
}

TEST_CASE("completion offers what bash can read, and the commands there are", "[end_to_end]") {
    Network network;
    const auto& nobody = network.bare("nobody");
    const auto script = network.folder() / "completion.bash";
    write_file(script, nobody.run({"completion", "bash"}).out +
                           "COMP_WORDS=(fieldpost --json roster con); COMP_CWORD=3; _fieldpost\n"
                           "echo \"${COMPREPLY[*]}\"\n"
                           "COMP_WORDS=(fieldpost queue --at); COMP_CWORD=2; _fieldpost\n"
                           "echo \"${COMPREPLY[*]}\"\n");
    Program bash(Command{.words = {"/bin/bash", script.string()}});
    const auto offered = bash.finish();
    CHECK(offered.exit_code == 0);
    CHECK(offered.out == "confirm\n--attach\n");
    for (const auto* shell : {"zsh", "fish"}) {
        CHECK(nobody.run({"completion", shell}).out.find("acknowledge") != std::string::npos);
    }
    CHECK(nobody.run({"completion", "tcsh"}).exit_code == 2);
}

TEST_CASE("a program is run for each event, in order, over restarts", "[end_to_end]") {
    Network network;
    auto& hq = network.found();
    auto& hyesan = network.add(hq, "hyesan", "field");
    const auto told = network.folder() / "told";
    const auto cursor = network.folder() / "cursor.json";
    const auto program = network.folder() / "alert";
    // It fails each time, and writes much.
    write_file(program, "#!/bin/sh\nhead -c 100000 /dev/zero\nread -r line\necho \"$line\" >> " +
                            told.string() + "\nexit 7\n");
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    const Words words = {"watch", "--cursor", cursor.string(), "--exec", program.string()};
    const auto events = [&] {
        return std::filesystem::exists(told) ? documents_in(read_file(told)) : std::vector<Json>{};
    };
    const auto has = [&](const std::string& id) {
        return std::ranges::any_of(events(), [&](const Json& event) {
            return event["what"] == "received" && event["id"] == id;
        });
    };
    auto command = hq.command(words);
    command.log = network.folder() / "watch.log";
    std::optional<Program> watching(command);
    REQUIRE(eventually([&] { return std::filesystem::exists(cursor); }));
    const auto first = hyesan.queue({"--to", "hq", "--subject", "secret"}, "text");
    REQUIRE(eventually([&] { return has(first); }));
    // The program wrote the event before it exited, and it is named after that.
    CHECK(eventually(
        [&] { return read_file(command.log).find("it exited with 7") != std::string::npos; }));
    // One cursor has one watcher.
    const auto second = hq.run(words);
    CHECK(second.exit_code == 1);
    CHECK(second.err.find("another process") != std::string::npos);
    CHECK(Json::parse(read_file(cursor))["event"] != "");
    watching->signal(SIGKILL);
    watching->finish();

    // Events that happen while nobody watches are told afterwards.
    const auto meanwhile = hyesan.queue({"--to", "hq"}, "text");
    REQUIRE(hyesan.run({"wait", meanwhile, "--for", "delivered", "--timeout", "30s"}).exit_code ==
            0);
    watching.emplace(command);
    REQUIRE(eventually([&] { return has(meanwhile); }));
    watching->signal(SIGKILL);
    watching->finish();
    const auto all = events();
    std::uint64_t last = all.front()["seq"];
    for (std::size_t i = 1; i < all.size(); ++i) {
        const std::uint64_t seq = all[i]["seq"];
        // None is left out. The one that was under way at a kill may come again.
        CHECK((seq == last + 1 || seq == last));
        last = seq;
    }
    CHECK(read_file(told).find("secret") == std::string::npos);

    // The store is put back: other events get the same numbers.
    hq.stop();
    const auto copy = network.folder() / "copy";
    std::filesystem::copy(hq.home(), copy, std::filesystem::copy_options::recursive);
    hq.start();
    const auto lost = hyesan.queue({"--to", "hq"}, "text");
    watching.emplace(command);
    REQUIRE(eventually([&] { return has(lost); }));
    watching->signal(SIGKILL);
    watching->finish();
    hq.stop();
    std::filesystem::remove_all(hq.home());
    std::filesystem::copy(copy, hq.home(), std::filesystem::copy_options::recursive);
    hq.start();
    watching.emplace(command);
    // The program that was under way at the kill may still write its event before the gap.
    REQUIRE(eventually([&] {
        const auto told_now = events();
        const auto gap = std::ranges::find(
            told_now, "gap", [](const Json& event) { return event.value("what", ""); });
        return std::ranges::distance(gap, told_now.end()) > 1 && std::next(gap)->at("seq") == 1;
    }));
    watching->signal(SIGKILL);
    watching->finish();

    CHECK(hq.run({"watch", "--exec", "/nonexistent"}).exit_code == 4);
    CHECK(hq.run({"watch", "--cursor", cursor.string(), "--after", "1"}).exit_code == 2);
    write_file(cursor, "[]");
    CHECK(hq.run(words).exit_code == 6);
    CHECK(read_file(cursor) == "[]");
}
