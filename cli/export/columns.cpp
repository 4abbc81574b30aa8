#include "cli/export/columns.h"

#include <nlohmann/json.hpp>

#include "cli/json.h"
#include "crypto/hash.h"
#include "proto/bytes.h"
#include "proto/typed.h"

namespace fieldpost::cli {

namespace {

std::string hex_hash_of(const std::string& key) {
    crypto::Sha256 sum;
    sum.add(as_bytes(key));
    return to_hex(sum.finish());
}

// The column of what found no column of its own.
constexpr auto further_fields = "more_fields";

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

}  // namespace

const std::vector<std::string>& fixed_columns() {
    static const std::vector<std::string> names = {"id",
                                                   "hash",
                                                   "type",
                                                   "form_version",
                                                   "office",
                                                   "staff",
                                                   "state",
                                                   "outcome",
                                                   "note",
                                                   "created_at",
                                                   "created_local",
                                                   "utc_offset",
                                                   "clock_doubtful",
                                                   "received_at",
                                                   "reply_to",
                                                   "replaces",
                                                   "replaced_by",
                                                   "subject",
                                                   "text"};
    return names;
}

std::string free_name(const std::string& key,
                      const std::function<bool(const std::string&)>& is_free) {
    auto name = key;
    // Another hash for each try: somebody may have taken the first names on purpose.
    for (int tries = 0; name.size() > column_bytes_max || !is_free(name); ++tries) {
        constexpr std::size_t digits = 6;
        const auto hash = hex_hash_of(tries == 0 ? key : key + '\n' + std::to_string(tries));
        name = std::string(cut_text(key, column_bytes_max - 1 - digits)) + "_" +
               hash.substr(0, digits);
    }
    return name;
}

FieldColumns::FieldColumns() {
    taken_.insert(fixed_columns().begin(), fixed_columns().end());
    taken_.insert(further_fields);
}

// The name must be free in csv too: a name that looks like a formula has a mark there.
bool FieldColumns::is_free(const std::string& name) const {
    return !taken_.contains(case_folded(name)) &&
           !(may_be_formula(name) && taken_.contains(case_folded("'" + name)));
}

void FieldColumns::add(const std::string& key) {
    if (places_.contains(key)) {
        return;
    }
    if (fixed_columns().size() + names_.size() + 1 >= table_columns_max) {
        has_further_ = true;
        return;
    }
    auto name = free_name(key, [&](const auto& wanted) { return is_free(wanted); });
    taken_.insert(case_folded(name));
    if (may_be_formula(name)) {
        taken_.insert(case_folded("'" + name));
    }
    places_.emplace(key, names_.size());
    names_.push_back(std::move(name));
}

std::optional<std::size_t> FieldColumns::place_of(const std::string& key) const {
    const auto found = places_.find(key);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> FieldColumns::names() const {
    auto names = names_;
    if (has_further_) {
        names.emplace_back(further_fields);
    }
    return names;
}

std::map<std::size_t, std::string> values_by_column(
    const FieldColumns& columns, const std::vector<std::pair<std::string, std::string>>& fields) {
    std::map<std::size_t, std::string> values;
    auto further = nlohmann::ordered_json::object();
    for (const auto& [key, value] : fields) {
        if (const auto place = columns.place_of(key)) {
            values[fixed_columns().size() + *place] = value;
        } else {
            further[key] = value;
        }
    }
    if (!further.empty()) {
        values[fixed_columns().size() + columns.count() - 1] = json_text(further);
    }
    return values;
}

bool may_be_formula(std::string_view text) {
    return !text.empty() && std::string_view("=+-@\t\r").contains(text.front()) && !is_number(text);
}

bool is_number(std::string_view text) {
    if (text.starts_with('-') || text.starts_with('+')) {
        text.remove_prefix(1);
    }
    const auto point = text.find('.');
    const auto whole = text.substr(0, point);
    const auto part = point == std::string_view::npos ? "0" : text.substr(point + 1);
    return !whole.empty() && !part.empty() && std::ranges::all_of(whole, is_digit) &&
           std::ranges::all_of(part, is_digit);
}

bool is_exact_number(std::string_view text) {
    if (!is_number(text) || text.starts_with('+')) {
        return false;
    }
    const bool is_negative = text.starts_with('-');
    const auto plain = text.substr(is_negative ? 1 : 0);
    const auto digits = std::ranges::count_if(plain, is_digit);
    const bool has_point = plain.contains('.');
    return digits <= 15 && (plain.size() == 1 || plain[0] != '0' || plain[1] == '.') &&
           (!has_point || plain.back() != '0') && text != "-0";
}

}  // namespace fieldpost::cli
