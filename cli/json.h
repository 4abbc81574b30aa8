// Absent is null: what every command's JSON does with an empty word and a time that is not known.
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

}  // namespace fieldpost::cli
