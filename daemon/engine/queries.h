// What people ask: what is in the boxes, and how far a report has come. Reads only.
//
// A state is never more than can be proved (P4): `delivered` stands on the recipient's receipt,
// `acknowledged` on its signed answer, `carried` on a carrier's newest statement of custody.
#pragma once

#include "daemon/engine/delivery.h"

namespace fieldpost::engine {

// In the order of progress; of a record's recipients the least advanced one under way is shown.
enum class State : std::uint8_t { queued, carried, delivered, acknowledged, expired, failed };
std::string_view name_of(State state);
std::string_view name_of(RecordClass record_class);

struct RecipientProgress {
    OfficeId office{};
    State state = State::queued;
    std::string reason;  // of `failed`
    // The answer, if there is one.
    ReplyOutcome outcome = ReplyOutcome::none;
    std::string staff;
    std::string note;
    std::optional<storage::ReportKey> answer;
};

struct ReportView {
    storage::Arrival arrival{};  // its own, also inside a run
    storage::ReportKey key;
    storage::StoredRecord record;
    Header header;
    std::optional<storage::ArchiveEntry> entry;  // none: only carried
    State state = State::queued;
    std::string reason;
    std::vector<RecipientProgress> recipients;
    std::optional<storage::ReportKey> replaced_by;
    // If it can be read here.
    std::optional<Report> report;
    Hash hash;
    Bytes attachments;
};

// A printed id, such as "hyesan-42", "hyesan.2-u7".
std::string printed_id(const Ledger& ledger, const storage::ReportKey& key);
std::string printed_name(const Ledger& ledger, OfficeId office);
// Whether it is written as an id.
bool is_id(std::string_view id);
// Nothing if it is not an id, or of nothing that is here.
Result<std::optional<storage::ReportKey>> find_id(const Ledger& ledger, std::string_view id);

// The reports of one stored record, one each; a carried record is one.
Result<std::vector<ReportView>> views_of(const Ledger& ledger, const storage::StoredRecord& record,
                                         Opening opening);
// Who says it holds this report of ours, by its newest statement of custody.
std::vector<OfficeId> carriers_of(const Ledger& ledger, const storage::ReportKey& key);

// How many reports stand where, in both boxes. Nothing is opened for it.
struct Counts {
    std::map<State, std::uint32_t> outbox;
    std::uint32_t unacknowledged = 0;
    std::uint32_t acknowledged = 0;
    // That no other office has yet.
    std::uint32_t only_here = 0;
    std::uint64_t only_here_bytes = 0;
};
Result<Counts> count_reports(const Ledger& ledger);

// What is held here for each office and not receipted by it.
struct Waiting {
    std::uint32_t records = 0;
    std::uint64_t bytes = 0;
};
Result<std::map<OfficeId, Waiting>> waiting_for_each(const Ledger& ledger);

// not_found: not in a box here and not carried.
Result<ReportView> view_of(const Ledger& ledger, const storage::ReportKey& key, Opening opening);

}  // namespace fieldpost::engine
