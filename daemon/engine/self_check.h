// Catches a store that was restored from a copy, or runs twice: it would sign other things under
// numbers that it has used. From then on it writes nothing, and says so.
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
    "this store was put back from a copy, or runs twice; it writes nothing";

// `via` showed us `report`, or another thing that we signed. Once stopped, more of it says nothing.
void stop_writing(Ledger& ledger, Via via, std::optional<storage::ReportKey> report, Now now,
                  std::vector<Notice>& notify);

// True if this store knows that it has used the number, even if its record is gone.
Result<bool> has_used(const Ledger& ledger, const LogKey& log, Number number);

// A number under which a recipient says to hold a record of ours, when this store has another
// there, or none that was ever signed.
Result<std::optional<Prove>> unknown_top(const Ledger& ledger, const Receipt& receipt);
// As unknown_top, from the numbers of an own log that a peer does not want. It cannot have a record
// that was never sent.
std::optional<Prove> unknown_number(const Ledger& ledger, const LogKey& log,
                                    const IntervalSet& not_wanted);

// A record that somebody says this office signed. Nothing happens if it did not, or knows it.
Result<void> check_proof(Ledger& ledger, const RecordProof& proof, Via via, Now now,
                         std::vector<Notice>& notify);

// As far as this store has come.
Marker marker_of(const storage::OfficeMeta& meta);
// True if the store is older than `marker`, which it had reached.
bool is_behind(const storage::OfficeMeta& meta, const Marker& marker);

}  // namespace fieldpost::engine
