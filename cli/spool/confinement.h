// Takes rights from this process that it does not need.
#pragma once

#include <filesystem>

namespace fieldpost::cli {

// From now on this process opens files of this folder only, and the time zone. Sockets are not
// affected, nor is a medium that is mounted there later: it cannot be opened. False: the folder is
// not there, or this kernel cannot do so. Method: Landlock (Linux's userspace-api/landlock).
bool confine_to(const std::filesystem::path& folder);

}  // namespace fieldpost::cli
