// A question whose answer is wanted later: the daemon makes one page while the page before is
// written.
#pragma once

#include <future>

#include "cli/command.h"

namespace fieldpost::cli {

// `common` must live until the answer was taken.
std::future<Outcome<wire::Answer>> ask_ahead(const Common& common, const wire::Request& request);

}  // namespace fieldpost::cli
