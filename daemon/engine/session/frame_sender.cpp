#include "daemon/engine/session/frame_sender.h"

#include <algorithm>

#include "proto/limits.h"
#include "proto/link_message.h"

namespace fieldpost::engine {

namespace {

// With all that is around it, less than the smallest packet that every way takes (RFC 791: 576).
constexpr std::uint32_t cautious_frame_bytes = 400;
constexpr std::size_t summary_frame_bytes_max = limits::control_frame_bytes_max / 2;
constexpr std::size_t summary_frame_bytes_min = 4096;

}  // namespace

void FrameSender::let_time_pass(Now now) {
    now_ = now.steady;
    pace_out_.let_pass(now_);
    pace_in_.let_pass(now_);
}

void FrameSender::send(const Frame& frame, Consequences& out) {
    auto bytes = encode_frame(frame);
    if (is_data(frame)) {
        data_sent_ += bytes.size();
        flow_.sent(data_sent_, now_);
    } else {
        flow_.control_sent(bytes.size());
    }
    // Before it has greeted, a peer may be one whose door takes single frames only.
    if (credit_bytes_ && !is_cautious_ && !out.send.empty() && out.send.back().link == link_ &&
        join_frame(out.send.back().bytes, bytes)) {
        pace_out_.spend_joined(bytes.size());
        return;
    }
    pace_out_.spend_frame(bytes.size());
    out.send.push_back({link_, std::move(bytes)});
}

// Frames go out after the commit, so all data up to here is on disk when the peer reads this.
void FrameSender::acknowledge(Consequences& out) {
    if (std::exchange(acknowledgement_sent_, data_received_) != data_received_) {
        send(Acknowledged{data_received_}, out);
    }
}

void FrameSender::received_message(std::size_t bytes, Instant now) {
    flow_.heard(now);
    pace_in_.spend_frame(bytes);
    pace_out_.spend_acknowledgement();
}

void FrameSender::acknowledged(std::uint64_t bytes, Instant now) {
    // More than was sent is a lie that would only let us send more.
    data_acknowledged_ = std::clamp(bytes, data_acknowledged_, data_sent_);
    flow_.acknowledged(data_acknowledged_, now);
}

bool FrameSender::may_send(RecordClass record_class) const {
    if (!pace_out_.is_free() || (record_class != RecordClass::urgent && passes_only_urgent())) {
        return false;
    }
    if (turn_ends_ && data_sent_ >= *turn_ends_) {
        return false;
    }
    // Urgent records go outside the credit, or they would wait behind what they have to overtake
    // (P10).
    return (record_class == RecordClass::urgent && !is_cautious_) || has_room();
}

bool FrameSender::has_room() const {
    const auto under_way = data_sent_ - data_acknowledged_;
    if (is_cautious_) {
        return under_way == 0;
    }
    return under_way == 0 ||
           under_way + frame_bytes() <= std::min(flow_.window(), credit_bytes_.value_or(0));
}

bool FrameSender::passes_only_urgent() const {
    return policy_.only_urgent || has_used_up() || credit_bytes_ == 0U;
}

bool FrameSender::has_used_up() const {
    const auto most = policy_.bytes_before_only_urgent;
    return most != 0 && pace_out_.spent() + pace_in_.spent() >= most;
}

std::uint32_t FrameSender::frame_bytes() const {
    const auto most = std::min(flow_.frame(), pace_out_.frame_max());
    return is_cautious_ ? std::min(most, cautious_frame_bytes) : most;
}

std::size_t FrameSender::summary_frame_bytes() const {
    return std::clamp<std::size_t>(pace_out_.frame_max(), summary_frame_bytes_min,
                                   summary_frame_bytes_max);
}

std::optional<Instant> FrameSender::wake_at() const {
    std::optional<Instant> earliest;
    for (const auto at : {flow_.dead_at(), pace_out_.free_at(), pace_in_.free_at()}) {
        earliest = at && (!earliest || *at < *earliest) ? at : earliest;
    }
    return earliest;
}

}  // namespace fieldpost::engine
