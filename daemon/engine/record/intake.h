// What arrives from others: verified, judged, kept. A record as if from a hostile peer (invariant
// I1).
#pragma once

#include "daemon/engine/ledger.h"
#include "daemon/engine/record/record_frames.h"

namespace fieldpost::engine {

enum class Verdict : std::uint8_t {
    wanted,
    known,     // held, terminal or refused already: nothing to do
    refused,   // now in E or T, or nothing that this office keeps
    forged,    // the signature does not verify, or the author is unknown
    conflict,  // another record is held under one of its numbers
    ours,      // signed by this office, and not known to it: the store was rolled back or copied
    no_space,  // for this office, whose disk is full: another time
};

// What to do with a record before its body is looked at. May put its numbers into E or T.
Result<Verdict> judge(Ledger& ledger, const Arriving& record, Via from, Now now,
                      std::vector<Notice>& notify);

// Where a body is: in one piece here, or its parts in the store.
struct Body {
    Bytes one_piece{};
    storage::Blob blob{};
};

// When a record stops being carried: it ages from when it was made, unless that cannot be trusted,
// then from when it was first seen here.
Result<WallTime> expiry_of(const Ledger& ledger, const Header& header, Now now);

// True if so many bytes more fit, beside what this office's own work may need.
bool has_disk_room(const Ledger& ledger, std::uint64_t bytes);

// Keeps a wanted record whose body has been checked against `body_hash`. If it is addressed to this
// office, it is opened, shown once, and will be receipted.
Result<void> keep(Ledger& ledger, const Arriving& record, const Body& body, Via from, Now now,
                  std::vector<Notice>& notify);

// After a roster change.
void release_refused_by_roster(Ledger& ledger);
// At start: what another configuration or release refused.
void release_refused_before(Ledger& ledger);

// The custody that this office can state of an author's records, not signed yet: at most
// limits::custody_runs_max runs, urgent first and lowest first.
Result<Custody> custody_of(const Ledger& ledger, OfficeId author);

// A statement about our own records. untrusted: not signed by who it says, or not about us. If it
// is of records that we do not know it is not kept, and what is returned is to be proved.
Result<std::optional<Prove>> take_custody(Ledger& ledger, const Custody& custody, Via from, Now now,
                                          std::vector<Notice>& notify);

}  // namespace fieldpost::engine
