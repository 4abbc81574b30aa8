#include "daemon/runtime/policy.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>

#include <fstream>

#include "daemon/runtime/configuration.h"
#include "daemon/runtime/daily_use.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/zone.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::runtime;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t today = 7;

Policy open_at(std::string_view hours, bool is_urgent_outside = false) {
    Policy policy;
    policy.window = parse_hours(hours);
    policy.is_urgent_outside = is_urgent_outside;
    return policy;
}

Permit at(const Policy& policy, std::chrono::minutes of_day, std::uint64_t used = 0) {
    return permit_of(policy, {today, of_day}, used);
}

// The policy that a file with these lines gives to its one peer.
Result<Policy> read(const std::string& lines) {
    const tests::TemporaryFolder folder;
    const auto file = folder.path() / "fieldpost.toml";
    std::ofstream(file) << "[[peer]]\naddress = \"tcp://10.8.0.1:6743\"\n" << lines << "\n";
    auto configuration = read_configuration(file, {});
    if (!configuration) {
        return std::unexpected(configuration.error());
    }
    return configuration->peers.at(0).policy;
}

void check_refused(const std::string& lines, const std::string& why) {
    CAPTURE(lines);
    const auto policy = read(lines);
    REQUIRE_FALSE(policy);
    CHECK(policy.error().detail.find("line 3: " + why) != std::string::npos);
}

}  // namespace

TEST_CASE("a window opens and closes by the minute, over midnight too", "[policy]") {
    const auto night = open_at("22:00-06:00");
    CHECK(at(night, 22h).is_open);
    CHECK(at(night, 23h + 59min).is_open);
    CHECK(at(night, 0h).is_open);
    CHECK(at(night, 5h + 59min).is_open);
    CHECK_FALSE(at(night, 6h).is_open);
    CHECK_FALSE(at(night, 21h + 59min).is_open);
    CHECK(at(night, 6h).reason == "outside_window");
    CHECK(at(night, 6h).for_long == 16h);
    CHECK(at(night, 22h).reason.empty());
    const auto noon = open_at("12:00-12:01");
    CHECK_FALSE(at(noon, 11h + 59min).is_open);
    CHECK(at(noon, 12h).is_open);
    CHECK_FALSE(at(noon, 12h + 1min).is_open);
    CHECK(at(noon, 12h + 1min).for_long == 24h - 1min);
}

TEST_CASE("outside its window a link is for what is urgent, if that was said", "[policy]") {
    const auto night = open_at("22:00-06:00", true);
    CHECK(at(night, 12h).is_open);
    CHECK(at(night, 12h).only_urgent);
    CHECK_FALSE(at(night, 23h).only_urgent);
}

TEST_CASE("the last tenth of a day's bytes is kept for what is urgent", "[policy]") {
    Policy policy;
    policy.bytes_per_day = 1000;
    CHECK_FALSE(at(policy, 10h, 899).only_urgent);
    CHECK(at(policy, 10h, 899).bytes_left == 1);
    CHECK(at(policy, 10h, 900).is_open);
    CHECK(at(policy, 10h, 900).only_urgent);
    CHECK_FALSE(at(policy, 10h, 1000).is_open);
    CHECK(at(policy, 10h, 1000).reason == "over_limit");
    CHECK(at(policy, 10h, 1000).for_long == 14h);
}

TEST_CASE("a limited link carries for others only when told to", "[policy]") {
    Policy policy;
    CHECK(link_policy(policy, {}).carries);
    policy.bytes_per_second = 4000;
    CHECK_FALSE(link_policy(policy, {}).carries);
    policy.carries = true;
    CHECK(link_policy(policy, {}).carries);
}

TEST_CASE("the time of day follows the machine's zone, also when that is changed", "[policy]") {
    const auto noon = WallTime::from_unix(1'790'000'000 - 1'790'000'000 % 86400 + 12 * 3600);
    const auto in_zone = [&](const char* name) {
        const tests::Zone zone(name);
        return local_time(noon);
    };
    const auto utc = in_zone("UTC");
    const auto korea = in_zone("KST-9");
    const auto line_islands = in_zone("AAA-14");
    CHECK(utc.of_day == 12h);
    CHECK(korea.of_day == 21h);
    CHECK(korea.day == utc.day);
    CHECK(line_islands.of_day == 2h);
    CHECK(line_islands.day != utc.day);
}

TEST_CASE("what was used today is counted over connections, clocks and restarts", "[policy]") {
    const auto network = tests::make_network({"hq", "hyesan"});
    tests::LoneOffice office(network, 0);
    const auto& ledger = office.ledger();
    const OfficeId peer{9};
    DailyUse use;
    const link::ConnectionId first{1};
    const link::ConnectionId second{2};
    use.carried(ledger, peer, first, 100, today);
    use.carried(ledger, peer, first, 300, today);
    use.ended(first);
    use.carried(ledger, peer, second, 50, today);
    CHECK(use.of(ledger, peer, today) == 350);
    // The connection lasts over midnight.
    use.carried(ledger, peer, second, 70, today + 1);
    CHECK(use.of(ledger, peer, today + 1) == 20);
    CHECK(use.of(ledger, peer, today) == 0);
    // A clock that goes back begins a day, and wedges nothing.
    use.carried(ledger, peer, second, 80, today - 400);
    CHECK(use.of(ledger, peer, today - 400) == 10);

    CHECK(use.to_keep(ledger, false).empty());
    use.carried(ledger, peer, second, 1'000'000, today);
    REQUIRE(use.to_keep(ledger, false).size() == 1);
    const auto kept = std::get<engine::DayUsed>(use.to_keep(ledger, true).at(0));
    CHECK(kept.office == peer);
    CHECK(kept.bytes == 999'920);
}

TEST_CASE("a peer's policy is read from the file", "[policy]") {
    const auto policy = read(
        "proxy = \"socks5://127.0.0.1:9050\"\nrate_limit = \"32kbit\"\ndaily_limit = \"20MiB\"\n"
        "window = \"22:00-06:00\"\noutside_window = \"urgent\"\nquiet = true\ncarry = true");
    REQUIRE(policy);
    CHECK(policy->proxy == "127.0.0.1:9050");
    CHECK(policy->bytes_per_second == 4000);
    CHECK(policy->bytes_per_day == 20U << 20);
    CHECK(policy->window == Hours{22h, 6h});
    CHECK(policy->is_urgent_outside);
    CHECK(policy->is_quiet);
    CHECK(policy->carries == true);
    CHECK_FALSE(read("window = \"22:00-06:00\"\noutside_window = \"nothing\"")->is_urgent_outside);
    CHECK(read("rate_limit = \"1Mbit\"")->bytes_per_second == 125'000);
    CHECK(read("rate_limit = \"9600bit\"")->bytes_per_second == 1200);
}

TEST_CASE("a policy that means nothing is refused with its line", "[policy]") {
    for (const auto* rate : {"\"32\"", "\"0kbit\"", "\"-1kbit\"", "\"299bit\"", "\"32 kbit\"",
                             "\"32kB\"", "32", "\"99999999999999999Mbit\"", "\"\"", "true"}) {
        check_refused(fmt::format("rate_limit = {}", rate), "a rate looks like");
    }
    for (const auto* window :
         {"\"22:00\"", "\"22:00-22:00\"", "\"24:00-06:00\"", "\"22:60-06:00\"", "\"2:00-6:00\"",
          "\"22:00-06:00 \"", "\"22.00-06.00\"", "22", "\"-1:00-06:00\"", "\"\""}) {
        check_refused(fmt::format("window = {}", window), "a window looks like");
    }
    for (const auto* proxy :
         {"\"127.0.0.1:9050\"", "\"socks4://127.0.0.1:9050\"", "\"socks5://127.0.0.1\"",
          "\"socks5://:9050\"", "\"socks5://a b:1\"", "\"http://127.0.0.1:80\"", "\"\"", "9050"}) {
        check_refused(fmt::format("proxy = {}", proxy), "a proxy looks like");
    }
    for (const auto* size : {"\"0\"", "\"20 MiB\"", "\"-1\"", "20", "\"\""}) {
        CAPTURE(size);
        CHECK_FALSE(read(fmt::format("daily_limit = {}", size)));
    }
    check_refused("outside_window = \"urgent\"", "outside_window needs a window");
    check_refused("outside_window = \"some\"\nwindow = \"22:00-06:00\"", "outside_window is");
    check_refused("carry = \"yes\"", "carry is true or false");
    check_refused("quiet = 1", "quiet is true or false");
    check_refused("speed = \"32kbit\"", "speed is not a key of a peer");
}
