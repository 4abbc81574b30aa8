// What this office writes: reports sealed at once (they are signed when they are first sent:
// engine/publication).
#pragma once

#include "crypto/sealed_record.h"
#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Seals, numbers and files a draft, and answers with Accepted or Declined. An Error is the store's.
Result<void> submit(Ledger& ledger, const Submitted& submitted, Now now,
                    std::vector<Notice>& notify);

// The keys to seal to now: the newest of each, whatever the clock says. The error says in words
// whom it cannot be sent to, and why.
Result<std::vector<crypto::Recipient>> recipients_of(const Ledger& ledger,
                                                     const std::set<OfficeId>& to);
// In words, with the office's name.
std::string why_not(const Ledger& ledger, const LeftOut& one);

// Own reports older than `undelivered_seconds` that some recipient has not receipted.
Result<std::uint32_t> count_undelivered(const Ledger& ledger, Now now);

// Reserves numbers for this incarnation's logs, and declares as done what a crash may have skipped.
void reserve_numbers(Ledger& ledger);
// Before a clean stop: nothing need be skipped at the next start.
void release_numbers(Ledger& ledger);

}  // namespace fieldpost::engine
