// A report as a row of a table.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace fieldpost::wire {
class Entry;
}

namespace fieldpost::cli {

struct ReportRow {
    std::string type;
    std::vector<std::string> cells;  // of fixed_columns()
    std::vector<std::pair<std::string, std::string>> fields;
};
ReportRow row_of(const wire::Entry& entry);

}  // namespace fieldpost::cli
