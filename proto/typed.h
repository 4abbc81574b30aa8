// Texts as people type them with any input method: IDs and codes made plain, texts compared and
// cut.
#pragma once

#include <string>
#include <string_view>

namespace fieldpost {

// Turns other forms into lower-case ASCII: full-width letters, digits and hyphens (NFKC). Any dash
// or minus becomes "-". White space and invisible characters are removed. Other characters stay.
// Text that is not UTF-8 comes back unchanged.
std::string plain_typed(std::string_view text);

// For comparing without regard to case: Unicode case folding, NFC. Text that is not UTF-8 comes
// back unchanged.
std::string case_folded(std::string_view text);

// The first `bytes_max` bytes of a text, or a few less: no character is cut in two.
std::string_view cut_text(std::string_view text, std::size_t bytes_max);

}  // namespace fieldpost
