// The days, weeks and months for which reports are expected, as dates and as times in this
// machine's zone. Weeks are those of ISO 8601: they begin on Monday, and week 1 has January 4.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "proto/vocabulary.h"

namespace fieldpost::runtime {

enum class Every : std::uint8_t { day, week, month };

// Periods of one kind are numbered: the next one has the next number.
using Period = std::int64_t;
// A date as a calendar shows it, wherever that hangs.
using Date = std::chrono::sys_days;

Period period_of(Every every, Date date);
Date first_day(Every every, Period period);
// "2026-11-21", "2026-W46", "2026-11".
std::string period_text(Every every, Period period);
// The same texts, and for a week or month any date in it. Nothing: it names no such period.
std::optional<Period> parse_period(Every every, std::string_view text);

// The date at a place with this offset from UTC, in minutes; nothing: on this machine.
Date date_at(WallTime at, std::optional<std::int16_t> utc_offset_minutes = std::nullopt);
// The time so many seconds after this day begins on this machine. Whole days are counted on the
// calendar: where clocks change between, the hour of the day stays.
WallTime after_start_of(Date date, std::uint32_t seconds);

}  // namespace fieldpost::runtime
