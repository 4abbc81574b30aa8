// IDs and codes as people type them with any input method.
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

}  // namespace fieldpost
