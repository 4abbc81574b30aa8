// Goal: a link is used as the configuration says, from the moment it is read again; a report that
// had to wait goes when it may.
// Method: daemons whose file is changed under them, with SIGHUP.
#include <fmt/chrono.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <ctime>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

// A window from `from` hours after now until `to` hours after now, as people here read the clock.
std::string window(int from, int to) {
    const auto at = [](int hours) {
        const auto then = std::time(nullptr) + hours * 3600;
        std::tm local{};
        ::localtime_r(&then, &local);
        return fmt::format("{:%H:%M}", local);
    };
    return fmt::format("window = \"{}-{}\"\n", at(from), at(to));
}

struct LinkedOffices {
    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");

    LinkedOffices() {
        REQUIRE(eventually([&] { return is_linked(); }));
    }
    // Sets the lines about hq in hyesan's file, from now on.
    void say(const std::string& lines) {
        write_file(hyesan.home() / "fieldpost.toml",
                   fmt::format("[[peer]]\naddress = \"{}\"\n{}", hq.endpoint(), lines));
        ::kill(hyesan.daemon_pid(), SIGHUP);
    }
    [[nodiscard]] Json peer() const { return hyesan.ask({"peers"}).at(0); }
    [[nodiscard]] bool is_linked() const { return peer().at("state") == "connected"; }
    [[nodiscard]] bool waits_for(const std::string& reason) const {
        return peer().at("state") == "waiting" && peer().at("reason") == reason;
    }
    [[nodiscard]] std::string state(const std::string& id) const {
        return hyesan.ask({"trace", id}).at("state");
    }
    [[nodiscard]] bool is_delivered(const std::string& id) const {
        return eventually([&] { return state(id) == "delivered"; });
    }
    [[nodiscard]] std::string attach(std::size_t size) const {
        const auto file = network.folder() / "attached.bin";
        write_file(file, random_bytes(size));
        return file.string();
    }
};

}  // namespace

TEST_CASE("a window closes and opens a link, and urgent may pass outside it",
          "[end_to_end][link]") {
    LinkedOffices offices;
    offices.say(window(2, 3));
    REQUIRE(eventually([&] { return offices.waits_for("outside_window"); }));
    CHECK(offices.peer().at("next_attempt_at").is_string());
    const auto normal = offices.hyesan.queue({"--to", "hq"}, "can wait\n");
    const auto urgent = offices.hyesan.queue({"--to", "hq", "--priority", "urgent"}, "cannot\n");

    offices.say(window(2, 3) + "outside_window = \"urgent\"\n");
    CHECK(offices.is_delivered(urgent));
    CHECK(offices.peer().at("reason") == "outside_window");
    CHECK(offices.state(normal) == "queued");

    offices.say(window(-1, 3));
    CHECK(offices.is_delivered(normal));
    CHECK(offices.peer().at("reason").is_null());
}

TEST_CASE("a transfer that a window cut off goes on where it ended", "[end_to_end][link]") {
    constexpr std::uint64_t size = 300'000;
    LinkedOffices offices;
    offices.say("rate_limit = \"800kbit\"\n");
    const auto id = offices.hyesan.queue({"--to", "hq", "--attach", offices.attach(size)}, "x\n");
    REQUIRE(eventually([&] { return number_in(offices.peer(), "/sent_bytes") > size / 4; }));
    offices.say("rate_limit = \"800kbit\"\n" + window(2, 3));
    REQUIRE(eventually([&] { return offices.waits_for("outside_window"); }));
    CHECK(offices.state(id) != "delivered");
    offices.say("");
    CHECK(offices.is_delivered(id));
    CHECK(number_in(offices.peer(), "/sent_bytes") < size * 105 / 100);
}

TEST_CASE("a day's bytes are not exceeded, and are remembered", "[end_to_end][link]") {
    LinkedOffices offices;
    offices.say("daily_limit = \"200kB\"\n");
    const auto id =
        offices.hyesan.queue({"--to", "hq", "--attach", offices.attach(400'000)}, "large\n");
    REQUIRE(eventually([&] { return offices.peer().at("reason") == "over_limit"; }));
    // The last tenth is for urgent reports.
    const auto urgent = offices.hyesan.queue({"--to", "hq", "--priority", "urgent"}, "cannot\n");
    CHECK(offices.is_delivered(urgent));
    CHECK(offices.state(id) != "delivered");
    CHECK(number_in(offices.peer(), "/sent_bytes") < 200'000);

    offices.hyesan.stop();
    offices.hyesan.start();
    REQUIRE(eventually([&] { return offices.peer().at("reason") == "over_limit"; }));
    CHECK(number_in(offices.peer(), "/sent_bytes") < 20'000);

    offices.say("daily_limit = \"2MB\"\n");
    CHECK(offices.is_delivered(id));
}

TEST_CASE("a bad file is refused whole, and the old one stays in force", "[end_to_end][link]") {
    LinkedOffices offices;
    offices.say("quiet = true\nrate_limit = \"32kbyte\"\n");
    REQUIRE(eventually([&] { return offices.hyesan.ask({"attention"}).size() == 1; }));
    const auto item = offices.hyesan.ask({"attention"}).at(0);
    CHECK(item.at("what") == "configuration");
    CHECK(item.at("detail").get<std::string>().find("line 4: a rate looks like") !=
          std::string::npos);
    CHECK(offices.is_linked());
    CHECK(offices.is_delivered(offices.hyesan.queue({"--to", "hq"}, "all the same\n")));
    offices.say("quiet = true\n");
    CHECK(eventually([&] { return offices.hyesan.ask({"attention"}).empty(); }));
}

TEST_CASE("a proxy leads to an office, and its trouble is only its own",
          "[end_to_end][link][slow]") {
    LinkedOffices offices;
    const auto port = std::to_string(20'000 + ::getpid() % 20'000);
    const Command microsocks{.words = {"/usr/bin/microsocks", "-i", "127.0.0.1", "-p", port},
                             .log = offices.network.folder() / "microsocks.log"};
    const auto through = fmt::format("proxy = \"socks5://localhost:{}\"\n", port);
    offices.say(through);
    REQUIRE(eventually([&] { return offices.peer().at("reason") == "proxy"; }));
    const auto id = offices.hyesan.queue({"--to", "hq"}, "through a proxy\n");
    {
        const Program proxy(microsocks);
        CHECK(offices.is_delivered(id));
        const auto large =
            offices.hyesan.queue({"--to", "hq", "--attach", offices.attach(2'000'000)}, "large\n");
        CHECK(offices.is_delivered(large));
        CHECK(read_file(offices.network.folder() / "microsocks.log").find("connected to") !=
              std::string::npos);
    }
    REQUIRE(eventually([&] { return !offices.is_linked(); }));
    const auto again = offices.hyesan.queue({"--to", "hq"}, "and again\n");
    const Program proxy(microsocks);
    CHECK(offices.is_delivered(again));
    CHECK(offices.hyesan.is_up());
}
