// Asks an address again and again whether anybody answers there, more often than TCP would: a link
// that comes for ten seconds is worth noticing in a third of one.
//
// An attempt of libzmq's sends its next SYN after a second, and the kernel has no option for that.
// Here it is a new attempt each time. Who answers is told nothing: the connection is reset. Nothing
// waits: whoever owns it polls fds() and calls advance().
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace fieldpost::link {

class ReachProbe {
public:
    using Clock = std::chrono::steady_clock;

    // "tcp://ADDRESS:PORT"; where the host is a name nobody answers. Begins when it is advanced.
    explicit ReachProbe(std::string endpoint) : endpoint_(std::move(endpoint)) {}
    ~ReachProbe();
    ReachProbe(const ReachProbe&) = delete;
    ReachProbe& operator=(const ReachProbe&) = delete;

    // All that can be done without waiting. True: somebody has answered.
    bool advance(Clock::time_point now);
    // They become writable when somebody answers.
    [[nodiscard]] std::vector<int> fds() const;
    // When it is to be advanced though nobody answers.
    [[nodiscard]] Clock::time_point until() const { return next_; }

private:
    struct Attempt {
        int fd = -1;
        Clock::time_point ends{};
    };

    std::string endpoint_;
    std::vector<Attempt> attempts_;
    Clock::time_point next_{};
};

}  // namespace fieldpost::link
