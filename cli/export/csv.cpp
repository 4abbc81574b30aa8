#include "cli/export/csv.h"

namespace fieldpost::cli {

namespace {

void add_cell(std::string& line, const std::string& text, char delimiter) {
    const auto safe = may_be_formula(text) ? "'" + text : text;
    const bool needs_quotes =
        safe.find_first_of(std::string("\"\r\n") + delimiter) != std::string::npos;
    if (!needs_quotes) {
        line += safe;
        return;
    }
    line += '"';
    for (const char c : safe) {
        line += c == '"' ? std::string("\"\"") : std::string(1, c);
    }
    line += '"';
}

std::string line_of(const std::vector<std::string>& cells, char delimiter) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        if (i > 0) {
            line += delimiter;
        }
        add_cell(line, cells[i], delimiter);
    }
    return line + "\r\n";
}

}  // namespace

std::string csv_head(const FieldColumns& columns, char delimiter) {
    auto names = fixed_columns();
    const auto of_fields = columns.names();
    names.insert(names.end(), of_fields.begin(), of_fields.end());
    return "\xef\xbb\xbf" + line_of(names, delimiter);
}

std::string csv_line(const ReportRow& row, const FieldColumns& columns, char delimiter) {
    auto cells = row.cells;
    cells.resize(fixed_columns().size() + columns.count());
    for (auto& [place, value] : values_by_column(columns, row.fields)) {
        cells.at(place) = value;
    }
    return line_of(cells, delimiter);
}

}  // namespace fieldpost::cli
