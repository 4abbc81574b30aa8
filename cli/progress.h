// One line on the terminal that is written over. It shows how far a long action has come.
#pragma once

#include <chrono>
#include <deque>
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
    // To be called before anything else is printed.
    void clear();

private:
    bool is_shown_ = false;
    bool is_wanted_;
};

// Says how far a transfer has come and how long it still takes. The rate is the mean of the last
// seconds, as this end saw them, because a limit may allow less than the link could carry.
class TransferWords {
public:
    // "hyesan-b3 to hq: 40 min left, 1.2 of 18 MB, 7 KB/s". For another transfer it begins again.
    std::string of(const wire::Transfer& transfer, std::chrono::steady_clock::time_point now);

private:
    struct Sample {
        std::chrono::steady_clock::time_point at{};
        std::uint64_t done_bytes = 0;
    };
    std::string which_;
    std::deque<Sample> samples_;  // ascending
};

}  // namespace fieldpost::cli
