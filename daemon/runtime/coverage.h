// What headquarters expects, and what is known of it: for each [[expect]], which office owes a
// report for which period.
//
// All is derived from the store: the reports of a type are looked at once, in parts, and then those
// that the feed names. So nothing has to be kept over a restart.
//
// Promise: an office cannot make this grow beyond `reports_a_cell_max` reports a period, and a look
// ends when its time is spent.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/engine/inputs.h"
#include "daemon/engine/report_walk.h"
#include "daemon/runtime/periods.h"

namespace fieldpost::runtime {

// One [[expect]].
struct Expectation {
    std::string type;
    std::string from;  // an office, or a group such as "@field"
    Every every{};
    std::uint32_t due_seconds = 0;  // after the period's end
    // The report's field that names the period. Empty, or no period there: a correction is for the
    // period of what it corrects, and another report for that of the author's date of writing.
    std::string period_field{};
    bool operator==(const Expectation&) const = default;
};

class Coverage {
public:
    // Besides the running one, and if nobody asks for more.
    static constexpr Period past_periods = 8;
    static constexpr Period periods_max = 400;
    // The earliest, and of the others the newest, are kept.
    static constexpr std::size_t reports_a_cell_max = 64;

    enum class State : std::uint8_t { here, late, open, coming, nothing };
    struct Cell {
        Period period = 0;
        WallTime due;
        State state{};
        std::vector<storage::ReportKey> reports{};  // the current ones, by arrival
    };
    // Of the running period and those before it.
    struct Tally {
        std::size_t overdue = 0;
        std::string words{};  // the newest of them, or that nobody is meant; empty: all is well
        WallTime newest_due{};
    };

    // From now on.
    void expect(std::vector<Expectation> expectations);
    [[nodiscard]] const std::vector<Expectation>& expectations() const { return expectations_; }
    // The store is another one, or has lost something.
    void begin_anew();
    // From this time on every period of this type is looked at, until another period begins; an
    // empty type is every type. limit_exceeded: these would be more than `periods_max`.
    Result<void> reach_back_to(WallTime since, const std::string& type, WallTime now);

    // Looks at what has come since the last call. True: at all of it. `now` is the time to show.
    Result<bool> catch_up(const engine::Ledger& ledger, WallTime now,
                          const engine::IsSpent& is_spent);
    // The number of reports that were looked at since the last call that returned true.
    [[nodiscard]] std::uint64_t looked_at() const { return looked_at_; }
    // Some of it was not looked at yet.
    [[nodiscard]] bool is_behind() const { return !expectations_.empty() && !is_whole_; }
    // False: it is behind, or some time has passed since note_look().
    [[nodiscard]] bool is_up_to_date(Instant now) const;
    void note_look(Instant now) { last_look_ = now; }

    // After catch_up(). The offices, by name, that an expectation means or meant.
    [[nodiscard]] std::vector<std::string> offices(const engine::Ledger& ledger,
                                                   std::size_t expectation) const;
    // The periods that an office owes, the earliest first, from the one that `since` is in;
    // nothing: the running one and those before it.
    [[nodiscard]] std::vector<Cell> cells(const engine::Ledger& ledger, std::size_t expectation,
                                          const std::string& office, std::optional<WallTime> since,
                                          WallTime now) const;
    [[nodiscard]] Tally tally(const engine::Ledger& ledger, WallTime now) const;
    // The same, some seconds old.
    const Tally& tally_now(const engine::Ledger& ledger, Instant now, WallTime wall);
    // For attention, if it has changed since the last call.
    std::optional<engine::Input> take_news(const engine::Ledger& ledger, Instant now,
                                           WallTime wall);

private:
    struct Found {
        storage::ReportKey report;
        // Of a correction that names no period: the report that it corrects.
        std::optional<storage::ReportKey> corrects{};
        storage::Arrival arrival{};
        WallTime received;
        bool is_current = false;
    };
    // The reports that one expectation is about.
    struct Looked {
        Period first = 0;
        Period running = 0;
        // The arrival to go on from; nothing: all were looked at.
        std::optional<storage::Arrival> next = storage::Arrival{0};
        std::map<OfficeId, std::map<Period, std::vector<Found>>> found{};
    };
    struct Span {
        WallTime from;
        WallTime to;
    };
    struct Due {
        Period period = 0;
        WallTime begins;
        WallTime ends;
        WallTime due;
    };

    Result<void> walk(const engine::Ledger& ledger, std::size_t expectation,
                      const engine::IsSpent& is_spent);
    Result<bool> read_feed(const engine::Ledger& ledger, const engine::IsSpent& is_spent);
    // `firsts` keeps the record of the first version that was looked at last.
    Result<void> look_again(const engine::Ledger& ledger, engine::ReportWalk& reports,
                            engine::ReportWalk& firsts, const storage::ReportKey& report);
    [[nodiscard]] std::vector<storage::ReportKey> corrections_of(
        const storage::ReportKey& report) const;
    Result<void> put(const engine::Ledger& ledger, engine::ReportWalk& firsts,
                     std::size_t expectation, const engine::ReportView& view);
    void remove(std::size_t expectation, const storage::ReportKey& report);
    [[nodiscard]] std::vector<Due> dues(std::size_t expectation,
                                        std::optional<WallTime> since) const;
    [[nodiscard]] std::vector<Cell> cells(const engine::Ledger& ledger, std::size_t expectation,
                                          const std::string& office, const std::vector<Due>& dues,
                                          WallTime now) const;
    void read_roster(const engine::Ledger& ledger);
    [[nodiscard]] bool owes(const std::string& office, const Due& due, WallTime now) const;

    std::vector<Expectation> expectations_;
    std::vector<Looked> looked_;                  // one for each
    std::vector<std::optional<WallTime>> since_;  // one for each
    std::optional<storage::FeedPlace> place_;
    std::vector<storage::ReportKey> again_;  // corrections to look at again
    std::uint64_t looked_at_ = 0;
    bool is_whole_ = false;
    std::optional<Instant> last_look_;
    // When the machines of an office were members, by its name and in order.
    std::map<std::string, std::vector<Span>> members_;
    std::uint32_t roster_version_ = 0;
    std::optional<Tally> tally_;
    std::uint64_t tally_place_ = 0;
    std::uint32_t tally_roster_ = 0;
    Instant tallied_at_{};
    std::optional<Tally> told_;
};

// True of a name that no office bears or was invited under.
bool is_nobody(const engine::Ledger& ledger, const std::string& from);

// "here", "late", "open", "coming", "nothing".
std::string_view name_of(Coverage::State state);

}  // namespace fieldpost::runtime
