#include "daemon/runtime/clock.h"

namespace fieldpost::runtime {

Now now() {
    static const auto start = std::chrono::steady_clock::now();
    const auto steady = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    const auto wall = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return {Instant{steady}, WallTime::from_unix(wall.count())};
}

}  // namespace fieldpost::runtime
