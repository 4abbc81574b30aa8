#include "proto/size_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

namespace fieldpost {

std::optional<std::uint64_t> parse_size(std::string_view text) {
    std::uint64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 8> units = {
        std::pair{"", 1ULL},
        std::pair{"B", 1ULL},
        std::pair{"kB", 1000ULL},
        std::pair{"MB", 1'000'000ULL},
        std::pair{"GB", 1'000'000'000ULL},
        std::pair{"KiB", 1024ULL},
        std::pair{"MiB", 1ULL << 20},
        std::pair{"GiB", 1ULL << 30}};
    for (const auto& [name, factor] : units) {
        if (parsed.ec == std::errc{} && unit == name && number <= UINT64_MAX / factor) {
            return number * factor;
        }
    }
    return std::nullopt;
}

std::string exact_size(std::uint64_t bytes) {
    constexpr std::array<const char*, 4> units = {"bytes", "KiB", "MiB", "GiB"};
    std::size_t unit = 0;
    while (unit + 1 < units.size() && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        ++unit;
    }
    return fmt::format("{} {}", bytes, units.at(unit));
}

}  // namespace fieldpost
