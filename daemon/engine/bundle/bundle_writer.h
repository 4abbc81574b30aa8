// Writes a bundle for some offices: all that they lack, as far as this office knows. The order is
// by importance:
// - the roster
// - urgent records
// - our own registers, and receipts about the records of offices that the bundle names as readers
// - replies, normal and bulk records, and between them the registers of others
//
// Records and the registers of others take turns, byte for byte. So a member that signs many
// registers cannot fill a small stick.
//
// Every cell can be read without the others: headers are elided within a frame only, and a body is
// opened again in each cell that has some of it.
#pragma once

#include <deque>

#include "daemon/engine/bundle/bundle_readers.h"

namespace fieldpost::engine {

class BundleWriter {
public:
    // Signs a head, and a statement of custody for each reader whose records are here. An Error is
    // the store's.
    static Result<BundleWriter> begin(Ledger& ledger, const BundleOrder& order, Now now);

    // A record that must be published before it can be written.
    struct Unpublished {
        LogKey log;
        Number number = 0;
    };
    // The counts in a BundleContent cover the whole bundle so far. The caller fills in its
    // `bundle`.
    using Step = std::variant<Unpublished, BundleContent>;
    Result<Step> next(Ledger& ledger, const BundleMore& more);

private:
    enum class Stage : std::uint8_t { urgent, registers, replies, normal, bulk, over };
    struct Item {
        crypto::BundlePart part{};
        Bytes frame;
        std::uint64_t reports = 0;
        bool is_of_others = false;  // registers that others signed
    };
    // Bodies in segments that are not begun yet, by size.
    using LargeOnes = std::multimap<std::uint32_t, std::pair<LogKey, Number>>;
    // A body in segments that is being written.
    struct Large {
        storage::StoredRecord record;  // without its body
        Header header;
        BodyShape shape;
        IntervalSet parts;         // still to be written
        std::uint32_t offset = 0;  // in the first of them
    };

    explicit BundleWriter(BundleReaders readers) : readers_(std::move(readers)) {}
    [[nodiscard]] bool may_sign(const Ledger& ledger) const;
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
    // An estimate, for the records that are planned so far.
    [[nodiscard]] std::uint64_t left_bytes() const;
    [[nodiscard]] BundleContent content(BundleContent::Step step);

    WallTime at_;
    BundleReaders readers_;
    Bytes said_;
    std::vector<Item> preamble_;  // roster, head and summary: they begin every file
    std::size_t preamble_left_ = 0;
    bool is_file_fresh_ = true;  // it holds the preamble only
    bool is_short_ = false;
    bool has_news_ = false;
    Stage stage_ = Stage::urgent;
    std::deque<Item> waiting_;
    RunsByLog holds_;  // gathered so far; includes records that were then left out of the file
    std::map<LogKey, IntervalSet> small_;  // in one piece, or of unknown size still
    LargeOnes large_;
    // Registers of others that are not written yet, their signers in turn. `others_ahead_`: by how
    // many bytes the written registers are ahead of records.
    std::deque<RegisterName> others_;
    std::int64_t others_ahead_ = 0;
    std::uint64_t large_bytes_ = 0;
    std::optional<Large> under_way_;
    // The cell that is being filled.
    crypto::BundlePart part_{};
    Bytes cell_;
    std::uint64_t reports_ = 0;
    std::uint64_t small_reports_ = 0;  // reports in frames of records in one piece
    std::uint64_t small_bytes_ = 0;
    std::uint64_t left_out_ = 0;
};

}  // namespace fieldpost::engine
