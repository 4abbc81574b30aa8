// A folder whose files another program moves: Syncthing, scp, mail, a shared drive. It is synced
// again and again. This gives a Follower (follower.h) the real folder, the daemon of the home and
// the clock.
//
// Promise: files that others left there are taken in within seconds. Reports that they lack are
// left there, a file at a time and each report once. A file that is being moved is not replaced by
// new reports: they go into another file beside it.
//
// Files of others are never touched. Troubles are told to the daemon, for `attention`, and end
// nothing.
#pragma once

#include <filesystem>

#include "cli/command.h"
#include "cli/folder/follower.h"

namespace fieldpost::cli {

// Runs until it is told to stop (0), or until the daemon goes (3).
int follow_folder(const Common& common, const std::filesystem::path& folder, FollowOptions options);

}  // namespace fieldpost::cli
