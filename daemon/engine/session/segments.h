// How frames fit TCP segments.
#pragma once

#include <cstdint>

namespace fieldpost::engine {

// A TCP segment of 1,448 bytes, and the 42 that ZeroMQ and CURVE put around a frame.
inline constexpr std::uint64_t segment_bytes = 1448;
inline constexpr std::uint64_t envelope_bytes = 42;

// The largest frame up to this size that goes out in whole segments, so that none is half full.
constexpr std::uint64_t whole_segments(std::uint64_t bytes) {
    const auto segments = (bytes + envelope_bytes) / segment_bytes;
    return segments == 0 ? bytes : segments * segment_bytes - envelope_bytes;
}

}  // namespace fieldpost::engine
