// The knowledge of this office, in memory as in the store: roster, logs, registers, leaves,
// counters.
//
// A change is applied to the store's open transaction at once, so reads of the store see it. Logs,
// peers, leaves and the office's page are read from memory, and written once, by flush(). Leaves
// and digest follow from logs and registers (invariant I7). Not here: who may change what (intake,
// authoring).
#pragma once

#include <map>
#include <memory>
#include <ranges>
#include <set>

#include "crypto/roster.h"
#include "daemon/engine/attention.h"
#include "daemon/engine/clock.h"
#include "daemon/engine/config.h"
#include "daemon/engine/consequences.h"
#include "daemon/engine/membership/lives.h"
#include "daemon/engine/record/heard_receipts.h"
#include "daemon/engine/record/report_types.h"
#include "daemon/engine/record/under_way.h"
#include "daemon/engine/register_name.h"
#include "daemon/engine/via.h"
#include "proto/office_statement.h"
#include "proto/sync_frames.h"

namespace fieldpost::engine {

class Ledger {
public:
    // A transaction must be open, here and at every other call. `store` must outlive the ledger.
    static Result<Ledger> load(storage::RecordStore& store, const Config& config,
                               const Founding& founding, Now now);

    [[nodiscard]] const Config& config() const { return *config_; }
    [[nodiscard]] const storage::RecordStore& store() const { return *store_; }
    // Its transactions are the engine's.
    storage::RecordStore& store() { return *store_; }
    [[nodiscard]] const NetworkId& network() const { return roster_.network(); }
    [[nodiscard]] OfficeId us() const { return meta_.office; }
    [[nodiscard]] const storage::OfficeMeta& meta() const { return meta_; }
    storage::OfficeMeta& edit_meta();

    [[nodiscard]] const crypto::Roster& roster() const { return roster_; }
    [[nodiscard]] const std::vector<RosterChange>& roster_changes() const {
        return changes_of_roster_;
    }
    // True if this office links to it, and takes from it: a member, or an invited office, that
    // people here have not blocked.
    [[nodiscard]] bool is_partner(OfficeId office) const;
    // The key that signs as this office. Our own is known before the roster has it. Null: unknown.
    [[nodiscard]] const SigningPublic* identity_of(OfficeId office) const;
    // As Roster::apply.
    Result<void> apply_roster_change(const RosterChange& change, Now now);

    // --- logs
    [[nodiscard]] const storage::LogState& log(const LogKey& log) const;
    // A new log of another office needs make_room_for (log_bounds.h) first.
    storage::LogState& edit_log(const LogKey& log);
    void drop_log(const LogKey& log);
    // Moves the windows of closed logs where nothing has come for a day (log_bounds.h).
    void move_windows();
    using Logs = std::map<LogKey, storage::LogState>;
    [[nodiscard]] const Logs& logs() const { return logs_; }
    // The numbers held that may be passed on: not those of an older incarnation of this office that
    // were never public (new_life.h).
    [[nodiscard]] IntervalSet passable(const LogKey& log) const;
    [[nodiscard]] std::ranges::subrange<Logs::const_iterator> logs_of(OfficeId author) const;
    // True if this log may have a state here. False if higher logs take all the room, or if its
    // office is closed.
    [[nodiscard]] bool keeps(const LogKey& log) const;
    // An office with forks in too many of its lives (forks.h): nothing of it is taken any more.
    [[nodiscard]] bool is_closed(OfficeId office) const;
    // True if the authority cut this office off: nothing that it says of its own logs counts any
    // more.
    [[nodiscard]] bool is_cut_off(OfficeId office) const;
    // True if its author was cut off and the cut-off keeps some of this log (cut_offs.h).
    [[nodiscard]] bool is_listed_by_cut_off(const LogKey& log) const;
    // Logs that the store could not give back. logs() has for them what their records show.
    [[nodiscard]] const std::vector<LogKey>& damaged_logs() const { return damaged_logs_; }

    // --- registers
    // The newest register under this key. Enrolments have names of their own: see kept().
    [[nodiscard]] const Register* newest(const RegisterKey& key) const { return kept({key}); }
    [[nodiscard]] const Register* kept(const RegisterName& name) const;
    [[nodiscard]] RegisterName name_of(const Register& entry) const {
        return engine::name_of(network(), entry);
    }
    // The enrolments of the invitation that reserved this index, the lowest hash first.
    [[nodiscard]] std::vector<const Register*> enrolments(OfficeId index) const;
    [[nodiscard]] const std::map<RegisterName, Register>& registers() const { return registers_; }
    // True if it is newer than what was there: then it was kept. It must have been verified.
    bool keep_register(const Register& entry);
    void drop_register(const RegisterName& name);
    // All that it signed, and that accuse it.
    [[nodiscard]] std::vector<const Register*> registers_of(OfficeId signer) const;
    // Those that the leaf of an office lists, in its order. What the authority signs lies with the
    // first office.
    [[nodiscard]] std::vector<const Register*> registers_in_leaf(OfficeId office) const;
    static OfficeId leaf_of_register(const RegisterKey& key);
    [[nodiscard]] ShortHash register_hash(const RegisterName& name) const;
    // The newest receipt of `signer` for `author`'s records; null: there is none.
    [[nodiscard]] std::shared_ptr<const Receipt> receipt(OfficeId signer, OfficeId author) const;
    [[nodiscard]] const HeardReceipts& heard_receipts() const { return heard_receipts_; }
    HeardReceipts& heard_receipts() { return heard_receipts_; }
    [[nodiscard]] const OfficeStatement* statement(OfficeId office) const;
    // The entry of the author's own statement about this log. Null: there is none.
    [[nodiscard]] const OwnLog* author_on(const LogKey& log) const;
    // True if the office signed this key itself. Checked once for each key.
    bool is_own_prekey(OfficeId office, const Prekey& prekey) const;
    // The newest custody statement of `signer` about our own records.
    [[nodiscard]] const Custody* custody(OfficeId signer) const;
    bool keep_custody(const Custody& custody);
    [[nodiscard]] const std::map<OfficeId, Custody>& all_custody() const { return custody_; }
    RegisterVersion next_version();

    // --- leaves The leaf of every office of the roster, by index. Brings stale ones up to date
    // first.
    const std::map<OfficeId, Hash>& leaves();
    Digest digest();
    // If this number is the same again, no leaf has changed meanwhile. It counts from the start of
    // this engine.
    [[nodiscard]] std::uint64_t leaf_edits() const { return leaf_edits_; }
    // How often refused numbers were released, from the start of this engine, and the counter of
    // our next statement then: what this office said before not to want it may have come to hold
    // since.
    [[nodiscard]] std::uint64_t releases() const { return releases_; }
    [[nodiscard]] std::uint64_t released_at() const { return released_at_; }
    // Offices whose newest bundle lists less of a log than their previous one did, or takes more.
    // Rows that were written before are not enough for them. The number is the counter of our next
    // statement at that time. Counted from the start of this engine. Only logs that are kept here
    // are named.
    struct Less {
        std::uint64_t all = 0;  // of everything; 0: never
        std::map<LogKey, std::uint64_t> logs;
    };
    void note_less(OfficeId office) { had_less_[office].all = meta_.next_counter; }
    void note_less(OfficeId office, const LogKey& log) {
        had_less_[office].logs[log] = meta_.next_counter;
    }
    [[nodiscard]] const std::map<OfficeId, Less>& had_less() const { return had_less_; }
    // How many numbers of all logs are known, as far as they can be counted.
    [[nodiscard]] std::uint32_t numbers_known() const;
    // To be called before anything is said of logs that were edited.
    void bound_logs();

    // --- time
    // The time to sign and to show: never behind what this office has seen.
    [[nodiscard]] WallTime wall(Now now) const;
    // The time to expire by (clock.h).
    [[nodiscard]] WallTime aged() const { return meta_.aged; }
    [[nodiscard]] const Clock& clock() const { return clock_; }
    void let_time_pass(Now now);
    // A signed word of an office, by whatever path; its clock may be ahead.
    void heard_of(OfficeId office, WallTime at, Now now);
    void trust_clock(Now now);
    void hear_clock(OfficeId peer, WallTime clock, Now now);

    // --- bodies under way
    [[nodiscard]] const std::map<RecordId, UnderWay>& partials() const { return partials_; }
    // There must be room for it (under_way.h).
    void put_partial(const storage::Partial& partial);
    void drop_partial(const RecordId& id);
    // It is whole: its parts are a record's now.
    void end_partial(const RecordId& id);

    // The id of the record held under `number`, zero while unpublished; nothing if none is.
    Result<std::optional<RecordId>> held_id(const LogKey& log, Number number) const;
    // One record more is carried for others (carry_share.h), and one less.
    void count_carried(const LogKey& log, Interval run, std::uint64_t bytes);
    void uncount_carried(const LogKey& log, std::uint64_t bytes);
    // A carried record goes, and is refused from here on.
    Result<void> let_go(const storage::StoredRecord& record, RefusalReason reason);
    // No record of that log above this number is carried.
    Number& carried_up_to(const LogKey& log) {
        return carried_up_to_.try_emplace(log, UINT32_MAX).first->second;
    }
    // Mail for this office had to wait for so much room on the disk.
    void want_room(std::uint64_t bytes) { wanted_room_ = bytes; }
    [[nodiscard]] std::uint64_t wanted_room() const { return wanted_room_; }

    // Reports that were sent to peers and taken from them since the start, for those who watch.
    struct Moved {
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
    };
    [[nodiscard]] const Moved& moved() const { return moved_; }
    void count_sent(Interval run) { moved_.sent += run.count(); }
    void count_received(Interval run) { moved_.received += run.count(); }

    // This office, which has stopped, goes on in a new incarnation at the end of the batch
    // (new_life.h), without waiting for more news of what it has signed.
    void go_on_at_once() { goes_on_at_once_ = true; }
    bool take_at_once() { return std::exchange(goes_on_at_once_, false); }

    // The machines of each office that came last. Not in the store.
    [[nodiscard]] Lives& lives() { return lives_; }

    [[nodiscard]] const ReportTypes& types() const { return types_; }
    ReportTypes& types() { return types_; }

    // --- everything else is written only
    storage::Arrival next_arrival(std::uint32_t reports);
    storage::Blob next_blob();
    storage::PeerState& edit_peer(OfficeId office);
    [[nodiscard]] const storage::PeerState& peer(OfficeId office) const;
    [[nodiscard]] const std::map<OfficeId, storage::PeerState>& peers() const { return peers_; }
    // A failure is kept until flush(); nothing is written after it.
    void write(const storage::StoreChange& change);
    // Files an event, and raises it if it is a matter for a person. What happens again to the same
    // report by the same office, or within an hour without a report, raises the count of the event
    // that is there; those who watch are not told.
    struct About {
        OfficeId office{};
        std::optional<storage::ReportKey> report{};
        std::optional<Via> via{};  // nothing: it happened here
        std::string detail{};
    };
    void note(What what, About about, Now now, std::vector<Notice>& notify);
    [[nodiscard]] const Attention& attention() const { return attention_; }
    // A state that lasts: raised when it begins or grows, and settled by itself at 0.
    // A dismissed item that changes without news stays dismissed.
    void keep_raised(What what, OfficeId office, std::uint32_t count, std::string detail, Now now,
                     bool is_news = true);
    // Removes an item about a report, because a person has done what it asked.
    void settle(What what, OfficeId office, const storage::ReportKey& report);
    // False: no item has that number.
    bool dismiss(std::uint32_t number, Now now);

    // Writes what was edited in memory. Fails with the first failure of any write since the ledger
    // was loaded: then the transaction is to be aborted, and the ledger thrown away.
    Result<void> flush();
    [[nodiscard]] const std::optional<Error>& write_failure() const { return write_failure_; }

    // Changes since the last call, for the peers: logs that hold more, registers that are newer.
    struct News {
        std::map<LogKey, IntervalSet> held;
        std::set<RegisterName> registers;
        bool roster = false;
        bool roster_closed_one = false;  // an office was revoked, or has retired
        std::set<OfficeId> cut_off;      // of these the roster has a new cut-off
        // Authors of whose logs less is refused now: peers may send it again.
        std::set<OfficeId> released;
        // Offices of which this office has fewer registers than it told before.
        std::set<OfficeId> lacks_registers;
        // Authors of records that were let go for want of room: custody tells them.
        std::set<OfficeId> let_go;
        // Records of which peers are asked for a proof: one of them, or all.
        struct ToProve {
            LogKey log;
            Number number = 0;
            std::optional<OfficeId> of;
        };
        std::vector<ToProve> to_prove;
    };
    News take_news();
    void tell_held(const LogKey& log, Interval run) { news_.held[log].add(run); }
    // Peers are asked which record they have under this number (chain.h, tops.h): `of`, if it is
    // linked, or else whoever is linked.
    void ask_for_proof(const LogKey& log, Number number, std::optional<OfficeId> of = {});
    // A log that was closed from a lower number on is closed from this one on: what may be between
    // is lacking (invariant I3 too).
    void reopen(const LogKey& log, Number closed_from);
    // Held numbers whose records are gone: peers are asked for them again (invariant I3 too).
    void lose(const LogKey& log, const IntervalSet& numbers);
    // Registers of this office were dropped: older ones that peers have are wanted.
    void want_registers_of(OfficeId office) { news_.lacks_registers.insert(office); }
    // An own record that was public and is gone from this store (healing.h): what a peer has of it
    // is taken back.
    [[nodiscard]] bool has_lost(const LogKey& log, Interval run) const;
    // Ends a refusal: its cause is gone (invariant I3: N shrinks, so peers are told).
    void release(const LogKey& log, RefusalReason reason, const IntervalSet& numbers);

private:
    explicit Ledger(crypto::Roster roster) : roster_(std::move(roster)) {}
    void raise_for(const RosterStatement& statement, Now now);
    void index_register(const Register& entry);
    // The event that one more of its kind is counted in, if any.
    [[nodiscard]] Result<std::optional<storage::Event>> event_counting(
        const storage::Event& again) const;
    void raise(const storage::Event& event, std::uint32_t count, bool is_news = true);
    void note_released(OfficeId author);
    [[nodiscard]] std::size_t runs_max_of(const LogKey& log) const;
    [[nodiscard]] IntervalSet numbers_under_way(const LogKey& log) const;
    Result<void> index_partial(const storage::Partial& partial);

    storage::RecordStore* store_ = nullptr;
    const Config* config_ = nullptr;
    crypto::Roster roster_;
    std::vector<RosterChange> changes_of_roster_;
    storage::OfficeMeta meta_;
    Logs logs_;
    std::vector<LogKey> damaged_logs_;
    std::map<RegisterName, Register> registers_;
    std::map<RegisterName, ShortHash> register_hashes_;
    mutable std::map<OfficeId, Prekey> checked_prekeys_;
    mutable DecodedReceipts decoded_;
    HeardReceipts heard_receipts_;
    std::map<OfficeId, OfficeStatement> statements_;
    std::map<OfficeId, Custody> custody_;
    std::map<OfficeId, storage::PeerState> peers_;
    std::map<OfficeId, Hash> leaves_;

    std::map<RecordId, UnderWay> partials_;
    std::uint64_t partial_edits_ = 0;
    std::map<LogKey, Number> carried_up_to_;
    bool goes_on_at_once_ = false;
    std::uint64_t wanted_room_ = 0;
    Clock clock_;
    Attention attention_;
    // The newest event of each kind without a report, by its seq. Not in the store.
    std::map<std::pair<What, OfficeId>, std::uint64_t> last_noted_;

    std::optional<Error> write_failure_;
    std::set<LogKey> edited_logs_;
    std::set<LogKey> unbounded_logs_;  // edited since bound_logs()
    void touch_leaf(OfficeId office) {
        stale_leaves_.insert(office);
        ++leaf_edits_;
    }
    std::set<OfficeId> stale_leaves_;
    std::uint64_t leaf_edits_ = 0;
    std::uint64_t releases_ = 0;
    std::uint64_t released_at_ = 0;
    std::map<OfficeId, Less> had_less_;
    std::set<OfficeId> edited_peers_;
    bool meta_edited_ = false;
    Moved moved_;
    Lives lives_;
    ReportTypes types_;
    News news_;
};

}  // namespace fieldpost::engine
