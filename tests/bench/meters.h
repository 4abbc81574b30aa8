// Clocks and counters of this machine and of other processes, as the kernel gives them.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace fieldpost::bench {

using Seconds = std::chrono::duration<double>;

class Stopwatch {
public:
    [[nodiscard]] Seconds passed() const { return std::chrono::steady_clock::now() - start_; }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// User and system time of all threads, in steps of a clock tick (10 ms).
Seconds cpu_of(pid_t process);
// User and system time of the calling thread.
Seconds cpu_here();

struct Memory {
    std::uint64_t bytes = 0;
    // True where the kernel shows this user no more: the program's own pages are not counted then.
    bool is_anonymous_only = false;
};
// The memory of a process, without the mapping of files whose name ends with `map`.
Memory resident_beyond(pid_t process, const std::string& map);

// The memory that no file gives: the map of a store is not in it.
Memory anonymous(pid_t process);

// Runs a program to its end and waits for nothing else: no pipes, no polling. False if it failed.
bool run_quickly(const std::vector<std::string>& words, const std::filesystem::path& input);

// One line: processor, cores, file system below `folder`.
std::string machine(const std::filesystem::path& folder);

}  // namespace fieldpost::bench
