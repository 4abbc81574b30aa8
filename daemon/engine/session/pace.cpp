#include "daemon/engine/session/pace.h"

#include <algorithm>
#include <limits>

#include "daemon/engine/session/segments.h"
#include "proto/limits.h"

namespace fieldpost::engine {

namespace {

constexpr std::int64_t depth_ms = 250;
// IPv4, and TCP with time stamps; IPv6 takes 20 more of 1,500.
constexpr std::uint64_t header_bytes = 52;
constexpr std::uint64_t paced_frame_bytes_min = 256;
// A longer pause earns no more: what is saved is bounded long before it.
constexpr std::int64_t pause_ms_max = 3'600'000;
// So that nothing overflows: 80 Gbit/s, which is no limit.
constexpr std::uint64_t rate_max = 10'000'000'000;

}  // namespace

Pace::Pace(std::uint64_t bytes_per_second)
    : rate_(static_cast<std::int64_t>(std::min(bytes_per_second, rate_max))),
      saved_(rate_ * depth_ms) {}

void Pace::let_pass(Instant now) {
    const auto passed = at_ ? std::clamp<std::int64_t>((now - *at_).count(), 0, pause_ms_max) : 0;
    at_ = now;
    saved_ = std::min(saved_ + rate_ * passed, rate_ * depth_ms);
}

void Pace::spend(std::uint64_t bytes) {
    spent_ += bytes;
    if (rate_ != 0) {
        saved_ -= static_cast<std::int64_t>(bytes) * 1000;
    }
}

void Pace::spend_frame(std::size_t frame_bytes) {
    const auto sent = frame_bytes + envelope_bytes;
    spend(sent + (sent + segment_bytes - 1) / segment_bytes * header_bytes);
}

void Pace::spend_acknowledgement() {
    spend(header_bytes);
}

std::optional<Instant> Pace::free_at() const {
    if (is_free() || !at_) {
        return std::nullopt;
    }
    return *at_ + std::chrono::milliseconds{(-saved_ + rate_ - 1) / rate_};
}

std::uint32_t Pace::frame_max() const {
    if (rate_ == 0) {
        return std::numeric_limits<std::uint32_t>::max();
    }
    const auto wanted = static_cast<std::uint64_t>(rate_) * 17 / 100;
    return static_cast<std::uint32_t>(whole_segments(
        std::clamp<std::uint64_t>(wanted, paced_frame_bytes_min, limits::frame_bytes_max)));
}

}  // namespace fieldpost::engine
