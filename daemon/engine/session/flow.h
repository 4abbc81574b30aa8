// How much may be under way to a peer, and in what pieces, from what its acknowledgements show of
// the link: a queue before the slow part of a link would hold up what is urgent (P10), and too
// little under way would leave the link idle.
//
// Method: delivery rate and round trip as in BBR (Cardwell, Cheng, Gunn, Hassas Yeganeh, Jacobson:
// "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016), but with a window and no
// pacing, and without its start-up, which overshoots on slow links: the window is twice the product
// of both while the round trips show no queue, and 1.25 times otherwise.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "proto/vocabulary.h"

namespace fieldpost::engine {

class Flow {
public:
    // Measurements of the way to a peer when the last link to it ended. They save the slow
    // beginning: a link that comes for seconds has no more than that. They are believed only as far
    // as they could not fill a queue, and until the first round trip shows that this is another
    // way.
    struct Hint {
        std::uint64_t bytes_per_second = 0;
        std::chrono::milliseconds round_trip{};
        std::uint64_t contact_bytes = 0;  // of data that the link carried while it lasted
    };
    Flow() = default;
    Flow(const Hint& hint, Instant now);
    // Empty: nothing was measured.
    [[nodiscard]] std::optional<Hint> hint() const;

    // Both in data bytes since the link came up, ascending.
    void sent(std::uint64_t total, Instant now);
    void acknowledged(std::uint64_t total, Instant now);
    // So much of what is under way has arrived behind a hole. Until the next acknowledgement as
    // much more may be under way, or the link would idle while TCP repairs a loss.
    void repairs(std::uint64_t bytes) { behind_hole_ = bytes; }
    // Counts frames that are not data and travel before it, such as a summary.
    void control_sent(std::size_t bytes) { control_under_way_ += under_way_.empty() ? 0 : bytes; }
    // Anything that came is a sign of life.
    void heard(Instant now) { heard_at_ = now; }
    // Less is waiting than the link would take: what is measured now says little of its rate.
    void ran_dry();

    // Bytes that may be sent and not acknowledged.
    [[nodiscard]] std::uint32_t window() const;
    // The size of one frame of data, in bytes.
    [[nodiscard]] std::uint32_t frame() const;

    // From then on the link is to be taken for dead: what is under way was not acknowledged.
    [[nodiscard]] std::optional<Instant> dead_at() const;

    // Zero: not known yet.
    [[nodiscard]] std::uint64_t bytes_per_second() const { return rate(); }
    [[nodiscard]] std::chrono::milliseconds least_round_trip() const { return least_round_trip_; }
    [[nodiscard]] bool knows_round_trip() const { return knows_round_trip_; }

private:
    // A frame under way, and what was known when it was sent.
    struct Sent {
        std::uint64_t total = 0;
        Instant at{};
        std::uint64_t acknowledged = 0;
        Instant acknowledged_at{};
        Instant first_at{};
        bool is_dry = false;
    };
    struct Sample {
        Instant at{};
        std::uint64_t rate = 0;
    };

    [[nodiscard]] std::uint64_t rate() const;
    [[nodiscard]] std::chrono::milliseconds segment_time() const;
    void measure_rate(const Sent& newest, Instant now);
    void measure_round_trip(std::chrono::milliseconds round_trip, Instant now);

    std::deque<Sent> under_way_;
    std::uint64_t sent_total_ = 0;
    std::uint64_t acknowledged_total_ = 0;
    Instant acknowledged_at_{};
    Instant first_at_{};
    Instant heard_at_{};
    std::uint64_t behind_hole_ = 0;
    std::uint64_t control_under_way_ = 0;     // since the last acknowledgement
    std::optional<std::uint64_t> dry_until_;  // acknowledged
    std::deque<Sample> rates_;                // descending; the first is the greatest of late

    // A round ends when what was sent at its beginning is acknowledged.
    std::uint64_t round_ends_at_ = 0;
    std::optional<std::chrono::milliseconds> round_least_;
    bool is_queue_free_ = true;  // in the last round
    std::uint64_t rate_at_round_ = 0;
    int rounds_since_probe_ = 2;

    std::chrono::milliseconds least_round_trip_{0};
    std::chrono::milliseconds last_round_trip_{0};
    Instant least_since_{};
    bool knows_round_trip_ = false;
    // Until this one has carried more: a frame that a cut takes is lost whole.
    std::uint64_t last_contact_bytes_ = UINT64_MAX;
    bool is_hinted_ = false;   // nothing was measured yet
    bool knows_rate_ = false;  // from a time when there was enough to send
    // While the least is looked for anew, less is under way: rounds left, and the least so far.
    int probe_rounds_ = 0;
    std::optional<std::chrono::milliseconds> probe_least_;
};

}  // namespace fieldpost::engine
