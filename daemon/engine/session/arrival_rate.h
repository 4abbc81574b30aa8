// How fast something comes: bytes in seconds.
#pragma once

#include <cstdint>
#include <deque>

#include "proto/vocabulary.h"

namespace fieldpost::engine {

class ArrivalRate {
public:
    void count(Instant now, std::uint64_t bytes) {
        const auto second = second_of(now);
        if (seconds_.empty() || seconds_.back().second != second) {
            seconds_.push_back({second, 0});
        }
        seconds_.back().bytes += bytes;
        if (seconds_.size() > window) {
            seconds_.pop_front();
        }
    }
    // In the last five seconds.
    [[nodiscard]] std::uint64_t lately(Instant now) const {
        return sum([&](const Second& one) { return one.second + window > second_of(now); });
    }
    // In the last five seconds in which anything came.
    [[nodiscard]] std::uint64_t when_it_came() const {
        return sum([](const Second&) { return true; });
    }

    static constexpr std::int64_t window = 5;

private:
    struct Second {
        std::int64_t second = 0;
        std::uint64_t bytes = 0;
    };
    static std::int64_t second_of(Instant at) {
        return std::chrono::duration_cast<std::chrono::seconds>(at.since_start).count();
    }
    template <class Counts>
    [[nodiscard]] std::uint64_t sum(const Counts& counts) const {
        std::uint64_t bytes = 0;
        for (const auto& one : seconds_) {
            bytes += counts(one) ? one.bytes : 0;
        }
        return bytes;
    }

    std::deque<Second> seconds_;
};

}  // namespace fieldpost::engine
