// The time zone of this process, for the life of a Zone.
#pragma once

#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>

namespace fieldpost::tests {

class Zone {
public:
    // As in the environment's TZ, written out: "KST-9". Then no file of zones is needed.
    explicit Zone(const char* zone) {
        if (const auto* before = std::getenv("TZ")) {
            before_ = before;
        }
        ::setenv("TZ", zone, 1);
        ::tzset();
    }
    ~Zone() {
        before_ ? ::setenv("TZ", before_->c_str(), 1) : ::unsetenv("TZ");
        ::tzset();
    }
    Zone(const Zone&) = delete;
    Zone& operator=(const Zone&) = delete;

private:
    std::optional<std::string> before_;
};

}  // namespace fieldpost::tests
