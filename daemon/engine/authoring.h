// What this office writes: reports sealed at once, and signed when they are first sent.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// Seals, numbers and files a draft, and answers with Accepted or Declined. An Error is the store's.
Result<void> submit(Ledger& ledger, const Submitted& submitted, Now now,
                    std::vector<Notice>& notify);

// Makes every held, unpublished record of an own log up to `number` public, in number order: prev,
// id and signature. The changes must be committed before the first byte is sent.
Result<void> publish(Ledger& ledger, const LogKey& log, Number number);

// Own reports older than `undelivered_seconds` that some recipient has not receipted.
Result<std::uint32_t> count_undelivered(const Ledger& ledger, Now now);

// Reserves numbers for this incarnation's logs, and declares as done what a crash may have skipped.
void reserve_numbers(Ledger& ledger);
// Before a clean stop: nothing need be skipped at the next start.
void release_numbers(Ledger& ledger);

// At the authority, with mail open: reserves an index for a new office, and answers with Invited or
// Declined.
void invite(Ledger& ledger, const InviteWanted& wanted, Now now, std::vector<Notice>& notify);

// At the authority, with mail open: takes in the offices whose request has come and whose
// invitation has not expired. True if the roster changed.
Result<bool> admit_enrolled(Ledger& ledger, Now now, std::vector<Notice>& notify);

// Signs a newer register about this office if what it says has changed, or is a day old.
void renew_statement(Ledger& ledger, Now now);

}  // namespace fieldpost::engine
