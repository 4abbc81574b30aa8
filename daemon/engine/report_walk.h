// Walks over the reports that fit a filter, in the order of their arrival or back, a part at a
// time. What people filter by most comes from the index; only reports that fit are opened.
#pragma once

#include "daemon/engine/queries.h"

namespace fieldpost::engine {

// Empty members do not filter. A report fits if it has one of the values that a member lists.
struct ReportQuery {
    std::vector<Box> boxes{};
    std::optional<State> state{};
    std::vector<OfficeId> from{};
    std::vector<OfficeId> to{};  // recipients, and offices and groups that it names
    std::optional<std::string> type{};
    std::optional<RecordClass> priority{};
    ReplyOutcome outcome = ReplyOutcome::none;  // the worst of the newest answers
    bool unanswered = false;          // in the inbox, opened, and not answered by this office
    bool all_versions = false;        // replaced and withdrawn ones too
    WallTime since{};                 // by when it was received here
    std::vector<OfficeId> held_by{};  // own ones, by these carriers' newest statement
    // A test that needs the opened report.
    std::function<bool(const Report&)> has_words{};
};

class ReportWalk {
public:
    ReportWalk(const Ledger& ledger, ReportQuery query);

    enum class Order : std::uint8_t { oldest_first, newest_first };
    // Takes a report that fits. False: enough.
    using Take = std::function<Result<bool>(const ReportView&)>;
    // Goes on from `from`, which is not left out, until `take` has enough or `is_spent`. Returns
    // the arrival to go on from; nothing: there is nothing left.
    Result<std::optional<storage::Arrival>> run(storage::Arrival from, Order order,
                                                const IsSpent& is_spent, const Take& take);
    // The number of reports that fit. Nothing: the index alone cannot tell.
    Result<std::optional<std::uint64_t>> count() const;

    // The report that arrived so. Null: there is none. Valid until the next call. Neighbours are
    // opened together.
    Result<const ReportView*> view_at(storage::Arrival arrival);
    // True if this report, of the inbox or outbox, fits.
    Result<bool> is_one(const ReportView& view) const;

private:
    [[nodiscard]] bool needs_every_record() const;
    [[nodiscard]] bool needs_a_look() const;
    Result<std::optional<storage::Arrival>> next(storage::Arrival from, Order order);
    Result<bool> fits_terms(const ReportView& view) const;
    Result<bool> fits_at_a_look(const ReportView& view) const;

    const Ledger* ledger_;
    ReportQuery query_;
    storage::ReportFilter filter_;
    std::optional<storage::Selection> selection_;
    // The reports of the record that was opened last.
    std::vector<ReportView> views_;
    storage::Arrival views_from_{};
    storage::Arrival views_to_{};
};

}  // namespace fieldpost::engine
