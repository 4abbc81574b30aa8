// The text of a TOML file before a parser sees it: read within limits, and looked through for what
// toml++ 3.3 has no defined answer to.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "proto/result.h"

namespace fieldpost::runtime {

// Nothing: there is no file. Never waits: in the place of the file may stand a pipe, whose opening
// waits for somebody to write, or a device. malformed: it cannot be read, or is over 1 MiB.
Result<std::optional<std::string>> read_toml_text(const std::filesystem::path& file);

// The first line on which a table's name begins with a character that no name has; else the last.
std::size_t line_of_bad_name(std::string_view text);

// The line of the first letter outside quotes and comments that is not ASCII, if there is one. TOML
// has none there, and toml++ 3.3 has no defined answer to some of them, such as "é = 1".
std::optional<std::size_t> line_of_foreign_letter(std::string_view text);

}  // namespace fieldpost::runtime
