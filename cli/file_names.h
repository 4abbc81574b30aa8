// Names of received files, as this machine and its folders take them.
#pragma once

#include <string>

namespace fieldpost::cli {

// A received name, made harmless: no separators, no control characters, no leading dot or dash.
std::string clean_name(const std::string& name);

// A simpler name, for a folder that refuses the first one: short, and without characters that FAT
// and NTFS do not take.
std::string plain_name(const std::string& name);

}  // namespace fieldpost::cli
