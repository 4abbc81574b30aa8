// What a bundle for some offices holds: what they lack as far as is known, in the order in which it
// matters: roster, urgent, our own registers and receipts about the records of offices that it is
// for by name; then replies, normal, bulk, and between them the registers of others, in turns byte
// for byte: a small stick is not filled by a member that signs many.
//
// Every cell can be read without the others: headers are elided within a frame only, and a body is
// opened again in each cell that has some of it.
#pragma once

#include <deque>

#include "daemon/engine/bundle/bundle_knowledge.h"

namespace fieldpost::engine {

class BundleWriter {
public:
    // Signs a head, and custody for those whose records are here. An Error is the store's.
    static Result<BundleWriter> begin(Ledger& ledger, const BundleOrder& order, Now now);

    // Must be made public before it can be written.
    struct Unpublished {
        LogKey log;
        Number number = 0;
    };
    // The content's numbers are of all so far; its `bundle` is the caller's to fill in.
    using Step = std::variant<Unpublished, BundleContent>;
    Result<Step> next(Ledger& ledger, const BundleMore& more);

private:
    enum class Stage : std::uint8_t { urgent, registers, replies, normal, bulk, over };
    struct Item {
        crypto::BundlePart part{};
        Bytes frame;
        std::uint64_t reports = 0;
        bool is_of_others = false;  // registers
    };
    // Bodies in segments that wait, by size.
    using LargeOnes = std::multimap<std::uint32_t, std::pair<LogKey, Number>>;
    // One that has begun.
    struct Large {
        storage::StoredRecord record;  // without its body
        Header header;
        BodyShape shape;
        IntervalSet parts;         // still to be written
        std::uint32_t offset = 0;  // in the first of them
    };

    [[nodiscard]] bool is_enough(const Ledger& ledger) const;
    [[nodiscard]] bool may_sign(const Ledger& ledger) const;
    [[nodiscard]] bool is_lacked(const Ledger& ledger, const Header& header) const;
    [[nodiscard]] bool is_lacked(const Register& entry, RegisterHashes& ours) const;
    [[nodiscard]] Result<std::optional<Interval>> left_to_others(const Ledger& ledger,
                                                                 const LogKey& log,
                                                                 Number number) const;
    // What a target lacks of these, and does not have from the row before either.
    [[nodiscard]] IntervalSet lacks(const Ledger& ledger, const BundleKnowledge& target,
                                    const LogKey& log, const IntervalSet& held) const;
    void add(crypto::BundlePart part, const Frame& frame);
    void add_roster(const Ledger& ledger);
    Result<void> add_head(Ledger& ledger, Now now);
    Result<void> add_custody(Ledger& ledger, Now now);
    [[nodiscard]] bool goes_first(const Ledger& ledger, const RegisterKey& key) const;
    void add_registers(const Ledger& ledger);
    void plan_others(const Ledger& ledger);
    void add_others(const Ledger& ledger);
    void plan_records(const Ledger& ledger, RecordClass record_class);
    void begin_stage(const Ledger& ledger);
    Result<std::optional<Unpublished>> gather_small(Ledger& ledger, std::size_t room);
    void forget_large(LargeOnes::iterator at);
    Result<bool> begin_large(const Ledger& ledger, const BundleMore& more);
    Result<void> fill_with_large(const Ledger& ledger, std::size_t room);
    void leave_out_the_rest(const Ledger& ledger);
    // Of the stage that it is in, about.
    [[nodiscard]] std::uint64_t left_bytes() const;
    [[nodiscard]] BundleContent content(BundleContent::Step step);

    WallTime at_;
    BundleOrder order_;
    std::vector<BundleKnowledge> targets_;
    // What who read our bundle before this one has from that.
    std::optional<BundleKnowledge> since_;
    Bytes said_;
    std::vector<Item> preamble_;  // roster and head, of every file
    std::size_t preamble_left_ = 0;
    bool is_file_fresh_ = true;  // nothing but that is in it
    bool is_short_ = false;
    bool has_news_ = false;
    Stage stage_ = Stage::urgent;
    std::deque<Item> waiting_;
    RunsByLog holds_;                      // so far; what was left out of the file as well
    std::map<LogKey, IntervalSet> small_;  // or not looked at yet
    LargeOnes large_;
    // Registers of others that wait, their signers in turn, and by how many bytes those that were
    // written are ahead of records.
    std::deque<RegisterName> others_;
    std::int64_t others_ahead_ = 0;
    std::uint64_t large_bytes_ = 0;
    std::optional<Large> under_way_;
    // The cell that is being filled.
    crypto::BundlePart part_{};
    Bytes cell_;
    std::uint64_t reports_ = 0;
    std::uint64_t small_reports_ = 0;  // of these
    std::uint64_t small_bytes_ = 0;
    std::uint64_t left_out_ = 0;
};

}  // namespace fieldpost::engine
