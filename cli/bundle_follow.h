// A folder whose files somebody moves: Syncthing, scp, mail, a shared drive. Synced again and
// again: the real folder, the daemon of the home and the clock, for a Follower (follower.h).
//
// Promise: files that others left there are taken in within seconds, and reports that they lack are
// left there, a file at a time and each thing once: a file that is being moved is not replaced for
// what is new, but another put beside it. Files of others are never touched. Troubles are told to
// the daemon, for `attention`, and end nothing.
#pragma once

#include <filesystem>

#include "cli/command.h"
#include "cli/follower.h"

namespace fieldpost::cli {

// Until it is told to stop (0), or the daemon goes (3).
int follow_folder(const Common& common, const std::filesystem::path& folder, FollowOptions options);

}  // namespace fieldpost::cli
