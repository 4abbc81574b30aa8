// One line on the terminal that is written over: how far something long has come.
#pragma once

#include <string>

#include "cli/command.h"

namespace fieldpost::wire {
class Transfer;
}

namespace fieldpost::cli {

// Shows nothing if standard error is no terminal, or with --quiet or --json.
class ProgressLine {
public:
    explicit ProgressLine(const Common& common);
    ~ProgressLine() { clear(); }
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void show(const std::string& words);
    // Before anything else is printed.
    void clear();

private:
    bool is_shown_ = false;
    bool is_wanted_;
};

// "hyesan-b3 to hq: 1.2 of 18 MB, 7 KB/s, 40 min left".
std::string words_of(const wire::Transfer& transfer);

}  // namespace fieldpost::cli
