#include "daemon/runtime/policy.h"

#include <charconv>
#include <ctime>

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

constexpr std::chrono::minutes a_day = 24h;
// Slower is a slip of the pen: one frame would take ten seconds.
constexpr std::uint64_t bits_per_second_min = 300;

std::optional<std::uint64_t> number_of(std::string_view digits) {
    std::uint64_t number = 0;
    const auto* end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, number);
    return parsed.ec == std::errc{} && parsed.ptr == end ? std::optional(number) : std::nullopt;
}

// "06:00".
std::optional<std::chrono::minutes> time_of_day(std::string_view text) {
    if (text.size() != 5 || text[2] != ':') {
        return std::nullopt;
    }
    const auto hours = number_of(text.substr(0, 2));
    const auto minutes = number_of(text.substr(3));
    if (!hours || !minutes || *hours > 23 || *minutes > 59) {
        return std::nullopt;
    }
    return std::chrono::minutes{*hours * 60 + *minutes};
}

// Minutes from one time of day to another, the next time it is that.
std::chrono::minutes until(std::chrono::minutes from, std::chrono::minutes to) {
    return (to - from + a_day) % a_day;
}

}  // namespace

std::optional<Hours> parse_hours(std::string_view text) {
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto from = time_of_day(text.substr(0, dash));
    const auto to = time_of_day(text.substr(dash + 1));
    return from && to && from != to ? std::optional(Hours{*from, *to}) : std::nullopt;
}

std::optional<std::uint64_t> parse_rate(std::string_view text) {
    for (const auto& [unit, factor] : {std::pair<std::string_view, std::uint64_t>{"kbit", 1000},
                                       {"Mbit", 1'000'000},
                                       {"bit", 1}}) {
        const auto number = text.ends_with(unit)
                                ? number_of(text.substr(0, text.size() - unit.size()))
                                : std::nullopt;
        if (number && *number <= UINT64_MAX / factor && *number * factor >= bits_per_second_min) {
            return *number * factor / 8;
        }
    }
    return std::nullopt;
}

LocalTime local_time(WallTime at) {
    // The zone may have been changed since the daemon began.
    ::tzset();
    const auto seconds = static_cast<std::time_t>(at.unix_seconds());
    std::tm local{};
    ::localtime_r(&seconds, &local);
    return {std::int64_t{local.tm_year} * 366 + local.tm_yday,
            std::chrono::minutes{local.tm_hour * 60 + local.tm_min}};
}

Permit permit_of(const Policy& policy, LocalTime now, std::uint64_t used_today) {
    if (policy.bytes_per_day != 0 && used_today >= policy.bytes_per_day) {
        return {false, false, "over_limit", a_day - now.of_day};
    }
    if (policy.window) {
        const auto& [from, to] = *policy.window;
        if (until(from, now.of_day) >= until(from, to)) {
            return {policy.is_urgent_outside, policy.is_urgent_outside, "outside_window",
                    until(now.of_day, from)};
        }
    }
    Permit permit;
    if (policy.bytes_per_day != 0) {
        const auto for_all = policy.bytes_per_day - policy.bytes_per_day / 10;
        if (used_today >= for_all) {
            return {true, true, "over_limit", a_day - now.of_day};
        }
        permit.bytes_left = for_all - used_today;
    }
    return permit;
}

engine::LinkPolicy link_policy(const Policy& policy, const Permit& permit) {
    return {policy.bytes_per_second, permit.only_urgent, permit.bytes_left,
            policy.carries.value_or(!policy.is_limited())};
}

}  // namespace fieldpost::runtime
