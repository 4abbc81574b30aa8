#include "proto/typed.h"

#include <utf8proc.h>

#include <cstdlib>
#include <optional>

namespace fieldpost {

namespace {

// Nothing: the text is not UTF-8.
std::optional<std::string> mapped(std::string_view text, int options) {
    utf8proc_uint8_t* result = nullptr;
    const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                   static_cast<utf8proc_ssize_t>(text.size()), &result,
                                   static_cast<utf8proc_option_t>(options));
    if (size < 0) {
        return std::nullopt;
    }
    std::string copy(reinterpret_cast<const char*>(result), static_cast<std::size_t>(size));
    std::free(result);  // NOLINT(cppcoreguidelines-no-malloc): utf8proc_map allocates so
    return copy;
}

}  // namespace

std::string plain_typed(std::string_view text) {
    const auto folded = mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                         UTF8PROC_CASEFOLD | UTF8PROC_IGNORE);
    if (!folded) {
        return std::string(text);
    }
    const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(folded->data());
    const auto size = static_cast<utf8proc_ssize_t>(folded->size());
    std::string plain;
    for (utf8proc_ssize_t at = 0; at < size;) {
        utf8proc_int32_t c = 0;
        const auto used = utf8proc_iterate(bytes + at, size - at, &c);
        const auto category = utf8proc_category(c);
        constexpr utf8proc_int32_t minus_sign = 0x2212;
        if (category == UTF8PROC_CATEGORY_PD || c == minus_sign) {
            plain += '-';
        } else if (category != UTF8PROC_CATEGORY_ZS && category != UTF8PROC_CATEGORY_ZL &&
                   category != UTF8PROC_CATEGORY_ZP && category != UTF8PROC_CATEGORY_CC) {
            plain.append(*folded, static_cast<std::size_t>(at), static_cast<std::size_t>(used));
        }
        at += used;
    }
    return plain;
}

std::string case_folded(std::string_view text) {
    return mapped(text, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD)
        .value_or(std::string(text));
}

std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
    auto end = std::min(text.size(), bytes_max);
    while (end > 0 && end < text.size() &&
           (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
        --end;
    }
    return text.substr(0, end);
}

}  // namespace fieldpost
