#include "tests/bench/table.h"

#include <fmt/format.h>

#include <array>
#include <vector>

namespace fieldpost::bench {

namespace {

using Row = std::array<std::string, 3>;

std::vector<Row>& rows() {
    static std::vector<Row> all{{"what", "measured", "target"}, {"---", "---", "---"}};
    return all;
}

}  // namespace

void add_row(std::string what, std::string measured, std::string target) {
    rows().push_back({std::move(what), std::move(measured), std::move(target)});
}

void print_table() {
    for (const auto& [what, measured, target] : rows()) {
        fmt::print("| {} | {} | {} |\n", what, measured, target);
    }
}

}  // namespace fieldpost::bench
