// A folder whose files somebody moves: Syncthing, scp, mail, a shared drive. Synced again and
// again.
//
// Promise: what others leave there is taken in within seconds, and what they lack is left there, a
// file at a time and each thing once: a file that is being moved is not replaced for what is new,
// but another put beside it. Files of others are never touched. What is wrong is told to the
// daemon, for `attention`, and ends nothing.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.h"

namespace fieldpost::cli {

struct FollowOptions {
    std::vector<std::string> offices;  // for whom; empty: for everybody
    bool is_read_only = false;         // nothing is left there
};
// Until it is told to stop (0), or the daemon goes (3).
int follow_folder(const Common& common, const std::filesystem::path& folder, FollowOptions options);

}  // namespace fieldpost::cli
