// The feed: what changed for a reader of this office, in the order of commits (promise P13).
//
// A change says which report changed and in what way. It holds no words and no state: whoever reads
// it reads the report as it is then. So of the changes of one recipient's state only the newest is
// kept, under its new number: a carrier that takes a report and drops it, again and again, makes
// the feed no longer.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "storage/checked_tables.h"
#include "storage/report_page.h"

namespace fieldpost::storage {

// The numbers are stored: add at the end.
enum class ChangeOf : std::uint8_t {
    report = 0,     // it was filed here
    replaced = 1,   // another report is its newest correction now, or none is
    answer = 2,     // an office answered it
    state = 3,      // the state of one recipient of an own report
    withdrawn = 4,  // its author took it back
    forgotten = 5,  // its readable copy here was destroyed
};

struct Change {
    std::uint64_t number = 0;  // from 1; numbers of changes that are not kept any more are missing
    ChangeOf of{};
    ReportKey report;
    OfficeId office{};  // of `state`: the recipient
    Arrival answer{};   // of `answer`: the arrival of the answer
    bool operator==(const Change&) const = default;
};

// Drawn when a store is made, and anew when it was put back or its feed was damaged. Every reader
// then begins again.
using FeedId = ByteArray<struct FeedIdTag, 8>;

// A place in the feed: the change with this number and all before it were read. `start` is the
// number that the daemon drew at the start in which the change was written: after a store was put
// back unnoticed, the same number means another change.
struct FeedPlace {
    FeedId feed;
    std::uint64_t number = 0;  // 0: nothing was read
    std::uint32_t start = 0;
    bool operator==(const FeedPlace&) const = default;
};

// Its changes lie in memory until flush(), which belongs before the commit and before every read.
class Feed {
public:
    explicit Feed(CheckedTables& tables) : tables_(&tables) {}

    // Appends it under the next number, which it returns.
    Result<std::uint64_t> append(Change change);
    Result<void> drop(std::uint64_t number);
    // Begins an empty feed with a new id. Its numbers begin at 1.
    Result<void> begin_anew();
    // Keeps all changes, under a new id.
    Result<void> draw_id();
    // Changes that are appended from now on were written after this start.
    Result<void> note_start(std::uint32_t start);
    Result<void> flush();
    // The transaction is not kept.
    void forget();

    // Reads. The place of the newest change.
    [[nodiscard]] Result<FeedPlace> end() const;
    // The place of a change with this number.
    [[nodiscard]] Result<FeedPlace> place_of(std::uint64_t number) const;
    // The first `limit` changes with a number > `after`.
    [[nodiscard]] Result<std::vector<Change>> changes(std::uint64_t after, std::size_t limit) const;

private:
    struct Head {
        FeedId id;
        std::uint64_t next = 1;
    };
    using Row = std::vector<Change>;
    [[nodiscard]] Result<Head> head() const;
    Result<Row*> row(std::uint64_t first);

    CheckedTables* tables_;
    std::map<std::uint64_t, Row> changed_;  // by the number in their key
    std::optional<Head> changed_head_;
};

}  // namespace fieldpost::storage
