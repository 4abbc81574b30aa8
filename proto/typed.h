// What people type for an ID or a code, however their input method writes it.
#pragma once

#include <string>
#include <string_view>

namespace fieldpost {

// Lower-case ASCII where the text has it in another form: full-width letters, digits and hyphens
// (NFKC), any dash or minus as "-", and without white space and invisible characters. Other
// characters stay. Text that is not UTF-8 comes back as it is.
std::string plain_typed(std::string_view text);

}  // namespace fieldpost
