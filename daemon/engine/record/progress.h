// How far a report has come: what this office shows, moved forward by what was proved (P4, I8).
//
// Every change of what people see of a report goes through prove(). Receipts, statements of custody
// and events may be thrown away afterwards: what they proved is kept with the report.
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
        damaged,          // the only copy that is known of was damaged here
        taken_back,       // another office had a copy
    };
    Of of{};
    // Nothing: all recipients.
    std::optional<OfficeId> recipient{};
    OfficeId by{};                              // of carried
    Origin answer{};                            // of answered: the recipient's own
    ReplyOutcome outcome = ReplyOutcome::none;  // of answered
};

// What `proof` makes of one recipient. True if anything changed.
bool advance(storage::Recipient& recipient, const Proof& proof, WallTime at);

// Keeps what was proved of a report that has a page here. True if that changed anything.
Result<bool> prove(Ledger& ledger, const storage::ReportKey& report, const Proof& proof, Now now);

// A correction of a report, which may have a page here, was filed.
Result<void> replace(Ledger& ledger, const storage::ReportKey& original,
                     const storage::ReportKey& correction);

// Of an own report that is still under way: what the roster and all statements of custody say now.
// To be called when a carrier lets go of it, and when an office is closed.
Result<void> prove_again(Ledger& ledger, const storage::ReportKey& report, Now now);

// Who says it holds this report of ours, by its newest statement of custody. Cut-off offices do not
// count.
std::vector<OfficeId> carriers_of(const Ledger& ledger, const storage::ReportKey& report);

}  // namespace fieldpost::engine
