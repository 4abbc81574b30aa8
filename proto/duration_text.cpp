#include "proto/duration_text.h"

#include <charconv>

namespace fieldpost {

std::optional<std::uint32_t> parse_duration(std::string_view text) {
    std::uint64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
    const std::uint64_t factor = unit.empty() || unit == "s" ? 1
                                 : unit == "min"             ? 60
                                 : unit == "h"               ? 3600
                                 : unit == "d"               ? 86400
                                                             : 0;
    if (parsed.ec != std::errc{} || factor == 0 || number > UINT32_MAX / factor) {
        return std::nullopt;
    }
    return static_cast<std::uint32_t>(number * factor);
}

}  // namespace fieldpost
