#include "daemon/engine/session/flow.h"

#include <algorithm>
#include <utility>

#include "daemon/engine/session/segments.h"
#include "proto/limits.h"

namespace fieldpost::engine {

static_assert(limits::joined_frames_bytes_max == segment_bytes - envelope_bytes);

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t frame_bytes_min = 256;
constexpr std::uint64_t frame_bytes_max = 16384;
constexpr std::uint64_t frames_a_contact = 64;
// While nothing is known of the rate: at 9.6 kbit/s it takes two seconds.
constexpr std::uint64_t window_at_first = 2000;
constexpr std::uint64_t frame_bytes_at_first = 480;
constexpr std::uint64_t window_max = 4U << 20;
// Limits for what the last link taught. Faster links need no help at the beginning.
constexpr std::uint64_t hinted_window_max = 12'000;
constexpr std::uint64_t hinted_rate_max = 100 * (segment_bytes - envelope_bytes);
// So many rounds later more is tried than was known.
constexpr int hinted_rounds = 8;
// A greater rate is believed for so many of the least round trips.
constexpr int rate_remembered = 10;
constexpr std::chrono::milliseconds rate_remembered_min = 500ms;
constexpr std::chrono::milliseconds round_trip_remembered = 60s;
// Below this a round trip shows that nothing waits in a queue on the way.
constexpr std::chrono::milliseconds jitter = 3ms;
// The first of these rounds began before the probe.
constexpr int probe_rounds = 3;

// TCP repairs a loss in less: 4.6 s was the longest seen at 64 kbit/s, 300 ms and 1 % loss.
constexpr std::chrono::milliseconds patience_min = 5s;
constexpr int patience_round_trips = 6;
// While nothing is known of the link.
constexpr std::chrono::milliseconds patience_at_first = 60s;
// The acknowledgement may stand behind a frame of theirs that is not here yet: a summary, half of
// the largest that may come.
constexpr std::uint64_t between_bytes = limits::control_frame_bytes_max / 2;

}  // namespace

Flow::Flow(const Hint& hint, Instant now)
    : is_queue_free_(false),
      least_round_trip_(std::max(hint.round_trip, std::chrono::milliseconds{1})),
      last_round_trip_(least_round_trip_),
      least_since_(now),
      knows_round_trip_(true),
      last_contact_bytes_(hint.contact_bytes),
      is_hinted_(true),
      knows_rate_(true) {
    const auto round_trip = static_cast<std::uint64_t>(least_round_trip_.count());
    rates_.push_back({now, std::min({hint.bytes_per_second, hinted_rate_max,
                                     hinted_window_max * 800 / round_trip})});
    rounds_since_probe_ = -hinted_rounds;
}

std::optional<Flow::Hint> Flow::hint() const {
    return knows_round_trip_ && knows_rate_ && !rates_.empty()
               ? std::optional(Hint{rate(), least_round_trip_, acknowledged_total_})
               : std::nullopt;
}

std::uint64_t Flow::rate() const {
    return rates_.empty() ? 0 : rates_.front().rate;
}

std::uint32_t Flow::frame() const {
    const auto a_second = rate();
    const auto round_trip = static_cast<std::uint64_t>(least_round_trip_.count());
    // Small against what is under way, or the link idles between two; and no longer than what is
    // urgent may wait behind one.
    const auto wanted = std::min(
        a_second * 17 / 100,
        std::max({a_second * round_trip / 4000, segment_bytes - envelope_bytes, a_second / 100}));
    const auto contact = std::max(last_contact_bytes_, acknowledged_total_);
    const auto most =
        std::clamp(contact / frames_a_contact, segment_bytes - envelope_bytes, frame_bytes_max);
    return static_cast<std::uint32_t>(whole_segments(
        std::clamp(wanted, knows_rate_ ? frame_bytes_min : frame_bytes_at_first, most)));
}

std::uint32_t Flow::window() const {
    const auto least = knows_rate_ ? frame() : window_at_first;
    if (!knows_round_trip_ || rates_.empty()) {
        return window_at_first;
    }
    const auto round_trip = static_cast<std::uint64_t>(least_round_trip_.count());
    auto product = rate() * round_trip / 1000;
    product = is_queue_free_ && probe_rounds_ == 0 ? product * 2 : product * 5 / 4;
    auto window = std::max<std::uint64_t>(product + frame(), std::uint64_t{3} * frame());
    if (probe_rounds_ > 0) {
        window = window * 6 / 10;
    }
    window += std::min(behind_hole_, window);
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(window, least, window_max));
}

std::optional<Instant> Flow::dead_at() const {
    if (under_way_.empty()) {
        return std::nullopt;
    }
    const auto since = std::max({acknowledged_at_, heard_at_, under_way_.front().at});
    if (rate() == 0) {
        return since + patience_at_first;
    }
    const std::chrono::milliseconds between{between_bytes * 1000 / rate()};
    const std::chrono::milliseconds ours{control_under_way_ * 1000 / rate()};
    return since + ours +
           std::max(
               {patience_min, patience_round_trips * last_round_trip_, between + last_round_trip_});
}

void Flow::sent(std::uint64_t total, Instant now) {
    if (under_way_.empty()) {
        first_at_ = now;
        acknowledged_at_ = now;
    }
    sent_total_ = total;
    under_way_.push_back(
        {total, now, acknowledged_total_, acknowledged_at_, first_at_, dry_until_.has_value()});
}

void Flow::acknowledged(std::uint64_t total, Instant now) {
    if (total <= acknowledged_total_) {
        return;
    }
    acknowledged_total_ = total;
    acknowledged_at_ = now;
    control_under_way_ = 0;
    behind_hole_ = 0;
    std::optional<Sent> newest;
    while (!under_way_.empty() && under_way_.front().total <= total) {
        newest = under_way_.front();
        under_way_.pop_front();
    }
    if (!newest) {
        return;
    }
    first_at_ = newest->at;
    measure_round_trip(now.since_start - newest->at.since_start, now);
    measure_rate(*newest, now);
    if (dry_until_ && total > *dry_until_) {
        dry_until_.reset();
    }
    if (total >= round_ends_at_) {
        round_ends_at_ = sent_total_;
        // A round with less under way says nothing of whether more would fit.
        is_queue_free_ = round_least_ && probe_rounds_ == 0 && rounds_since_probe_ > 1 &&
                         *round_least_ * 5 < least_round_trip_ * 6 + 5 * (jitter + segment_time());
        rate_at_round_ = rate();
        round_least_.reset();
        ++rounds_since_probe_;
        const bool was_probe = probe_rounds_ > 0;
        probe_rounds_ -= was_probe ? 1 : 0;
        if (was_probe && probe_rounds_ == 0) {
            least_round_trip_ = probe_least_.value_or(least_round_trip_);
            least_since_ = now;
            rounds_since_probe_ = 0;
        }
    }
}

void Flow::ran_dry() {
    dry_until_ = sent_total_;
    // The frames that were just sent did not fill the link either.
    for (auto at = under_way_.rbegin(); at != under_way_.rend() && at->at == under_way_.back().at;
         ++at) {
        at->is_dry = true;
    }
}

// As long as each round finds a greater rate there is no queue: what round trips have become longer
// by is the time that small frames take which left together, and share a segment.
std::chrono::milliseconds Flow::segment_time() const {
    if (rate() < rate_at_round_ * 5 / 4 || rate() == 0) {
        return {};
    }
    return std::min(least_round_trip_, std::chrono::milliseconds{segment_bytes * 1000 / rate()});
}

void Flow::measure_round_trip(std::chrono::milliseconds round_trip, Instant now) {
    if (std::exchange(is_hinted_, false)) {
        knows_round_trip_ = false;
        if (round_trip > 2 * least_round_trip_ + 5 * jitter) {
            rates_.clear();  // another way than before
            rounds_since_probe_ = 2;
        }
    }
    last_round_trip_ = round_trip;
    round_least_ = std::min(round_least_.value_or(round_trip), round_trip);
    probe_least_ = std::min(probe_least_.value_or(round_trip), round_trip);
    if (!knows_round_trip_ || round_trip <= least_round_trip_) {
        least_round_trip_ = round_trip;
        least_since_ = now;
        knows_round_trip_ = true;
        if (std::exchange(probe_rounds_, 0) > 0) {
            rounds_since_probe_ = 0;
        }
    } else if (now - least_since_ > round_trip_remembered && probe_rounds_ == 0) {
        // The way may have become longer. With less under way, what a queue adds goes away.
        probe_rounds_ = probe_rounds;
        probe_least_.reset();
    }
}

void Flow::measure_rate(const Sent& newest, Instant now) {
    // The rate is the bytes acknowledged while this frame was under way, over the longer of two
    // times: that to send them and that to acknowledge them. Acknowledgements that come in a bunch
    // would look like speed otherwise.
    const auto bytes = acknowledged_total_ - newest.acknowledged;
    const auto took = std::max({newest.at.since_start - newest.first_at.since_start,
                                now.since_start - newest.acknowledged_at.since_start,
                                std::chrono::milliseconds{1}});
    const auto sample = bytes * 1000 / static_cast<std::uint64_t>(took.count());
    if (newest.is_dry && sample <= rate()) {
        return;
    }
    knows_rate_ = knows_rate_ || !newest.is_dry;
    while (!rates_.empty() && rates_.back().rate <= sample) {
        rates_.pop_back();
    }
    rates_.push_back({now, sample});
    const auto remembered = std::max(rate_remembered_min, rate_remembered * least_round_trip_);
    while (rates_.size() > 1 && now - rates_.front().at > remembered) {
        rates_.pop_front();
    }
}

}  // namespace fieldpost::engine
