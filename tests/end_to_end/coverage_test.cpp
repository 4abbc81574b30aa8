// Goal: headquarters see who owes a report, in the command, in status and in attention.
// Method: offices whose machines live some weeks ago, and then today: libfaketime tells them the
// time. What coverage says of all kinds of weeks is tested in the simulation.
#include <catch2/catch.hpp>

#include <ctime>

#include "tests/end_to_end/offices.h"
#include "tests/support/zone.h"

using namespace fieldpost::end_to_end;
using namespace fieldpost::tests;

namespace {

constexpr std::int64_t a_day = 86400;

// Programs that are started from now on take this to be so many days ago. Their monotonic clocks
// are right.
class DaysAgo {
public:
    DaysAgo() {
        ::setenv("LD_PRELOAD", "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", 1);
        ::setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1", 1);
    }
    ~DaysAgo() {
        for (const auto* name : {"LD_PRELOAD", "FAKETIME_DONT_FAKE_MONOTONIC", "FAKETIME"}) {
            ::unsetenv(name);
        }
    }
    DaysAgo(const DaysAgo&) = delete;
    DaysAgo& operator=(const DaysAgo&) = delete;

    void set(int days) {
        days_ = days;
        ::setenv("FAKETIME", ("-" + std::to_string(days) + "d").c_str(), 1);
    }
    // The ISO week of that day in Korea.
    [[nodiscard]] std::string week() const {
        const auto local = std::time(nullptr) - days_ * a_day + 9 * 3600;
        std::tm parts{};
        ::gmtime_r(&local, &parts);
        std::array<char, 16> text{};
        return {text.data(), std::strftime(text.data(), text.size(), "%G-W%V", &parts)};
    }

private:
    int days_ = 0;
};

}  // namespace

// Left out under the sanitizers: they must be loaded first, and so must libfaketime.
TEST_CASE("who owes a report is told, until it is here", "[end_to_end][slow]") {
    const Zone zone("KST-9");
    DaysAgo ago;
    ago.set(15);
    Network network;
    auto& hq = network.found();
    CHECK(hq.ask({"coverage"}) == Json::array());
    CHECK(hq.ask({"status"}).at("overdue").is_null());
    auto& hyesan = network.add(hq, "hyesan", "field");
    auto& wonsan = network.add(hq, "wonsan", "field");
    const auto configuration = hq.home() / "fieldpost.toml";
    write_file(configuration,
               read_file(configuration) +
                   "\n[[expect]]\ntype = \"주간\"\nfrom = \"@field\"\nevery = \"week\"\n"
                   "period_field = \"week\"\n");
    hq.stop();
    hyesan.stop();
    wonsan.stop();

    ago.set(8);
    const auto week = ago.week();
    hq.start();
    hyesan.start();
    const auto first =
        hyesan.deliver({"--to", "hq", "--type", "주간", "--field", "week=" + week}, "a");
    const auto second = hyesan.deliver(
        {"--to", "hq", "--type", "주간", "--replaces", first, "--field", "week=" + week}, "b");
    hq.stop();
    hyesan.stop();

    ago.set(0);
    hq.start();
    const auto cells = hq.ask({"coverage", "--type", "주간"});
    std::size_t overdue = 0;
    for (const auto& cell : cells) {
        const bool is_there = cell["office"] == "hyesan" && cell["period"] == week;
        INFO(cell);
        CHECK(cell["type"] == "주간");
        CHECK(cell["state"] == (is_there                       ? "here"
                                : cell["period"] == ago.week() ? "open"
                                                               : "nothing"));
        CHECK(cell["ids"] == (is_there ? Json{second} : Json::array()));
        overdue += cell["state"] == "nothing" ? 1 : 0;
    }
    CHECK(overdue > 0);
    CHECK(hq.ask({"status"}).at("overdue") == overdue);
    const auto item = [&]() -> Json {
        for (const auto& one : hq.ask({"attention"})) {
            if (one["what"] == "overdue") {
                return one;
            }
        }
        return {};
    };
    REQUIRE(eventually([&] { return !item().is_null(); }));
    CHECK(item()["count"] == overdue);
    CHECK(item()["detail"].get<std::string>().contains("wonsan " + week));
    const auto shown = hq.show({"coverage"}).out;
    INFO(shown);
    CHECK(shown.contains("주간 from @field, every week, due at its end"));
    CHECK(shown.contains("hyesan"));
    CHECK(hq.show({"status"}).out.contains("overdue. See: fieldpost coverage"));

    // A report comes late. Whoever has seen to the others is not told of them again.
    REQUIRE(hq.run({"attention", "--dismiss", item()["no"].dump()}).exit_code == 0);
    wonsan.start();
    const auto late =
        wonsan.deliver({"--to", "hq", "--type", "주간", "--field", "week=" + week}, "c");
    for (const auto& cell : hq.ask({"coverage"})) {
        if (cell["office"] == "wonsan" && cell["period"] == week) {
            CHECK(cell["state"] == "late");
            CHECK(cell["ids"] == Json{late});
        }
    }
    CHECK(hq.ask({"status"}).at("overdue") == overdue - 1);
    hq.stop();
    hq.start();
    CHECK(eventually([&] { return item().is_null() || item()["count"] == overdue - 1; }));
    CHECK((item().is_null() || !item()["dismissed_at"].is_null()));

    CHECK(hq.run({"coverage", "--type", "daily"}).exit_code == 4);
    CHECK(hq.run({"coverage", "--since", "yesterday"}).exit_code == 6);
    CHECK(hq.ask({"coverage", "--since", "30d"}).size() >= cells.size());
}
