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

// The words for people who want to write here then, and what they can do.
struct StoppedWords {
    const char* what;
    const char* hint;
};
StoppedWords stopped_words(const Ledger& ledger);
// The same as an Error. unavailable: this office goes on soon by itself. refused: a person has to
// say so.
std::unexpected<Error> fail_stopped(const Ledger& ledger);

// True for 30 days after this store was caught as put back from a copy.
bool was_caught_lately(const Ledger& ledger, Now now);

// `via` showed us `report`, or another thing that we signed in the incarnation `seen`. The first
// time in 30 days the office goes on in a new life: at once if this machine's own marker shows it,
// otherwise after some seconds, for peers may have more. Once stopped, only `seen` may still rise.
void stop_writing(Ledger& ledger, Via via, std::optional<storage::ReportKey> report,
                  Incarnation seen, Now now, std::vector<Notice>& notify);

struct Sifted {
    // The logs in it that speak of this store's records. Acting on another life's would lose
    // records of this life.
    Receipt believed;
    // Records in the other logs of this life. This store may not have signed them, so their proofs
    // are asked for. At most limits::proofs_asked_max.
    std::vector<Prove> to_prove;
};
Result<Sifted> sift(Ledger& ledger, const Receipt& receipt);
// Own reports that this recipient does not tell of, although it tells of later ones. It may have
// another copy's record there, or it may lack the record. A few at most.
Result<std::vector<Prove>> untold_numbers(const Ledger& ledger, OfficeId recipient,
                                          const Receipt& receipt);
// A number that must be proved, of the numbers of an own log that a peer does not want. It cannot
// have a record that was never sent.
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
