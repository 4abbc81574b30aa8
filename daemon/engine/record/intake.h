// Records that arrive from others: verified, judged, kept. Every record is treated as if a hostile
// peer had sent it (invariant I1).
#pragma once

#include "daemon/engine/ledger.h"
#include "daemon/engine/record/record_frames.h"

namespace fieldpost::engine {

enum class Verdict : std::uint8_t {
    wanted,
    known,     // held, terminal or refused already: nothing to do
    refused,   // now in E or T, or of a log that is not kept here
    forged,    // the signature does not verify, or the author is unknown
    conflict,  // another record is held under one of its numbers
    ours,      // signed by this office, but unknown to it: the store was rolled back or copied
    no_space,  // for this office, whose disk is full: put off to another time
};

// Decides about a record before its body is looked at. May put its numbers into E or T.
Result<Verdict> judge(Ledger& ledger, const Arriving& record, Via from, Now now,
                      std::vector<Notice>& notify);

// The place of a body: in one piece here, or in parts in the store.
struct Body {
    Bytes one_piece{};
    storage::Blob blob{};
};

// The time at which a record stops being carried. It ages from the time it was made. If that time
// cannot be trusted, it ages from when it was first seen here.
Result<WallTime> expiry_of(const Ledger& ledger, const Header& header, Now now);

// True if `bytes` more fit and the room stays free that this office's own work may need.
bool has_disk_room(const Ledger& ledger, std::uint64_t bytes);

// Keeps a wanted record whose body has been checked against `body_hash`. If it is addressed to this
// office, it is opened, shown once, and will be receipted.
Result<void> keep(Ledger& ledger, const Arriving& record, const Body& body, Via from, Now now,
                  std::vector<Notice>& notify);

// Call after a roster change: releases the refusals for the reason `roster`.
void release_refused_by_roster(Ledger& ledger);
// Call at a start: releases the refusals that came from another configuration or release.
void release_refused_before(Ledger& ledger);

// The custody that this office can state of an author's records, not signed yet: at most
// limits::custody_runs_max runs, urgent first and lowest first.
Result<Custody> custody_of(const Ledger& ledger, OfficeId author);

// Takes a statement about our own records. untrusted: it is not signed by its signer, or is not
// about us. A statement about records that we do not know is not kept. Then peers
// are asked for the proofs.
Result<void> take_custody(Ledger& ledger, const Custody& told, Via from, Now now,
                          std::vector<Notice>& notify);

}  // namespace fieldpost::engine
