#include "proto/typed.h"

#include <utf8proc.h>

#include <array>
#include <cstdlib>

namespace fieldpost {

std::string plain_typed(std::string_view text) {
    utf8proc_uint8_t* mapped = nullptr;
    const auto size = utf8proc_map(
        reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
        static_cast<utf8proc_ssize_t>(text.size()), &mapped,
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
                                       UTF8PROC_CASEFOLD | UTF8PROC_IGNORE));
    if (size < 0) {
        return std::string(text);
    }
    std::string plain;
    for (utf8proc_ssize_t at = 0; at < size;) {
        utf8proc_int32_t c = 0;
        const auto used = utf8proc_iterate(mapped + at, size - at, &c);
        const auto category = utf8proc_category(c);
        constexpr utf8proc_int32_t minus_sign = 0x2212;
        if (category == UTF8PROC_CATEGORY_PD || c == minus_sign) {
            plain += '-';
        } else if (category != UTF8PROC_CATEGORY_ZS && category != UTF8PROC_CATEGORY_ZL &&
                   category != UTF8PROC_CATEGORY_ZP && category != UTF8PROC_CATEGORY_CC) {
            plain.append(reinterpret_cast<const char*>(mapped + at),
                         static_cast<std::size_t>(used));
        }
        at += used;
    }
    std::free(mapped);  // utf8proc_map allocates with malloc
    return plain;
}

}  // namespace fieldpost
