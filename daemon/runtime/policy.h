// The policy that a person has set for one link, and what it permits at this moment.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "daemon/engine/inputs.h"

namespace fieldpost::runtime {

// Hours of the day by the machine's own clock and time zone; over midnight if `to` is the earlier.
struct Hours {
    std::chrono::minutes from{};
    std::chrono::minutes to{};
    bool operator==(const Hours&) const = default;
};

// "22:00-06:00".
std::optional<Hours> parse_hours(std::string_view text);
// "32kbit", a second, to bytes.
std::optional<std::uint64_t> parse_rate(std::string_view text);

struct Policy {
    bool is_quiet = false;
    std::string proxy{};                 // HOST:PORT; empty: none
    std::uint64_t bytes_per_second = 0;  // 0: as fast as it goes
    std::uint64_t bytes_per_day = 0;     // 0: any number
    std::optional<Hours> window{};
    bool is_urgent_outside = false;
    std::optional<bool> carries{};  // not said: unless it is limited

    [[nodiscard]] bool is_limited() const {
        return bytes_per_second != 0 || bytes_per_day != 0 || window;
    }
    bool operator==(const Policy&) const = default;
};

struct LocalTime {
    std::int64_t day = 0;  // another number on another day
    std::chrono::minutes of_day{};
};
LocalTime local_time(WallTime at);

// How a link may be used now.
struct Permit {
    bool is_open = true;
    bool only_urgent = false;
    std::string_view reason{};        // as `peers` gives it; empty: nothing is held back
    std::chrono::minutes for_long{};  // if it is not
    // Until only what is urgent is left of the day. 0: no such end.
    std::uint64_t bytes_left = 0;
    bool operator==(const Permit&) const = default;
};
// `used_today`: bytes over this link, both ways, headers in. The last tenth of a day's bytes is
// kept for what is urgent.
Permit permit_of(const Policy& policy, LocalTime now, std::uint64_t used_today);

engine::LinkPolicy link_policy(const Policy& policy, const Permit& permit);

}  // namespace fieldpost::runtime
