// The one table that the benchmark prints: the measured figures and their targets.
#pragma once

#include <string>

namespace fieldpost::bench {

// In the order of the calls. A figure without a target is there to compare with.
void add_row(std::string what, std::string measured, std::string target = "");
void print_table();

}  // namespace fieldpost::bench
