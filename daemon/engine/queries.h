// Answers what people ask: which reports are in the boxes, and how far each has come. Reads only.
//
// A state is read from the report's page, which engine/progress keeps; nothing is derived here from
// what may be thrown away.
#pragma once

#include <functional>

#include "daemon/engine/record/delivery.h"
#include "daemon/engine/record/progress.h"

namespace fieldpost::engine {

// A report with several recipients shows the state of the least advanced one that is under way.
using storage::State;
std::string_view name_of(State state);
std::string_view name_of(storage::FailReason reason);

struct RecipientView {
    storage::Recipient proved;
    // of its newest answer, if that was asked for
    std::string staff;
    std::string note;
};

struct ReportView {
    storage::Arrival arrival{};  // its own, also inside a run
    storage::ReportKey key;
    storage::StoredRecord record;
    Header header;
    std::optional<storage::ArchiveEntry> entry;  // none: only carried
    State state = State::queued;
    std::string reason;  // of `failed`
    // Another's report has this office alone here; one that is only carried has all, as far as they
    // are known.
    std::vector<RecipientView> recipients;
    std::optional<storage::ReportKey> replaced_by;
    std::optional<storage::Withdrawn> withdrawn;
    std::string withdrawal_reason;  // if that was asked for
    WallTime forgotten_at;          // zero: never
    std::uint64_t change = 0;       // the number of its newest change in the feed; 0: none
    // If it can be read here.
    std::optional<Report> report;
    Hash hash;
    // The place where its attachments begin among those of the record.
    std::uint64_t attachments_from = 0;
};

// A printed id, such as "hyesan-42", "hyesan.2-u7". If two copies of a home used a number, four hex
// digits of the incarnation tell which: "hyesan.2-7~3f9a". A run that is only carried,
// "hyesan-40..47", is read too; with the digits, "hyesan.2-40..47~3f9a".
std::string printed_id(const Ledger& ledger, const storage::ReportKey& key);
std::string printed_name(const Ledger& ledger, OfficeId office);
// True if it is written as an ID.
bool is_id(std::string_view id);
// Nothing: it is no ID, or no report here has it. malformed: several reports have it.
Result<std::optional<storage::ReportKey>> find_id(const Ledger& ledger, std::string_view id);

// The report that an ID names in an incarnation of `author` that is known here, whether or not the
// report is. malformed: several incarnations fit.
Result<std::optional<storage::ReportKey>> named_by(const Ledger& ledger, OfficeId author,
                                                   std::string_view id);

// The reports of one stored record, one each; a carried record is one.
Result<std::vector<ReportView>> views_of(const Ledger& ledger, const storage::StoredRecord& record);
// Adds staff and note of the newest answers, and the reason of a withdrawal.
Result<void> add_words(const Ledger& ledger, ReportView& view);

// True once a walk has taken long enough: the rest goes on in another turn.
using IsSpent = std::function<bool()>;

// The records that are held here for an office and not receipted by it, counted over some of the
// logs.
struct Waiting {
    std::uint32_t records = 0;
    std::uint64_t bytes = 0;
};
// Counts from `from` on, and stops once `is_spent`. Returns the record to go on with; nothing: all
// were counted.
using RecordPlace = std::pair<LogKey, Number>;
Result<std::optional<RecordPlace>> count_waiting(const Ledger& ledger, RecordPlace from,
                                                 const IsSpent& is_spent,
                                                 std::map<OfficeId, Waiting>& waiting);

// With the words of its answers. not_found: not in a box here and not carried.
Result<ReportView> view_of(const Ledger& ledger, const storage::ReportKey& key);

// Reads at most `size` bytes of one attachment, counted from 0, from `offset` on. Empty: its end. A
// large file is read in parts. not_found: no such report or attachment here, or it cannot be read.
Result<Bytes> attachment_part(const Ledger& ledger, const storage::ReportKey& key,
                              std::size_t attachment, std::uint64_t offset, std::size_t size);

}  // namespace fieldpost::engine
