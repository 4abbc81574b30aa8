// The records that this office has and the peer lacks, and those on their way to the peer.
//
// A session knows the records of the peer from three things: its summaries, the records that it
// sent itself, and its acknowledgements. Nothing here survives the link.
//
// Not here: the order of the classes (PeerSession).
#pragma once

#include <deque>

#include "daemon/engine/link_view.h"
#include "daemon/engine/session/step.h"

namespace fieldpost::engine {

// The records that the peer takes from this office now.
struct PeerTerms {
    const Hello& hello;
    // True if this office also passes it records that are neither from nor for one of the two.
    bool we_carry = true;
    bool is_in_question = false;  // Comparison::is_in_question
};

class SendQueue {
public:
    // --- what the peer has
    // Records that have come here since the last batch.
    void add(const std::map<LogKey, IntervalSet>& held);
    // A leaf says all that the peer has of an office. What stood here of that office before is
    // void. Records on their way count as if the peer had them.
    void compare(const Ledger& ledger, const LeafSummary& leaf);
    void peer_has(const LogKey& log, Interval run);
    // The peer has all data frames up to that one, counted in bytes.
    void acknowledged(std::uint64_t data_bytes);
    // The peer does not want a stream, or not now.
    void skipped(const Skip& skip);

    // --- what goes next
    // Own logs of which unpublished records are to be sent next, and up to which number.
    [[nodiscard]] std::map<LogKey, Number> to_publish(const Ledger& ledger,
                                                      const FrameSender& frames) const;
    // Whole records of one class, as far as credit allows.
    Result<void> send_small(const Step& step, RecordClass record_class, const PeerTerms& terms);
    // Records of one class that go in streams, the one with the least left first.
    Result<void> send_chunks(const Step& step, RecordClass record_class);

    // --- for the session
    // Nothing waits, and no stream is under way.
    [[nodiscard]] bool is_empty() const;
    [[nodiscard]] bool has_urgent() const;
    // True if something urgent is published or under way, so that it could go now.
    [[nodiscard]] bool has_urgent_ready(const Ledger& ledger) const;
    [[nodiscard]] bool has_streams() const { return !outgoing_.empty(); }
    [[nodiscard]] std::uint64_t stream_bytes_left() const;
    // The peer lacks records that it does not want now.
    [[nodiscard]] bool keeps_anything_back() const { return !kept_back_.empty(); }
    // Memory for what the peer told.
    [[nodiscard]] std::size_t remembered_bytes() const;
    void show(std::vector<Transfer>& transfers) const;

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
    // Sent whole, and not acknowledged: a summary that crossed the record on the way does not know
    // of it yet.
    struct Unacknowledged {
        std::uint64_t until = 0;  // FrameSender::data_sent
        LogKey log;
        Interval run;
        std::uint32_t stream = 0;  // 0: it came in none
        bool is_resumed = false;
    };

    void skipped(const LogKey& log, Interval run, SkipReason reason, bool is_resumed);
    // The smallest record of that class that needs a stream. Null: there is none.
    const Sized* next_large(RecordClass record_class);
    Result<void> open_stream(const Step& step, const Sized& large);

    std::map<LogKey, IntervalSet> to_send_;
    // Numbers that the peer said it does not want, has sent us since, or has acknowledged.
    std::map<LogKey, IntervalSet> they_have_;
    // The peer lacks these, and said when they came that it does not want them now. They wait until
    // it tells that leaf again.
    std::map<LogKey, IntervalSet> kept_back_;
    std::map<LogKey, IntervalSet> large_;  // of those to send, known to need a stream
    // The records of `large_` by size. Some may have been sent since, or be unwanted now.
    std::map<RecordClass, std::set<Sized>> by_size_;
    std::map<LogKey, std::vector<PartialSummary>> their_partials_;
    std::map<std::uint32_t, Outgoing> outgoing_;
    std::deque<Unacknowledged> unacknowledged_;
    std::uint32_t next_stream_ = 1;
};

}  // namespace fieldpost::engine
