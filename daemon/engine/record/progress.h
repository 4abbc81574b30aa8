// How far a report has come, as this office shows it. Only proofs move it forward (P4, I8).
//
// Every change of a page goes through prove() or prove_record(). Receipts, statements of custody
// and events may be thrown away afterwards: the page keeps what they proved.
//
// A report may have been written again, in another record, for some of its recipients (reissue.h).
// Receipts and custody name records, so they prove something only for the recipients that this
// record serves.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

struct Proof {
    enum class Of : std::uint8_t {
        carried,          // `by` signed that it holds it
        carried_no_more,  // nobody's newest statement says so any more
        received,         // the recipient signed a receipt
        unreadable,       // the recipient signed that it could not open it
        refused,          // the recipient signed that it does not take it, for now
        refused_no_more,  // its newer receipt does not say so any more
        answered,         // a person at the recipient signed an answer
        expired,          // here, by the guarded clock
        revoked,          // the recipient is cut off
        retired,          // the recipient has closed
        damaged,          // the only known copy was damaged here
        taken_back,       // another office had a copy
        withdrawn,        // people here took the report back
    };
    Of of{};
    // Nothing: the proof is about all recipients.
    std::optional<OfficeId> recipient{};
    OfficeId by{};    // only for `carried`
    Origin answer{};  // only for `answered`: the answer's origin at the recipient
    ReplyOutcome outcome = ReplyOutcome::none;  // only for `answered`
};

// Applies `proof` to one recipient. True if anything changed.
bool advance(storage::Recipient& recipient, const Proof& proof, WallTime at);

// Writes a proof to the report's page, if it has one here. True if that changed anything.
Result<bool> prove(Ledger& ledger, const storage::ReportKey& report, const Proof& proof, Now now);
// The same for the report that a record of this office carries under one of its numbers, and only
// for the recipients that this record serves. Returns the report if its page has changed.
Result<std::optional<storage::ReportKey>> prove_record(Ledger& ledger, const LogKey& log,
                                                       Number number, const Proof& proof, Now now);

// The report that was written again under this number, or else the report of this number.
Result<storage::ReportKey> report_under(const Ledger& ledger, const LogKey& log, Number number);
// The numbers under which this office has written a report, as the page says: the first one, and
// those of its reissues.
std::set<storage::ReportKey> written_under(const storage::ReportKey& report,
                                           const storage::ReportProgress& page);
// True if the record with this number brings the report to this recipient.
bool is_served_by(const storage::ReportKey& report, const storage::Recipient& one,
                  const LogKey& log, Number number);

// Puts onto a page what people filter by, and its place among corrections, from the report.
void describe(Ledger& ledger, const Header& header, const storage::ReportKey& key,
              const Report& report, storage::ReportProgress& page);
// The same for all reports of a record that have a page, if the record can be opened.
Result<void> describe_all(Ledger& ledger, const storage::StoredRecord& record);

// Proves own reports that are still under way once more, from the roster and all newest statements
// of custody. Call when a carrier lets go of them, and when an office is closed.
Result<void> prove_again(Ledger& ledger, const LogKey& log, const IntervalSet& numbers, Now now,
                         std::vector<Notice>& notify);

// The offices whose newest statement of custody holds this report of ours, or a reissue of it.
// Cut-off offices do not count.
Result<std::vector<OfficeId>> carriers_of(const Ledger& ledger, const storage::ReportKey& report);
Result<bool> is_carried_by(const Ledger& ledger, const storage::ReportKey& report, OfficeId office);

}  // namespace fieldpost::engine
