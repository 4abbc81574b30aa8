#include "daemon/runtime/periods.h"

#include <fmt/format.h>

#include <charconv>
#include <ctime>

namespace fieldpost::runtime {

using std::chrono::days;
using std::chrono::year;
using std::chrono::year_month_day;

namespace {

constexpr int a_week = 7;
constexpr int months_a_year = 12;
// 1970-01-01 was a Thursday: its week began three days earlier.
constexpr days first_monday{-3};

std::int64_t floored(std::int64_t number, std::int64_t by) {
    return number / by - (number % by < 0 ? 1 : 0);
}

Date monday_of_week_1(int of_year) {
    const Date january_4 = year{of_year} / 1 / 4;
    return first_day(Every::week, period_of(Every::week, january_4));
}

// The digits of `text` and nothing else.
std::optional<int> digits_of(std::string_view text) {
    int number = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    const bool is_number = parsed.ec == std::errc{} && parsed.ptr == end && number >= 0;
    return is_number ? std::optional(number) : std::nullopt;
}

std::optional<Date> parse_date(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') {
        return std::nullopt;
    }
    const auto y = digits_of(text.substr(0, 4));
    const auto m = digits_of(text.substr(5, 2));
    const auto d = digits_of(text.substr(8, 2));
    if (!y || !m || !d) {
        return std::nullopt;
    }
    const year_month_day date{year{*y}, std::chrono::month{static_cast<unsigned>(*m)},
                              std::chrono::day{static_cast<unsigned>(*d)}};
    return date.ok() ? std::optional<Date>(date) : std::nullopt;
}

std::optional<Period> parse_week(std::string_view text) {
    if (text.size() != 8 || text[4] != '-' || (text[5] != 'W' && text[5] != 'w')) {
        return std::nullopt;
    }
    const auto y = digits_of(text.substr(0, 4));
    const auto week = digits_of(text.substr(6));
    if (!y || !week || *week == 0) {
        return std::nullopt;
    }
    const auto period = period_of(Every::week, monday_of_week_1(*y)) + *week - 1;
    // Most years have no week 53.
    return period < period_of(Every::week, monday_of_week_1(*y + 1)) ? std::optional(period)
                                                                     : std::nullopt;
}

std::optional<Period> parse_month(std::string_view text) {
    const auto day_1 = parse_date(fmt::format("{}-01", text));
    return day_1 ? std::optional(period_of(Every::month, *day_1)) : std::nullopt;
}

}  // namespace

Period period_of(Every every, Date date) {
    const auto day = date.time_since_epoch();
    switch (every) {
        case Every::day:
            return day.count();
        case Every::week:
            return floored((day - first_monday).count(), a_week);
        case Every::month:
            break;
    }
    const year_month_day parts{date};
    return std::int64_t{int(parts.year())} * months_a_year + unsigned(parts.month()) - 1;
}

Date first_day(Every every, Period period) {
    switch (every) {
        case Every::day:
            return Date{days{period}};
        case Every::week:
            return Date{first_monday + days{period * a_week}};
        case Every::month:
            break;
    }
    const auto of_year = floored(period, months_a_year);
    return year{static_cast<int>(of_year)} /
           static_cast<int>(period - of_year * months_a_year + 1) / 1;
}

std::string period_text(Every every, Period period) {
    const auto first = first_day(every, period);
    const year_month_day parts{first};
    switch (every) {
        case Every::day:
            return fmt::format("{:04}-{:02}-{:02}", int(parts.year()), unsigned(parts.month()),
                               unsigned(parts.day()));
        case Every::month:
            return fmt::format("{:04}-{:02}", int(parts.year()), unsigned(parts.month()));
        case Every::week:
            break;
    }
    // A week belongs to the year that its Thursday is in.
    const auto of_year = int(year_month_day{first + days{3}}.year());
    return fmt::format("{:04}-W{:02}", of_year,
                       (first - monday_of_week_1(of_year)).count() / a_week + 1);
}

std::optional<Period> parse_period(Every every, std::string_view text) {
    if (const auto date = parse_date(text)) {
        return period_of(every, *date);
    }
    switch (every) {
        case Every::week:
            return parse_week(text);
        case Every::month:
            return parse_month(text);
        case Every::day:
            break;
    }
    return std::nullopt;
}

Date date_at(WallTime at, std::optional<std::int16_t> utc_offset_minutes) {
    auto seconds = at.unix_seconds();
    if (utc_offset_minutes) {
        seconds += std::int64_t{*utc_offset_minutes} * 60;
    } else {
        // The zone may have been changed since the daemon began.
        ::tzset();
        const auto utc = static_cast<std::time_t>(seconds);
        std::tm local{};
        ::localtime_r(&utc, &local);
        seconds += local.tm_gmtoff;
    }
    return std::chrono::floor<days>(std::chrono::sys_seconds{std::chrono::seconds{seconds}});
}

WallTime after_start_of(Date date, std::uint32_t seconds) {
    constexpr std::uint32_t a_day = 86400;
    const year_month_day parts{date + days{seconds / a_day}};
    std::tm local{};
    local.tm_year = int(parts.year()) - 1900;
    local.tm_mon = static_cast<int>(unsigned(parts.month())) - 1;
    local.tm_mday = static_cast<int>(unsigned(parts.day()));
    local.tm_isdst = -1;
    ::tzset();
    auto begins = ::mktime(&local);
    // The day begins an hour later in a zone whose clocks skip midnight.
    ::localtime_r(&begins, &local);
    if (local.tm_hour > 12) {
        begins += 3600;
    }
    return WallTime::from_unix(std::int64_t{begins} + seconds % a_day);
}

}  // namespace fieldpost::runtime
