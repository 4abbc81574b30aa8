// The number that salts the fingerprints of two offices: proto/WIRE.md, "Fingerprint".
#pragma once

#include <cstdint>

namespace fieldpost::engine {

// The later of two that count on from each other, past the highest to 0: the one with fewer steps
// to it from the other. Of two that are half the way round apart, the higher. So both ends choose
// the same, whichever number one of them begins with.
constexpr std::uint32_t later_fingerprint_number(std::uint32_t one, std::uint32_t other) {
    constexpr std::uint32_t half = 1U << 31;
    const std::uint32_t steps = other - one;
    if (steps == half) {
        return one > other ? one : other;
    }
    return steps < half ? other : one;
}

}  // namespace fieldpost::engine
