// The columns of a table of reports: those that every report has, and one for each field.
//
// Nothing is ever renamed or dropped: the same keys, met in the same order, have the same columns.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fieldpost::cli {

// The columns that every report has, in their order.
const std::vector<std::string>& fixed_columns();

// A longer name would be cut by databases.
inline constexpr std::size_t column_bytes_max = 55;
// Spreadsheets take 16,384 columns. One member must not make every table larger than that.
inline constexpr std::size_t table_columns_max = 16'384;

// A name for `key` that `is_free` says yes to: the key itself, or a part of it and digits of its
// hash. Never longer than a column may be.
std::string free_name(const std::string& key,
                      const std::function<bool(const std::string&)>& is_free);

class FieldColumns {
public:
    FieldColumns();
    // Gives the field a column, if it has none and there is room.
    void add(const std::string& key);
    // The place of the field's column among those of fields, from 0. Nothing: it has none of its
    // own, and belongs into the column of further fields.
    [[nodiscard]] std::optional<std::size_t> place_of(const std::string& key) const;
    // The names of the columns, by their places. A field has its key as name, unless that is taken
    // (in upper or lower case) or too long: then a part of the key, and digits of its hash. If
    // there was no room for all, the last column is that of further fields.
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] std::size_t count() const { return names_.size() + (has_further_ ? 1 : 0); }

private:
    [[nodiscard]] bool is_free(const std::string& name) const;

    std::set<std::string> taken_;  // case folded
    std::map<std::string, std::size_t> places_;
    std::vector<std::string> names_;
    bool has_further_ = false;
};

// The values of a row's fields by their columns. What has no column of its own stands in the last
// one, as JSON.
std::map<std::size_t, std::string> values_by_column(
    const FieldColumns& columns, const std::vector<std::pair<std::string, std::string>>& fields);

// True of a decimal number as a person or a program writes it: "-12.50". Spreadsheets read it as a
// number, and no number is a formula.
bool is_number(std::string_view text);
// A number that is written again as it was read: no "+", no leading zeros, at most 15 digits. A
// spreadsheet keeps it exactly.
bool is_exact_number(std::string_view text);
// A spreadsheet would take the text for a formula, and run what a stranger wrote.
bool may_be_formula(std::string_view text);

}  // namespace fieldpost::cli
