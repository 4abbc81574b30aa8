// How a request is refused: one clear line, the promised exit code, and nothing changed.
#pragma once

#include <functional>

#include "tests/end_to_end/offices.h"

namespace fieldpost::end_to_end {

struct Bad {
    std::string what;
    Words words;
    int exit = 0;
    std::string input = "a text\n";
};

// The faults in how a request was refused. Empty: none.
Words faults_of(const Ran& ran, int exit);

// Everything that a request could have changed.
Json state_of(const Office& office);

// Makes the request as staff do and as a script does. `state` must be the same afterwards.
void check_refused(
    const Office& office, const Bad& bad,
    const std::function<Json(const Office&)>& state = [](const auto&) { return Json(); });

}  // namespace fieldpost::end_to_end
