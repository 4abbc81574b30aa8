// The exit codes of the command. The daemon uses the table too: with each refusal it sends the exit
// code for the command. Scripts rely on the numbers (the manual lists them).
#pragma once

namespace fieldpost {

enum Exit : int {
    exit_done = 0,
    exit_failed = 1,
    exit_usage = 2,
    exit_no_daemon = 3,
    exit_not_found = 4,
    exit_refused = 5,
    exit_invalid = 6,
    exit_no_space = 7,
    exit_timed_out = 8,
    exit_needs_a_person = 9,
};

}  // namespace fieldpost
