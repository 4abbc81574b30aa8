// Lengths of time as people write them: 30s 15min 36h 30d.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fieldpost {

// In seconds; a number without a unit is seconds. Empty: the text is no length of time.
std::optional<std::uint32_t> parse_duration(std::string_view text);

}  // namespace fieldpost
