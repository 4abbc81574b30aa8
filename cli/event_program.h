// A person's own program, run for each event.
#pragma once

#include <string>

#include "cli/command.h"

namespace fieldpost::cli {

// not_found: there is no such program, or it cannot be run.
Outcome<std::string> find_program(const std::string& name);

// Runs it with `input` on its standard input, and waits for its end. What it writes goes where this
// command's own words go. One that takes longer than a minute is ended, with all that it started.
// Returns what went wrong, in words; empty: it exited with 0.
std::string run_program(const std::string& path, const std::string& input);

}  // namespace fieldpost::cli
