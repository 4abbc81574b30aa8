#include "daemon/runtime/clock.h"

#include <ctime>

namespace fieldpost::runtime {

Now now() {
    static const auto start = std::chrono::steady_clock::now();
    const auto steady = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    const auto wall = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return {Instant{steady}, WallTime::from_unix(wall.count())};
}

std::chrono::nanoseconds used_by_this_thread() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds{used.tv_sec} + std::chrono::nanoseconds{used.tv_nsec};
}

}  // namespace fieldpost::runtime
