// One link to one peer, from HELLO to the end: what it lacks of ours, and what of it is under way.
//
//   greeting   our HELLO is out; nothing is known of the peer. If it stays silent it is shown our
//      |       roster once: it may not know us yet
//      | its HELLO
//      v
//   pushing    what it lacks is known leaf by leaf, as its summaries come; we send it
//      | nothing left, and its summaries are in  <--------.
//      v                                                  |
//   settled    both digests are remembered -- news --> pushing
//
// A session decides what goes next. Its parts do the rest:
//
//   FrameSender      when the next frame may go
//   Comparison       what each of the two offices lacks
//   SendQueue        records that the peer lacks
//   RegisterQueue    registers that the peer lacks
//   IncomingBodies   bodies that the peer sends in streams
//
// Nothing here survives the link: a new one begins with HELLO.
#pragma once

#include "daemon/engine/session/comparison.h"
#include "daemon/engine/session/incoming_bodies.h"

namespace fieldpost::engine {

// The most that may be under way towards us. The sender's Flow finds out how much is good.
inline constexpr std::uint32_t credit_bytes = 1U << 20;

class PeerSession {
public:
    PeerSession(LinkId link, OfficeId peer, const LinkPolicy& policy, bool is_cautious, Flow flow)
        : peer_(peer), frames_(link, policy, is_cautious, std::move(flow)) {}

    [[nodiscard]] LinkId link() const { return frames_.link(); }
    [[nodiscard]] OfficeId peer() const { return peer_; }

    Result<void> greet(Ledger& ledger, Now now, Consequences& out);

    // An Error is the store's. What the peer did wrong closes the link, through `out.notify`.
    Result<void> receive(Ledger& ledger, BytesView message, Now now, const Elsewhere& elsewhere,
                         Consequences& out);

    // Tells how many bytes the peer has behind a hole (LinkRepairs).
    void repairs(std::uint64_t bytes) { frames_.repairs(bytes); }

    // It broke the protocol: named once, and its link is closed when it does so again and again.
    void offend(Ledger& ledger, Now now, Consequences& out, const std::string& how);

    // --- at the end of a batch, in this order
    void let_time_pass(Now now);
    // Keeps bodies that are whole now. True if any was kept.
    Result<bool> finish_streams(Ledger& ledger, Now now, Consequences& out);
    // Own logs of which something unpublished is to be sent next, and up to which number.
    [[nodiscard]] std::map<LogKey, Number> to_publish(const Ledger& ledger) const;
    // Everything that credit allows, most urgent first.
    Result<void> pump(Ledger& ledger, Now now, Consequences& out);
    [[nodiscard]] const Flow& flow() const { return frames_.flow(); }
    // Nothing of what is under way was acknowledged for too long, or it never said a word.
    [[nodiscard]] bool is_dead(Now now) const;
    // When it has something to do though nothing comes.
    [[nodiscard]] std::optional<Instant> wake_at() const;

    [[nodiscard]] LinkView view() const;
    // If it has changed since the last call.
    std::optional<LinkUse> take_use();
    void tell(Ledger& ledger, Now now, const Ledger::News& news, Consequences& out);
    [[nodiscard]] const IncomingBodies& bodies() const { return bodies_; }
    // Another link brings that record from here on.
    void leave_to_another(Ledger& ledger, const RecordId& id, Now now, Consequences& out);
    // Asks again for records that the peer was told to keep back, if the cause is gone.
    void want_again(Ledger& ledger, const Elsewhere& elsewhere, Now now, Consequences& out);
    [[nodiscard]] const ArrivalRate& arrival_rate() const { return arrival_rate_; }

private:
    // The step of a frame that came.
    struct Received : Step {
        const Elsewhere& elsewhere;
    };

    [[nodiscard]] Step step(Ledger& ledger, Now now, Consequences& out) {
        return {ledger, now, peer_, frames_, offences_, out};
    }
    Result<void> receive_frame(const Received& step, BytesView bytes);
    // One for each frame that there is.
    Result<void> on(const Received& step, const Hello& hello);
    Result<void> on(const Received& step, const RosterNews& news);
    Result<void> on(const Received& step, const Summary& summary);
    Result<void> on(const Received& step, const RegisterNews& news);
    Result<void> on(const Received& step, const RecordNews& news);
    Result<void> on(const Received& step, const StreamOpened& opened);
    Result<void> on(const Received& step, const StreamResumed& resumed);
    Result<void> on(const Received& step, const Chunk& chunk);
    Result<void> on(const Received& step, const Skip& skip);
    Result<void> on(const Received& step, const Acknowledged& acknowledged);
    Result<void> on(const Received& step, const Settled& settled);
    Result<void> on(const Received& step, const Custody& custody);
    Result<void> on(const Received& step, const Prove& prove);
    Result<void> on(const Received& step, const RecordProof& proof);
    Result<void> on(const Received& step, const LeafFingerprints& told);
    Result<void> on(const Received& step, const BundleHead& head);

    void send_roster(const Step& step);
    void ask(const Step& step, const Prove& prove);
    Result<void> ask_about_its_receipt(const Step& step);
    void show_roster_to_the_silent(const Step& step);
    // Registers of others, and records that are not urgent, take turns, byte for byte.
    Result<void> send_in_turns(const Step& step);
    // Whole records, or streams, of all classes but urgent.
    Result<void> send_records(const Step& step);
    Result<void> send_small(const Step& step, RecordClass record_class);
    Result<void> send_custody(const Step& step);
    void settle(const Step& step);
    void end_caution(const Ledger& ledger);
    [[nodiscard]] bool has_nothing_left() const;
    [[nodiscard]] bool is_peer_member(const Ledger& ledger) const;

    OfficeId peer_;
    FrameSender frames_;
    Comparison comparison_;
    SendQueue records_;
    RegisterQueue registers_;
    IncomingBodies bodies_;
    Offences offences_;
    ArrivalRate arrival_rate_;
    std::optional<Hello> theirs_;
    Instant greeted_at_{};
    Instant asks_since_{};
    std::size_t asks_ = 0;  // for proofs, since then
    Instant now_{};
    bool has_shown_roster_ = false;
    bool custody_due_ = false;
    bool custody_repeated_ = false;  // told again even if it says nothing new
    // Bytes of others' registers, less those of records since.
    std::uint64_t registers_ahead_ = 0;
    LinkUse use_{frames_.link()};  // as last told
};

}  // namespace fieldpost::engine
