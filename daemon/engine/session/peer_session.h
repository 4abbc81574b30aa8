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
// Nothing here survives the link: a new one begins with HELLO.
#pragma once

#include <deque>
#include <functional>

#include "daemon/engine/leaves.h"
#include "daemon/engine/link_view.h"
#include "daemon/engine/record/arriving_body.h"
#include "daemon/engine/session/arrival_rate.h"
#include "daemon/engine/session/flow.h"
#include "daemon/engine/session/pace.h"
#include "proto/summary_parts.h"

namespace fieldpost::engine {

// The most that may be under way towards us. The sender's Flow finds out how much is good.
inline constexpr std::uint32_t credit_bytes = 1U << 20;

class PeerSession {
public:
    PeerSession(LinkId link, OfficeId peer, const LinkPolicy& policy, bool is_cautious, Flow flow)
        : link_(link),
          peer_(peer),
          policy_(policy),
          is_cautious_(is_cautious),
          pace_out_(policy.bytes_per_second),
          pace_in_(policy.bytes_per_second),
          flow_(std::move(flow)) {}

    [[nodiscard]] LinkId link() const { return link_; }
    [[nodiscard]] OfficeId peer() const { return peer_; }

    Result<void> greet(Ledger& ledger, Now now, Consequences& out);

    // An Error is the store's. What the peer did wrong closes the link, through `out.notify`.
    // `elsewhere` says whether that record is left to another link.
    using Elsewhere = std::function<bool(const Header&, const RecordId&)>;
    Result<void> receive(Ledger& ledger, BytesView message, Now now, const Elsewhere& elsewhere,
                         Consequences& out);

    // Tells how many bytes the peer has behind a hole (LinkRepairs).
    void repairs(std::uint64_t bytes) { flow_.repairs(bytes); }

    // It broke the protocol: named once, and its link is closed when it does so again and again.
    void offend(Ledger& ledger, Now now, Consequences& out, const std::string& how);

    // --- at the end of a batch, in this order
    void let_time_pass(Now now);
    // Bodies that are whole now. True if any was kept.
    Result<bool> finish_streams(Ledger& ledger, Now now, Consequences& out);
    // Own logs of which something unpublished is to be sent next, and up to which number.
    [[nodiscard]] std::map<LogKey, Number> to_publish(const Ledger& ledger) const;
    // Everything that credit allows, most urgent first.
    Result<void> pump(Ledger& ledger, Now now, Consequences& out);
    [[nodiscard]] const Flow& flow() const { return flow_; }
    // Nothing of what is under way was acknowledged for too long, or it never said a word.
    [[nodiscard]] bool is_dead(Now now) const;
    // When it has something to do though nothing comes.
    [[nodiscard]] std::optional<Instant> wake_at() const;

    [[nodiscard]] LinkView view() const;
    // If it has changed since the last call.
    std::optional<LinkUse> take_use();
    void tell(Ledger& ledger, const Ledger::News& news, Consequences& out);
    [[nodiscard]] bool is_bringing(const RecordId& id) const;
    // True if another link should bring it, over which `other_bytes` came in the last five seconds.
    [[nodiscard]] bool is_slow_with(const RecordId& id, std::uint64_t other_bytes, Now now) const;
    [[nodiscard]] const ArrivalRate& arrival_rate() const { return arrival_rate_; }
    // Another link brings it from here on.
    void leave_to_another(Ledger& ledger, const RecordId& id, Consequences& out);
    // Asks again for records that the peer was told to keep back, if the cause is gone. `elsewhere`
    // as above.
    void want_again(Ledger& ledger, const Elsewhere& elsewhere, Now now, Consequences& out);

private:
    struct Outgoing {
        LogKey log;
        Number number = 0;
        storage::StoredRecord record;  // without its body
        BodyShape shape;
        IntervalSet parts_left;
        std::uint32_t offset = 0;  // in the first part left
        std::uint64_t bytes_left = 0;
        bool is_resumed = false;
    };
    struct Sized {
        std::uint32_t body_bytes = 0;
        LogKey log;
        Number number = 0;
        auto operator<=>(const Sized&) const = default;
    };
    struct Incoming {
        ArrivingBody body;
        Instant since;
        ArrivalRate rate{};
        std::uint64_t bytes_here = 0;
    };
    using Streams = std::map<std::uint32_t, Incoming>;

    [[nodiscard]] Via via() const { return {peer_, How::link}; }
    void send(Consequences& out, const Frame& frame);
    void send_roster(const Ledger& ledger, Consequences& out);
    void send_roster_after(const Ledger& ledger, std::uint32_t version, std::size_t frame_bytes,
                           Consequences& out);
    void show_roster_to_the_silent(const Ledger& ledger, Now now, Consequences& out);
    void close(Consequences& out, std::string reason, bool is_dead = false);

    Result<void> receive_frame(Ledger& ledger, BytesView bytes, Now now, const Elsewhere& elsewhere,
                               Consequences& out);
    // One for each frame that there is.
    struct Step {
        Ledger& ledger;
        Now now;
        const Elsewhere& elsewhere;
        Consequences& out;
    };
    Result<void> on(const Step& step, const Hello& hello);
    Result<void> on(const Step& step, const RosterNews& news);
    Result<void> on(const Step& step, const Summary& summary);
    Result<void> on(const Step& step, const RegisterNews& news);
    Result<void> on(const Step& step, const RecordNews& news);
    Result<void> on(const Step& step, const StreamOpened& opened);
    Result<void> on(const Step& step, const StreamResumed& resumed);
    Result<void> on(const Step& step, const Chunk& chunk);
    Result<void> on(const Step& step, const Skip& skip);
    Result<void> on(const Step& step, const Acknowledged& acknowledged);
    Result<void> on(const Step& step, const Settled& settled);
    Result<void> on(const Step& step, const Custody& custody);
    Result<void> on(const Step& step, const Prove& prove);
    Result<void> on(const Step& step, const RecordProof& proof);
    Result<void> on(const Step& step, const LeafFingerprints& told);
    Result<void> on(const Step& step, const BundleHead& head);
    void skipped(const LogKey& log, Interval run, SkipReason reason, bool is_resumed);

    Result<void> judged(Ledger& ledger, const Arriving& record, Verdict verdict, Now now,
                        Consequences& out);
    [[nodiscard]] std::size_t streams_under_way() const;
    Streams::iterator end_stream(Ledger& ledger, Streams::iterator at, SkipReason reason,
                                 Consequences& out);
    void put_off(OfficeId author, Now now);
    void skip_until_later(std::uint32_t stream, OfficeId author, Now now, Consequences& out);
    [[nodiscard]] bool keeps_anything_back() const;

    // --- what the two lack of each other (peer_session_comparing.cpp)
    void add_fingerprints(Ledger& ledger, Hello& hello) const;
    void answer_fingerprints(Ledger& ledger, const Hello& hello, Consequences& out);
    void answer_fingerprints(Ledger& ledger, const LeafFingerprints& told, Consequences& out);
    void tell_leaves(Ledger& ledger, const std::vector<OfficeId>& offices, Detail detail,
                     Consequences& out);
    void tell_all(Ledger& ledger, Consequences& out);
    // Some of the leaves, all of them, or those that were put off because they are large.
    enum class Telling : std::uint8_t { some, all, large };
    void send_leaves(Ledger& ledger, std::vector<OfficeId> offices, Detail detail, Telling telling,
                     Consequences& out);
    void send_large_leaves(Ledger& ledger, Consequences& out);
    // True if the peer has something that we lack, or may have it.
    bool compare_logs(Ledger& ledger, const LeafSummary& leaf, Consequences& out);
    bool compare_registers(Ledger& ledger, const LeafSummary& leaf);
    // Tells again those registers of which the peer was told only some and which have changed
    // since, so that it need not ask.
    void tell_registers_again(Ledger& ledger, Consequences& out);
    // If nothing more is to be sent and registers still differ, tells all of them. True if any were
    // told.
    bool clear_up(Ledger& ledger, const Digest& digest, Consequences& out);
    void hear_leaf(Ledger& ledger, const LeafSummary& leaf, Consequences& out);
    void answer(Ledger& ledger, const std::vector<OfficeId>& offices, Detail detail,
                Consequences& out);
    [[nodiscard]] std::size_t remembered_bytes() const;
    void has_sent(const LogKey& log, Interval run);
    [[nodiscard]] bool is_peer_member(const Ledger& ledger) const;
    [[nodiscard]] bool takes(const Ledger& ledger, const Header& header) const;

    // Sends registers that this office signed, and receipts about the peer's records.
    void send_own_registers(const Ledger& ledger, Consequences& out);
    // Sends a frame of registers that others signed, the signers in turn.
    void pass_on_registers(const Ledger& ledger, Now now, Consequences& out);
    // Those and records that are not urgent take turns too, byte for byte.
    Result<void> send_in_turns(Ledger& ledger, Now now, Consequences& out);
    Result<void> send_records(Ledger& ledger, Consequences& out);
    Result<void> send_small(Ledger& ledger, RecordClass record_class, Consequences& out);
    Result<void> send_chunks(Ledger& ledger, RecordClass record_class, Consequences& out);
    // The smallest that needs one; null: there is none.
    const Sized* next_large(RecordClass record_class);
    Result<void> open_stream(Ledger& ledger, const Sized& large, Consequences& out);
    void acknowledge(Consequences& out);
    Result<void> send_custody(Ledger& ledger, Now now, Consequences& out);
    void settle(Ledger& ledger, Consequences& out);
    // The hash that a pair remembers once it has settled: over both digests, and over its own.
    [[nodiscard]] Hash settled_on(const Ledger& ledger, const Digest& own,
                                  const Digest& theirs) const;
    [[nodiscard]] Hash settled_on(const Ledger& ledger, const Digest& own) const;
    [[nodiscard]] bool has_used_up() const;
    [[nodiscard]] bool passes_only_urgent() const;
    [[nodiscard]] bool is_receipt_for_peer(const Ledger& ledger, const RegisterKey& key) const;
    [[nodiscard]] bool is_of_this_pair(const Ledger& ledger, const RegisterKey& key) const;
    [[nodiscard]] bool may_send(RecordClass record_class) const;
    [[nodiscard]] bool has_room() const;
    void end_caution(const Ledger& ledger);
    // How large a frame of data may be.
    [[nodiscard]] std::uint32_t frame_bytes() const;
    [[nodiscard]] std::size_t summary_frame_bytes() const;
    [[nodiscard]] bool has_nothing_left() const;

    LinkId link_;
    OfficeId peer_;
    LinkPolicy policy_;
    bool is_cautious_;  // LinkUp
    Pace pace_out_;
    Pace pace_in_;  // theirs, by when we acknowledge
    std::optional<Hello> theirs_;
    Instant greeted_at_{};
    bool has_shown_roster_ = false;
    bool is_in_step_ = false;  // the digests were equal, or the pair had settled on them
    Digest greeted_digest_;
    Digest digest_told_;  // last, in HELLO or when nothing was left
    bool has_sent_fingerprints_ = false;
    std::uint32_t greeted_numbers_ = 0;
    bool has_told_ = false;      // a summary, if only that nothing differs
    bool has_answered_ = false;  // fingerprints of leaves
    // How much of each leaf's registers, and the hash of all when it was told.
    struct Told {
        Detail detail{};
        RegistersHash registers;
        bool is_again = false;
    };
    std::map<OfficeId, Told> told_;
    // Leaves over a kilobyte, still to be told: what one author tore into pieces waits until what
    // is urgent is sent.
    std::map<OfficeId, Detail> large_leaves_;
    // Offices of which the peer told only some registers, if the hash over all of them does not
    // follow from those.
    struct Unclear {
        RegistersHash registers;
        bool is_answered = false;
    };
    std::map<OfficeId, Unclear> unclear_;
    // The content so far of a summary that comes in several frames.
    struct Heard {
        std::set<OfficeId> named;
        std::vector<OfficeId> untold;
        std::map<Detail, std::vector<OfficeId>> told_too_little;  // and what it is to be
    };
    Heard heard_;
    SummaryReader summary_reader_;
    bool has_summary_ = false;
    std::optional<Digest> their_digest_;
    bool they_settled_ = false;
    bool is_settled_ = false;  // at the end of the last batch
    std::optional<Digest> settled_told_;
    bool custody_due_ = false;
    bool custody_repeated_ = false;  // told again even if it says nothing new

    std::map<LogKey, IntervalSet> to_send_;
    // Numbers that the peer said it does not want, has sent us since, or has acknowledged.
    std::map<LogKey, IntervalSet> they_have_;
    // It lacks these, and said when they came that it does not want them now: until it tells that
    // leaf again.
    std::map<LogKey, IntervalSet> kept_back_;
    std::map<LogKey, IntervalSet> large_;  // of those to send, known to need a stream
    // The records of `large_` by size. Some may have been sent since, or be unwanted now.
    std::map<RecordClass, std::set<Sized>> by_size_;
    std::set<RegisterName> registers_to_send_;
    // Others' registers that went over this link within the last minute, so that whoever signs
    // again and again takes a small part of it; when the next of those that wait for that may go.
    std::map<RegisterName, Instant> passed_on_at_;
    std::optional<Instant> passes_on_at_;
    OfficeId last_passed_on_{};
    // Bytes of others' registers, less those of records since; and where the turn of these ends, of
    // data_sent_.
    std::uint64_t registers_ahead_ = 0;
    std::optional<std::uint64_t> turn_ends_;
    // By the peer, in this batch, and ours were the same: no news to it, unless newer ones came
    // since.
    std::map<RegisterName, ShortHash> just_told_;
    std::map<LogKey, std::vector<PartialSummary>> their_partials_;
    std::map<std::uint32_t, Outgoing> outgoing_;
    // Sent whole, and not acknowledged: a summary that crossed it on the way does not know of it
    // yet.
    struct Unacknowledged {
        std::uint64_t until = 0;  // of data_sent_
        LogKey log;
        Interval run;
        std::uint32_t stream = 0;  // 0: it came in none
        bool is_resumed = false;
    };
    std::deque<Unacknowledged> unacknowledged_;
    std::uint32_t next_stream_ = 1;
    std::uint64_t data_sent_ = 0;
    std::uint64_t data_acknowledged_ = 0;
    Flow flow_;
    Instant now_{};

    Streams incoming_;
    std::uint64_t data_received_ = 0;
    std::uint64_t acknowledgement_sent_ = 0;
    ArrivalRate arrival_rate_;
    // Records that the peer was told to keep back: those that another link brings; those of these
    // authors, for want of room; and those of which it brought bytes that the author did not sign.
    // It is not asked for the last again.
    std::map<RecordId, Header> left_to_others_;
    std::set<OfficeId> put_off_;
    Instant put_off_until_{};
    std::chrono::milliseconds put_off_for_{};
    std::set<RecordId> spoiled_;
    LinkUse use_{link_};  // as last told
    int offences_ = 0;
    // A leaf that it told was thrown away: the next link has to ask for it again, so this one is
    // not remembered as settled.
    bool has_lost_leaf_ = false;
    bool was_full_ = false;
    // It says to have a record of ours that was never sent: nothing of ours goes to it until that
    // is cleared up. Its own word only: what others signed and it carries must not mute us.
    bool is_in_question_ = false;
};

}  // namespace fieldpost::engine
