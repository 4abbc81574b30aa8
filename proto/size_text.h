// A size as people write it: 640, 20MB, 4GiB.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace fieldpost {

// In bytes. Empty: it is none.
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace fieldpost
