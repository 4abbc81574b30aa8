// Where a folder is mounted, so that nothing is written beneath a mount point whose medium is out.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "cli/follower.h"

namespace fieldpost::cli {

// not_found: the folder is not there, or what is to be mounted there is not.
Outcome<FolderPlace> place_of(const std::filesystem::path& folder);

// The mount point that holds this folder by the machine's /etc/fstab and at which nothing is
// mounted; nothing: all is as it says, or it does not name it. A medium that is mounted without
// being listed there cannot be told from a plain folder once it is out, except by who saw it.
std::optional<std::filesystem::path> missing_mount(const std::filesystem::path& folder);
// The same by the text of such a file.
std::optional<std::filesystem::path> missing_mount(
    const std::filesystem::path& folder, const std::string& table,
    const std::function<bool(const std::filesystem::path&)>& is_mounted);

}  // namespace fieldpost::cli
