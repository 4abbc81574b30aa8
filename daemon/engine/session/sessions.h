// The sessions of all links, and which of them brings a body that several could bring.
#pragma once

#include "daemon/engine/session/peer_session.h"

namespace fieldpost::engine {

class Sessions {
public:
    // --- what happens to links. An Error is the store's.
    Result<void> begin(Ledger& ledger, const LinkUp& up, Now now, Consequences& out);
    // Nothing happens if that link has no session.
    Result<void> end(Ledger& ledger, const LinkDown& down, Now now, Consequences& out);
    Result<void> receive(Ledger& ledger, const FrameArrived& frame, Now now, Consequences& out);
    void repairs(const LinkRepairs& repairs);

    // --- at the end of a batch, in this order
    void let_time_pass(Now now);
    // True if any body was kept.
    Result<bool> keep_whole_streams(Ledger& ledger, Now now, Consequences& out);
    void tell(Ledger& ledger, const Ledger::News& news, Now now, Consequences& out);
    void close_all(Consequences& out) const;
    // No link to an office that is no member any more, or that is blocked here, stays.
    void close_links_to_closed(const Ledger& ledger, Consequences& out) const;
    // Own logs of which something unpublished is to be sent next, and up to which number.
    [[nodiscard]] std::map<LogKey, Number> to_publish(const Ledger& ledger) const;
    // Tells the last news, and sends everything that may go now. Returns when there is more to do
    // though nothing comes. Frames to one peer stand together, so that they share messages.
    Result<std::optional<Instant>> pump(Ledger& ledger, const Ledger::News& news, Now now,
                                        Consequences& out);

    [[nodiscard]] std::vector<LinkView> views() const;

private:
    [[nodiscard]] bool is_left_to_another(const PeerSession& session, const Header& header,
                                          const RecordId& id, Now now) const;

    std::map<LinkId, PeerSession> sessions_;
    std::map<OfficeId, Flow::Hint> flows_;  // as they were when the last link ended
};

}  // namespace fieldpost::engine
