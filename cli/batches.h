// Requests about many reports. All are checked before anything is done or shown. Then they come in
// parts, and links come first between two.
#pragma once

#include <span>

#include "cli/command.h"

namespace fieldpost::cli {

using MakeRequest = std::function<wire::Request(std::span<const std::string> ids, bool only_check)>;
// A batch is one commit of the daemon. Gives each answer to `print`. Returns the exit code of the
// command.
constexpr std::size_t answers_a_commit = 500;
// To seal to many recipients, and to destroy large bodies, takes the daemon longer.
constexpr std::size_t slow_changes_a_commit = 25;
int ask_in_batches(const Common& common, std::span<const std::string> ids, std::size_t batch_size,
                   const MakeRequest& make, const std::function<void(const wire::Answer&)>& print);

// For requests that change nothing. The daemon answers as many reports at once as it has time for.
// One that was named twice may come twice.
Outcome<void> ask_in_pages(const Common& common, std::span<const std::string> ids,
                           const MakeRequest& make,
                           const std::function<Outcome<void>(const wire::Answer&)>& take);

}  // namespace fieldpost::cli
