// A program as a person or a script starts it: a process of its own, with its own streams.
//
// Promise: however a test ends, the programs that it started are ended and reaped, by their own
// pids. Not here: the purpose of the programs (offices.h).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace fieldpost::end_to_end {

struct Ran {
    int exit_code = -1;  // 128 + N: signal N ended it
    std::string out;
    std::string err;
};
// Whole, for a failed check to print.
std::ostream& operator<<(std::ostream& out, const Ran& ran);

struct Command {
    std::vector<std::string> words;  // the first is the program's path
    std::string input{};
    std::vector<std::string> environment{};  // "NAME=VALUE", beside what the tests themselves have
    std::filesystem::path folder{};          // the folder to start in; empty: that of the tests
    std::filesystem::path log{};             // the file for both outputs; empty: they go to Ran
    bool shows_on_terminal = false;          // standard output is a terminal of 80 columns
};

class Program {
public:
    explicit Program(Command command);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool is_running();
    void signal(int number) const;
    // Feeds the program the rest of its input, reads its output, and waits for its end. A program
    // that takes minutes is killed.
    Ran finish();

private:
    void feed();
    void reap(int options);

    Command command_;
    pid_t pid_ = -1;
    std::size_t fed_ = 0;
    int in_ = -1;
    int out_ = -1;
    int err_ = -1;
    std::optional<int> ended_;
};

Ran run(Command command);

// Asks again and again until it holds. False: it did not in time.
bool eventually(const std::function<bool()>& holds,
                std::chrono::seconds at_most = std::chrono::seconds(60));

}  // namespace fieldpost::end_to_end
