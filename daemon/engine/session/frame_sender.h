// The frames that go out over one link, and when the next one may go. The bounds are the credit of
// the peer, the window of the link (Flow), the rate that the link is held to (Pace) and the other
// limits of its policy.
//
// Not here: which frame goes next (PeerSession).
#pragma once

#include "daemon/engine/consequences.h"
#include "daemon/engine/session/flow.h"
#include "daemon/engine/session/pace.h"
#include "proto/sync_frames.h"

namespace fieldpost::engine {

class FrameSender {
public:
    FrameSender(LinkId link, const LinkPolicy& policy, bool is_cautious, Flow flow)
        : link_(link),
          policy_(policy),
          is_cautious_(is_cautious),
          pace_out_(policy.bytes_per_second),
          pace_in_(policy.bytes_per_second),
          flow_(std::move(flow)) {}

    [[nodiscard]] LinkId link() const { return link_; }
    [[nodiscard]] const LinkPolicy& policy() const { return policy_; }
    [[nodiscard]] const Flow& flow() const { return flow_; }

    // The peer's HELLO is in. From then on a message may hold several frames.
    void greeted(std::uint32_t credit_bytes) { credit_bytes_ = credit_bytes; }
    void let_time_pass(Now now);

    void send(const Frame& frame, Consequences& out);
    // Tells the peer how many bytes of data have come, if that is new.
    void acknowledge(Consequences& out);
    [[nodiscard]] bool may_acknowledge() const { return pace_in_.is_free(); }

    // --- from the peer
    void received_message(std::size_t bytes, Instant now);
    void received_data(std::size_t frame_bytes) { data_received_ += frame_bytes; }
    // The peer has so many bytes of data.
    void acknowledged(std::uint64_t bytes, Instant now);
    // The peer has so many bytes behind a hole (LinkRepairs).
    void repairs(std::uint64_t bytes) { flow_.repairs(bytes); }

    // --- data frames, in bytes since the link came up
    [[nodiscard]] std::uint64_t data_sent() const { return data_sent_; }
    [[nodiscard]] std::uint64_t data_acknowledged() const { return data_acknowledged_; }
    [[nodiscard]] bool is_all_acknowledged() const { return data_sent_ == data_acknowledged_; }

    // --- the next frame
    // False also once the turn has ended (end_turn_at).
    [[nodiscard]] bool may_send(RecordClass record_class) const;
    // True if the window and the credit have room for another frame of data.
    [[nodiscard]] bool has_room() const;
    // Records of other classes do not go over this link now. A peer says so of its own end by
    // giving no credit.
    [[nodiscard]] bool passes_only_urgent() const;
    // The link has carried as many bytes as its policy allows for what is not urgent.
    [[nodiscard]] bool has_used_up() const;
    // The size of one frame of data, and of one frame of a summary.
    [[nodiscard]] std::uint32_t frame_bytes() const;
    [[nodiscard]] std::size_t summary_frame_bytes() const;
    // Data ends for now when `data_sent()` reaches this number. Nothing: no such end.
    void end_turn_at(std::optional<std::uint64_t> data_sent) { turn_ends_ = data_sent; }
    // More than what waited could have gone.
    void ran_dry() { flow_.ran_dry(); }

    // While it is cautious, one small frame is under way at a time (LinkUp).
    [[nodiscard]] bool is_cautious() const { return is_cautious_; }
    void end_caution() { is_cautious_ = false; }

    // The link is to be taken for dead then: frames under way were not acknowledged.
    [[nodiscard]] std::optional<Instant> dead_at() const { return flow_.dead_at(); }
    // When more may be sent or acknowledged although nothing comes.
    [[nodiscard]] std::optional<Instant> wake_at() const;

private:
    LinkId link_;
    LinkPolicy policy_;
    bool is_cautious_;
    Pace pace_out_;
    Pace pace_in_;  // of the peer's frames: it decides when we acknowledge
    Flow flow_;
    Instant now_{};
    std::optional<std::uint32_t> credit_bytes_;
    std::optional<std::uint64_t> turn_ends_;
    std::uint64_t data_sent_ = 0;
    std::uint64_t data_acknowledged_ = 0;
    std::uint64_t data_received_ = 0;
    std::uint64_t acknowledgement_sent_ = 0;
};

}  // namespace fieldpost::engine
