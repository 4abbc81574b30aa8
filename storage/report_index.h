// Finds reports by what people filter by, and counts them, without a look at each.
//
// For each property and each block of 4,096 arrivals there is one bitmap: which arrivals have it.
// Bitmaps can be combined, so any filter costs a few rows for each block, however many reports fit.
// A scattered bitmap is kept as a list of positions. (Bitmap indexes by value: O'Neil, "Model 204
// architecture and performance", 1987.)
//
// The index follows from the pages of reports alone. It holds no words: types are numbers here.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "storage/checked_tables.h"
#include "storage/report_page.h"

namespace fieldpost::storage {

// The numbers are in the keys: add at the end.
enum class Facet : std::uint8_t {
    box = 0,        // Box
    state = 1,      // State
    outcome = 2,    // ReplyOutcome: the worst of the newest answers; none has no row
    priority = 3,   // RecordClass
    replaced = 4,   // 1
    from = 5,       // OfficeId of the author
    to = 6,         // OfficeId of a recipient, or of a group or office that it names
    type = 7,       // TypeNumber; no_type has no row
    withdrawn = 8,  // 1
    forgotten = 9,  // 1
};
struct Term {
    Facet facet{};
    std::uint32_t value = 0;
    auto operator<=>(const Term&) const = default;
};
inline Term term_of(Facet facet, auto value) {
    return {facet, static_cast<std::uint32_t>(value)};
}

// Every term that is true of the report, in order. None for an acknowledgement: lists leave it out.
std::vector<Term> terms_of(const ReportKey& report, const ReportProgress& page);

// True of a report for which one term of every group of `all` is true, and no term of `none`.
struct ReportFilter {
    std::vector<std::vector<Term>> all;
    std::vector<Term> none;
};

// The number of reports in each box and state. Those that were withdrawn or forgotten do not count,
// nor do reports of the inbox that a newer one corrects.
struct ReportCounts {
    std::array<std::uint64_t, state_count> outbox{};  // by state
    std::array<std::uint64_t, state_count> inbox{};
    std::uint64_t queued_bytes = 0;  // of the outbox's `queued`
    bool operator==(const ReportCounts&) const = default;
};

// `terms` is in order.
bool fits(const ReportFilter& filter, const std::vector<Term>& terms);

inline constexpr std::uint64_t arrivals_a_block = 4096;

class Bitmap {
public:
    void set(std::size_t position) { words_[position / 64] |= bit(position); }
    void reset(std::size_t position) { words_[position / 64] &= ~bit(position); }
    [[nodiscard]] bool is_empty() const;
    [[nodiscard]] std::size_t count() const;
    // The least position >= `from` that is set, or the greatest <= `to`.
    [[nodiscard]] std::optional<std::size_t> next(std::size_t from) const;
    [[nodiscard]] std::optional<std::size_t> previous(std::size_t to) const;
    Bitmap& operator|=(const Bitmap& other);
    Bitmap& operator&=(const Bitmap& other);
    Bitmap& remove(const Bitmap& other);
    bool operator==(const Bitmap&) const = default;

    [[nodiscard]] Bytes encode() const;
    static Result<Bitmap> decode(BytesView value);

private:
    static std::uint64_t bit(std::size_t position) { return std::uint64_t{1} << (position % 64); }
    std::array<std::uint64_t, arrivals_a_block / 64> words_{};
};

// Its changes lie in memory until flush(), which belongs before the commit and before every read.
class ReportIndex {
public:
    explicit ReportIndex(CheckedTables& tables) : tables_(&tables) {}

    // The page of a report changes; null: it has none.
    Result<void> change(const ReportKey& report, const ReportProgress* before,
                        const ReportProgress* after);
    // Empties the index and the counts.
    Result<void> clear();
    Result<void> flush();
    // The transaction is not kept.
    void forget();

    // Reads.
    [[nodiscard]] Result<ReportCounts> counts() const;
    [[nodiscard]] Result<Bitmap> bitmap(std::uint32_t block, const Term& term) const;
    // The least block >= `from` that holds a report, or the greatest <= `to`.
    [[nodiscard]] Result<std::optional<std::uint32_t>> block_from(std::uint32_t from) const;
    [[nodiscard]] Result<std::optional<std::uint32_t>> block_until(std::uint32_t to) const;

private:
    Result<void> put(Arrival arrival, const Term& term, bool is_set);

    CheckedTables* tables_;
    std::map<std::pair<std::uint32_t, Term>, Bitmap> changed_;
    std::optional<ReportCounts> changed_counts_;
};

// The reports that fit a filter, in the order of their arrivals. Valid until the store is written
// to.
class Selection {
public:
    Selection(const ReportIndex& index, ReportFilter filter)
        : index_(&index), filter_(std::move(filter)) {}

    // The least arrival >= `from`, or the greatest <= `to`.
    Result<std::optional<Arrival>> from(Arrival from);
    Result<std::optional<Arrival>> until(Arrival to);
    Result<std::uint64_t> count();

private:
    Result<const Bitmap*> matches(std::uint32_t block);

    const ReportIndex* index_;
    ReportFilter filter_;
    std::optional<std::uint32_t> block_;  // the block that `matches_` is of
    Bitmap matches_;
};

}  // namespace fieldpost::storage
