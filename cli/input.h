// Text that a command is given at standard input: all of it, or an error.
#pragma once

#include <string>

#include "cli/command.h"

namespace fieldpost::cli {

// Everything up to a true end of file. A read that fails and a terminal that hangs up are errors:
// half a report is never taken for a whole one. invalid: more than `bytes_max`.
Outcome<std::string> read_standard_input(std::size_t bytes_max);

}  // namespace fieldpost::cli
