// Catches a store that was restored from a copy, or runs twice: it would sign other things under
// numbers that it has used. From then on it writes nothing under them (new_life.h).
//
// Caught by the marker, a file outside the store that only grows, and by what peers hold: anything
// with our own valid signature, of this incarnation or a later one, that this store does not know.
#pragma once

#include "daemon/engine/ledger.h"
#include "daemon/engine/marker.h"
#include "proto/sync_frames.h"

namespace fieldpost::engine {

// The words for people who want to write here then.
inline constexpr const char* stopped_words =
    "this office has stopped: nothing new can be written here; see: fieldpost attention";

// `via` showed us `report`, or another thing that we signed in the incarnation `seen`. The first
// time in 30 days the office goes on in a new life at the end of the batch. Once stopped, more of
// it says nothing.
void stop_writing(Ledger& ledger, Via via, std::optional<storage::ReportKey> report,
                  Incarnation seen, Now now, std::vector<Notice>& notify);

// True if this store knows that it has used the number, although its record is gone. A record that
// only repeated a report had this id.
Result<bool> has_used(const Ledger& ledger, const LogKey& log, Number number, const ShortHash& id);

// A number under which a recipient says to hold a record of ours, when this store has another
// there, or none that was ever signed.
Result<std::optional<Prove>> unknown_top(const Ledger& ledger, const Receipt& receipt);
// As unknown_top, from the numbers of an own log that a peer does not want. It cannot have a record
// that was never sent.
std::optional<Prove> unknown_number(const Ledger& ledger, const LogKey& log,
                                    const IntervalSet& not_wanted);

// A record that somebody says its author signed. Of this office: nothing happens if it did not, or
// knows it. Of another: if another record is here under its number, the author is accused.
Result<void> check_proof(Ledger& ledger, const RecordProof& proof, Via via, Now now,
                         std::vector<Notice>& notify);

// As far as this store has come.
Marker marker_of(const Ledger& ledger);
// True if the store is older than `marker`, which it had reached.
bool is_behind(const Ledger& ledger, const Marker& marker);

}  // namespace fieldpost::engine
