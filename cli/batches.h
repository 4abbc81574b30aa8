// Requests about many reports: all are checked before the first is done. Each batch is a commit of
// the daemon, and links come first between two.
#pragma once

#include <span>

#include "cli/command.h"

namespace fieldpost::cli {

using MakeRequest = std::function<wire::Request(std::span<const std::string> ids, bool only_check)>;
// Gives each answer to `print`. Returns the exit code of the command.
int ask_in_batches(const Common& common, std::span<const std::string> ids, const MakeRequest& make,
                   const std::function<void(const wire::Answer&)>& print);

}  // namespace fieldpost::cli
