// Asks an address again and again if anybody answers there, more often than TCP would. A link that
// comes for ten seconds should be noticed in a third of a second.
//
// An attempt of libzmq's sends its next SYN after a second, and the kernel has no option for that.
// Here it is a new attempt each time. The machine that answers is told nothing: the connection is
// reset.
//
// Nothing waits: the owner polls fds() and calls advance().
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace fieldpost::link {

class ReachProbe {
public:
    using Clock = std::chrono::steady_clock;

    // `endpoint` is "tcp://ADDRESS:PORT". If the host is a name, nobody will answer. The first
    // advance() begins the probe.
    explicit ReachProbe(std::string endpoint) : endpoint_(std::move(endpoint)) {}
    ~ReachProbe();
    ReachProbe(const ReachProbe&) = delete;
    ReachProbe& operator=(const ReachProbe&) = delete;

    // Does everything that is possible without waiting. True: an attempt was answered.
    bool advance(Clock::time_point now);
    // These become writable when an attempt is answered.
    [[nodiscard]] std::vector<int> fds() const;
    // When advance() has to be called even if nobody answers.
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
