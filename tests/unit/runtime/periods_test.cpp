// Goal: days, weeks and months are those of the calendar, and their times those of this machine.
// Method: every day of some decades against the C library's calendar; zones with changing clocks.
#include "daemon/runtime/periods.h"

#include <catch2/catch.hpp>

#include <ctime>

#include "tests/support/zone.h"

using namespace fieldpost;
using namespace fieldpost::runtime;
using namespace fieldpost::tests;

namespace {

Date date(int year, unsigned month, unsigned day) {
    return std::chrono::year{year} / static_cast<int>(month) / static_cast<int>(day);
}

std::string by_strftime(const char* format, Date date) {
    const auto seconds = std::chrono::sys_seconds(date).time_since_epoch().count();
    const auto utc = static_cast<std::time_t>(seconds);
    std::tm parts{};
    ::gmtime_r(&utc, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

}  // namespace

TEST_CASE("each day is in the week and the month that the C library says", "[periods]") {
    constexpr std::array<std::pair<Every, const char*>, 3> kinds = {
        {{Every::day, "%Y-%m-%d"}, {Every::week, "%G-W%V"}, {Every::month, "%Y-%m"}}};
    for (auto day = date(2024, 12, 20); day < date(2062, 1, 10); day += std::chrono::days{1}) {
        for (const auto& [every, format] : kinds) {
            const auto period = period_of(every, day);
            const auto text = period_text(every, period);
            const auto expected = by_strftime(format, day);
            if (text != expected || parse_period(every, text) != period ||
                parse_period(every, by_strftime("%Y-%m-%d", day)) != period ||
                first_day(every, period) > day || first_day(every, period + 1) <= day) {
                FAIL(text << " and not " << expected);
            }
        }
    }
}

TEST_CASE("what is no period is none", "[periods]") {
    for (const auto* text :
         {"", "2026", "2026-W00", "2026-W54", "2025-W53", "2026-W4", "2026W46", "2026-W46 ",
          "2026-W-1", "2026-W+1", "2026-00", "2026-13", "2026-02-29", "2026-1-01", "2026-11-31",
          "20-11-2026", "46", "２０２６-W46"}) {
        INFO(text);
        CHECK_FALSE(parse_period(Every::week, text));
        CHECK_FALSE(parse_period(Every::day, text));
        CHECK_FALSE(parse_period(Every::month, text));
    }
    CHECK(parse_period(Every::week, "2026-W53") == parse_period(Every::week, "2026-12-31"));
    CHECK(parse_period(Every::week, "2026-w07") == parse_period(Every::week, "2026-W07"));
    CHECK_FALSE(parse_period(Every::month, "2026-W46"));
    CHECK_FALSE(parse_period(Every::day, "2026-11"));
}

TEST_CASE("a day begins at midnight on this machine, also where clocks change", "[periods]") {
    const Zone zone("CET-1CEST,M3.5.0,M10.5.0/3");
    // Clocks went back on 2026-10-25.
    const auto monday = after_start_of(date(2026, 10, 26), 0);
    CHECK(monday.unix_seconds() == 1'792'969'200);  // 2026-10-25T23:00:00Z
    CHECK(after_start_of(date(2026, 10, 24), 2 * 86400) == monday);
    CHECK(after_start_of(date(2026, 10, 24), 2 * 86400 + 3600) == monday.plus(3600));
    CHECK(date_at(monday) == date(2026, 10, 26));
    CHECK(date_at(monday.plus(-1)) == date(2026, 10, 25));
    // At another place it is another day.
    CHECK(date_at(monday.plus(-3600 * 8), 540) == date(2026, 10, 26));
    CHECK(date_at(monday, -60) == date(2026, 10, 25));
}
