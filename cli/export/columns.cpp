#include "cli/export/columns.h"

#include "crypto/hash.h"
#include "proto/bytes.h"
#include "proto/typed.h"

namespace fieldpost::cli {

namespace {

std::string cut(const std::string& text, std::size_t bytes_max) {
    auto end = std::min(text.size(), bytes_max);
    while (end > 0 && end < text.size() &&
           (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
        --end;  // in the middle of a character
    }
    return text.substr(0, end);
}

std::string hex_hash_of(const std::string& key) {
    crypto::Sha256 sum;
    sum.add(as_bytes(key));
    return to_hex(sum.finish());
}

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

FieldColumns::FieldColumns() {
    taken_.insert(fixed_columns().begin(), fixed_columns().end());
}

std::size_t FieldColumns::place_of(const std::string& key) {
    const auto [found, is_new] = places_.try_emplace(key, names_.size());
    if (!is_new) {
        return found->second;
    }
    auto name = key;
    const auto hash = hex_hash_of(key);
    // Six digits; more only where somebody made two keys with the same six.
    for (std::size_t digits = 6;
         name.size() > column_bytes_max || taken_.contains(case_folded(name)); digits += 2) {
        name = cut(key, column_bytes_max - 1 - digits) + "_" + hash.substr(0, digits);
    }
    taken_.insert(case_folded(name));
    names_.push_back(std::move(name));
    return found->second;
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
