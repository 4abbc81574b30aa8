// The one table that the benchmark prints: what was measured, and what it should be.
#pragma once

#include <string>

namespace fieldpost::bench {

// In the order of the calls. A figure without a target is there to compare with.
void add_row(std::string what, std::string measured, std::string target = "");
void print_table();

}  // namespace fieldpost::bench
