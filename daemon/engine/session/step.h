// The surroundings of one step of a session: a frame that came, or the end of a batch. The parts of
// a session get them with each call, so that they hold nothing in common.
#pragma once

#include "daemon/engine/ledger.h"
#include "daemon/engine/session/frame_sender.h"

namespace fieldpost::engine {

// How often a peer broke the protocol over this link. It is named once, and its link is closed when
// it does so again and again.
struct Offences {
    int count = 0;
};

struct Step {
    Ledger& ledger;
    Now now;
    OfficeId peer;
    FrameSender& frames;
    Offences& offences;
    Consequences& out;

    [[nodiscard]] Via via() const { return {peer, How::link}; }
    void send(const Frame& frame) const { frames.send(frame, out); }
    // The peer broke the protocol, and `how`.
    void offend(const std::string& how) const;
    void close_link(std::string reason, bool is_dead = false) const;
};

}  // namespace fieldpost::engine
