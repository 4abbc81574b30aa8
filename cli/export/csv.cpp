#include "cli/export/csv.h"

namespace fieldpost::cli {

namespace {

// A spreadsheet would take the cell for a formula, and run what a stranger wrote.
bool may_be_formula(const std::string& text) {
    return !text.empty() && std::string_view("=+-@\t\r").contains(text.front()) && !is_number(text);
}

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
    names.insert(names.end(), columns.names().begin(), columns.names().end());
    return "\xef\xbb\xbf" + line_of(names, delimiter);
}

std::string csv_line(const ReportRow& row, FieldColumns& columns, char delimiter) {
    auto cells = row.cells;
    cells.resize(fixed_columns().size() + columns.names().size());
    for (const auto& [key, value] : row.fields) {
        cells.at(fixed_columns().size() + columns.place_of(key)) = value;
    }
    return line_of(cells, delimiter);
}

}  // namespace fieldpost::cli
