// A program as a person or a script starts it: a process of its own, with its own streams.
//
// Promise: however a test ends, what it started is ended and reaped, by its own pid. Not here: what
// the programs are for (offices.h).
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
    std::filesystem::path folder{};          // to start in; empty: where the tests run
    std::filesystem::path log{};             // where both outputs go; empty: to Ran
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
    // Feeds it what it has not had yet, reads what it says, and waits for its end. A program that
    // takes minutes is killed.
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

// Asks again and again until it holds; whether it did in time.
bool eventually(const std::function<bool()>& holds,
                std::chrono::seconds at_most = std::chrono::seconds(60));

}  // namespace fieldpost::end_to_end
