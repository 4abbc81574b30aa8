// A reissue: an own report that is written again in a new record, for recipients whom the first one
// does not reach (WIRE.md 3).
//
// The report keeps its ID, its hash and its page. A recipient shows it once. On the page each of
// these recipients says which record serves it, and only proofs of that record count for it: a
// receipt may name the number of the first one, to fill a hole. The record itself is dropped once
// it is terminal, because the first one is in the outbox.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// False while mail is locked, or this office signs nothing.
bool may_write_again(const Ledger& ledger);

// Writes the report again for some recipients of its page. Each of them is named beside the office
// that takes its place, which may be itself. The record lives as long as the first one would.
// Returns the bytes written: 0 if it cannot be written again, because it has expired, its words are
// not here any more, or no recipient can be sealed to. An Error is the store's.
Result<std::uint64_t> write_again(Ledger& ledger, const storage::ReportKey& report,
                                  const std::map<OfficeId, OfficeId>& to, Now now,
                                  std::vector<Notice>& notify);

}  // namespace fieldpost::engine
