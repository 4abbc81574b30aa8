// The release, as CMake's project() says it.
#pragma once

#include <string_view>

namespace fieldpost::runtime {

inline constexpr std::string_view version = FIELDPOST_VERSION;

}  // namespace fieldpost::runtime
