// The comparison of two offices: what each lacks of the other, found in as few bytes and flights as
// it takes (daemon/DESIGN.md "A session", proto/WIRE.md 6), and when neither lacks anything.
//
// It tells the peer our leaves, hears theirs, and fills the queues of a session. Nothing here
// survives the link, except that both offices remember the digests on which they settled.
#pragma once

#include "daemon/engine/leaves.h"
#include "daemon/engine/session/register_queue.h"
#include "daemon/engine/session/send_queue.h"
#include "proto/summary_parts.h"

namespace fieldpost::engine {

// The queues that a comparison fills.
struct Queues {
    SendQueue& records;
    RegisterQueue& registers;
};

class Comparison {
public:
    // --- the greeting
    // Fills in our HELLO: digest, fingerprints.
    void greet(const Step& step, Hello& hello);
    // Answers the peer's HELLO.
    void answer(const Step& step, const Hello& theirs);

    // --- frames
    void hear(const Step& step, const LeafFingerprints& told);
    void hear(const Step& step, const Summary& summary, const Queues& queues);
    void hear(const Settled& settled);

    // --- at the end of a batch
    // Tells the peer these leaves. Large ones wait (send_large_leaves).
    void tell_leaves(const Step& step, const std::vector<OfficeId>& offices, Detail detail);
    // Tells the large leaves, once the peer has answered the smaller ones, which showed it what is
    // urgent. The caller has sent that.
    void send_large_leaves(const Step& step);
    // Says that nothing more is to be sent, and remembers the pair of digests if the peer says so
    // too.
    struct Rest {
        bool is_nothing_left = false;        // to be sent or told
        bool is_anything_kept_back = false;  // one of the two lacks what it does not want now
    };
    void settle(const Step& step, const Hello& theirs, const Rest& rest);

    // --- for the session
    [[nodiscard]] bool has_large_leaves() const { return !large_leaves_.empty(); }
    [[nodiscard]] bool is_settled() const { return is_settled_; }  // at the end of the last batch
    // The peer says to have a record of ours that was never sent. Nothing of ours goes to it until
    // that is cleared up. Only the peer's own word counts: what others signed and it carries must
    // not mute us.
    [[nodiscard]] bool is_in_question() const { return is_in_question_; }
    // True once after the peer was told its own leaf. If we differ about its records because it
    // lost some, our custody shows it.
    [[nodiscard]] bool take_has_told_peers_own_leaf() {
        return std::exchange(has_told_peers_own_leaf_, false);
    }

private:
    // Some of the leaves, all of them, or those that were put off because they are large.
    enum class Telling : std::uint8_t { some, all, large };
    void send_leaves(const Step& step, std::vector<OfficeId> offices, Detail detail,
                     Telling telling);
    void tell_all(const Step& step);
    void answer_fingerprints(const Step& step, const Hello& theirs);
    void hear_leaf(const Step& step, const LeafSummary& leaf, const Queues& queues);
    // True if the peer has something that we lack, or may have it.
    bool compare_logs(const Step& step, const LeafSummary& leaf);
    bool compare_registers(const Ledger& ledger, const LeafSummary& leaf, RegisterQueue& queue);
    void answer_leaves(const Step& step, const std::vector<OfficeId>& offices, Detail detail);
    // Tells again those registers of which the peer was told only some and which have changed
    // since, so that it need not ask.
    void tell_registers_again(const Step& step);
    // If nothing more is to be sent and registers still differ, tells all of them. True if any were
    // told.
    bool clear_up(const Step& step, const Digest& digest);

    bool is_in_step_ = false;  // the digests were equal, or the pair had settled on them
    Digest greeted_digest_;
    Digest digest_told_;  // last, in HELLO or when nothing was left
    bool has_sent_fingerprints_ = false;
    std::uint32_t greeted_numbers_ = 0;
    bool has_told_ = false;      // a summary, if only that nothing differs
    bool has_answered_ = false;  // fingerprints of leaves
    bool has_told_peers_own_leaf_ = false;
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
    // A leaf that the peer told was thrown away. The next link has to ask for it again, so this one
    // is not remembered as settled.
    bool has_lost_leaf_ = false;
    bool is_in_question_ = false;
    std::optional<Digest> their_digest_;
    bool they_settled_ = false;
    bool is_settled_ = false;
    std::optional<Digest> settled_told_;
};

}  // namespace fieldpost::engine
