// Answers what people ask: which reports are in the boxes, and how far each has come. Reads only.
//
// A state is read from the report's page, which engine/progress keeps; nothing is derived here from
// what may be thrown away.
#pragma once

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
    // If it can be read here.
    std::optional<Report> report;
    Hash hash;
    Bytes attachments;
};

// A printed id, such as "hyesan-42", "hyesan.2-u7". A run that is only carried, "hyesan-40..47", is
// read too.
std::string printed_id(const Ledger& ledger, const storage::ReportKey& key);
std::string printed_name(const Ledger& ledger, OfficeId office);
// True if it is written as an ID.
bool is_id(std::string_view id);
// Nothing: it is no ID, or no report here has it.
Result<std::optional<storage::ReportKey>> find_id(const Ledger& ledger, std::string_view id);

// The reports of one stored record, one each; a carried record is one.
Result<std::vector<ReportView>> views_of(const Ledger& ledger, const storage::StoredRecord& record,
                                         Opening opening);
// How many reports stand where, in both boxes. Nothing is opened for it.
struct Counts {
    std::map<State, std::uint32_t> outbox;
    std::uint32_t unacknowledged = 0;
    std::uint32_t acknowledged = 0;
    // Reports among those above that a newer one corrects.
    std::uint32_t replaced_in_inbox = 0;
    std::uint32_t replaced_in_outbox = 0;
    // Own reports that no other office has yet.
    std::uint32_t only_here = 0;
    std::uint64_t only_here_bytes = 0;
};
Result<Counts> count_reports(const Ledger& ledger);

// Records that are held here for an office and not receipted by it.
struct Waiting {
    std::uint32_t records = 0;
    std::uint64_t bytes = 0;
};
Result<std::map<OfficeId, Waiting>> waiting_for_each(const Ledger& ledger);

// With the words of its answers. not_found: not in a box here and not carried.
Result<ReportView> view_of(const Ledger& ledger, const storage::ReportKey& key, Opening opening);

}  // namespace fieldpost::engine
