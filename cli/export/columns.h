// The columns of a table of reports: those that every report has, and one for each field.
//
// Nothing is ever renamed or dropped: the same keys, met in the same order, have the same columns.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fieldpost::cli {

// The columns that every report has, in their order.
const std::vector<std::string>& fixed_columns();

// A longer name would be cut by databases.
inline constexpr std::size_t column_bytes_max = 55;

class FieldColumns {
public:
    FieldColumns();
    // The place of the field's column among those of fields, from 0. It gets one if it has none.
    std::size_t place_of(const std::string& key);
    // The names of the columns, by their places. A field has its key as name, unless that is taken
    // (in upper or lower case) or too long: then a part of the key, and digits of its hash.
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

private:
    std::set<std::string> taken_;  // case folded
    std::map<std::string, std::size_t> places_;
    std::vector<std::string> names_;
};

// True of a decimal number as a person or a program writes it: "-12.50". Spreadsheets read it as a
// number, and no number is a formula.
bool is_number(std::string_view text);
// A number that is written again as it was read: no "+", no leading zeros, at most 15 digits. A
// spreadsheet keeps it exactly.
bool is_exact_number(std::string_view text);

}  // namespace fieldpost::cli
