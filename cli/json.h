// Every command's JSON has null for an empty word, and for a time that is not known.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/text.h"

namespace fieldpost::cli {

inline nlohmann::ordered_json text_or_null(const std::string& text) {
    return text.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(text);
}

inline nlohmann::ordered_json time_or_null(std::int64_t unix_seconds) {
    return unix_seconds == 0 ? nlohmann::ordered_json(nullptr)
                             : nlohmann::ordered_json(rfc3339(unix_seconds));
}

// A file name need not be UTF-8, but JSON must be. Bytes that are not UTF-8 become U+FFFD.
inline std::string json_text(const auto& json) {
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace fieldpost::cli
