// Holds one direction of a link to a rate: a token bucket, a quarter of a second deep.
//
// Promise: over any ten seconds not more than the rate and 5 %, TCP and IP headers in, as long as
// what is held back is what may be. What is not held back (a summary, say) is paid for by what
// follows it. Not counted: what TCP sends twice, and the handshake.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/vocabulary.h"

namespace fieldpost::engine {

class Pace {
public:
    // Zero: as fast as it goes.
    explicit Pace(std::uint64_t bytes_per_second);

    void let_pass(Instant now);
    // One frame, with all that is put around it on its way.
    void spend_frame(std::size_t frame_bytes);
    // A frame that goes along in the message of the one before.
    void spend_joined(std::size_t frame_bytes) { spend(frame_bytes + 2); }
    // The bare acknowledgement of one TCP segment.
    void spend_acknowledgement();

    // As of the last let_pass().
    [[nodiscard]] bool is_free() const { return saved_ >= 0; }
    [[nodiscard]] std::optional<Instant> free_at() const;
    // All that was spent so far, in bytes.
    [[nodiscard]] std::uint64_t spent() const { return spent_; }
    // Larger ones would make what is urgent wait.
    [[nodiscard]] std::uint32_t frame_max() const;

private:
    void spend(std::uint64_t bytes);

    std::int64_t rate_;   // bytes a second
    std::int64_t saved_;  // thousandths of a byte; less than zero: spent before it was earned
    std::uint64_t spent_ = 0;
    std::optional<Instant> at_;
};

}  // namespace fieldpost::engine
