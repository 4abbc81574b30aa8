// The room for what is carried for others, and who gives way when it is full.
//
// Counted is what a record takes on disk with all that lies beside it, by author. What comes is
// taken if there is room, or if others hold so much more than its author would that they can give
// way: the author with most first, its bulk before its normal before its replies before its urgent,
// newest first. So whoever fills the room, alone or with others, leaves every author its equal
// share of it (max-min fairness). What went is refused for lack of room; custody tells its author.
//
// Mail for this office comes first: what is carried gives way before the disk is full.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The bytes that a record takes on disk, or will take.
std::uint64_t bytes_on_disk(const Header& header, bool is_in_parts);

// So much of it is used, bodies under way among it.
std::uint64_t carried_bytes(const Ledger& ledger);
// Bytes that may be used: as configured, and as the disk allows.
std::uint64_t carry_limit(const Ledger& ledger);

// True if there is room for so many bytes more of this author, or others can give way to it.
bool may_carry(const Ledger& ledger, OfficeId author, std::uint64_t bytes);

// Lets go of carried mail until the rest fits. To be called at the end of a batch.
Result<void> fit_carry_share(Ledger& ledger);

// The counts of what is carried agree with each other. They did not in an older release.
bool is_count_sound(const Ledger& ledger);
// At a start, if they do not agree or records were put aside: counts anew, from all records.
Result<void> recount_carried(Ledger& ledger);

// Refusals whose cause may be gone: as much as fits by now may be sent again, urgent first.
void release_refused(Ledger& ledger);

}  // namespace fieldpost::engine
