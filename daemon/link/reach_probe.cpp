#include "daemon/link/reach_probe.h"

#include "daemon/link/connecting.h"

namespace fieldpost::link {

namespace {

using namespace std::chrono_literals;

constexpr auto interval = 350ms;
// Less than the time after which TCP would ask again. Longer ways are left to the attempt beside
// this probe.
constexpr auto patience = 950ms;

}  // namespace

ReachProbe::~ReachProbe() {
    for (auto& attempt : attempts_) {
        close_fd(attempt.fd);
    }
}

bool ReachProbe::advance(Clock::time_point now) {
    for (auto& attempt : attempts_) {
        const auto has_answered = has_connected(attempt.fd);
        if (has_answered.value_or(false)) {
            return true;
        }
        if (!has_answered || attempt.ends <= now) {
            close_fd(attempt.fd);
        }
    }
    std::erase_if(attempts_, [](const auto& attempt) { return attempt.fd < 0; });
    if (next_ <= now) {
        const auto fd = begin_connecting(endpoint_);
        if (fd >= 0) {
            attempts_.push_back({fd, now + patience});
        }
        next_ = now + interval;
    }
    return false;
}

std::vector<int> ReachProbe::fds() const {
    std::vector<int> all;
    all.reserve(attempts_.size());
    for (const auto& attempt : attempts_) {
        all.push_back(attempt.fd);
    }
    return all;
}

}  // namespace fieldpost::link
