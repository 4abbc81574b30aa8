// The attachments of exported reports as files: each content once, under its SHA-256, and for
// people FOLDER/ID/NAME, which is a link to it, or a copy where there are no links.
#pragma once

#include <filesystem>

#include "cli/command.h"

namespace fieldpost::wire {
class Entry;
}

namespace fieldpost::cli {

// Saves those of one report. Returns their sums, in hexadecimal digits. Safe to repeat.
Outcome<std::vector<std::string>> save_attachments(const Common& common,
                                                   const std::filesystem::path& folder,
                                                   const wire::Entry& entry);

}  // namespace fieldpost::cli
