// Finds the mount point of a folder, so that nothing is written beneath a mount point whose medium
// is out.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "cli/folder/follower.h"

namespace fieldpost::cli {

// not_found: the folder is not there, or the medium that should be mounted there is not.
Outcome<FolderPlace> place_of(const std::filesystem::path& folder);

// The mount point that holds this folder according to the machine's /etc/fstab, if nothing is
// mounted at it. Nothing: all is mounted, or fstab does not list the place. A medium that is
// mounted without an entry there looks like a plain folder once it is out. Only a program that saw
// it before can tell.
std::optional<std::filesystem::path> missing_mount(const std::filesystem::path& folder);
// missing_mount() for the text of such a file.
std::optional<std::filesystem::path> missing_mount(
    const std::filesystem::path& folder, const std::string& table,
    const std::function<bool(const std::filesystem::path&)>& is_mounted);

}  // namespace fieldpost::cli
