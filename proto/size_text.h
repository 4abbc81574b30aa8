// Sizes as people write them (640, 20MB, 4GiB), and as messages name a limit (256 KiB).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fieldpost {

// In bytes. Empty: the text is no size.
std::optional<std::uint64_t> parse_size(std::string_view text);

// In the largest unit (a power of 1024) that divides it, so that no limit is rounded.
std::string exact_size(std::uint64_t bytes);

}  // namespace fieldpost
