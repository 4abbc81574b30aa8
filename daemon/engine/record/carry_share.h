// The carry share: the room for records that are carried for other offices, and the authors that
// give way when it is full.
//
// The bytes that a record takes on disk, with everything stored beside it, are counted by author. A
// new record is taken if there is room. It is also taken if other authors hold so much more than
// its author would that they can give way. The author with most gives way first: its bulk before
// its normal before its replies before its urgent records, newest first. So authors that fill the
// room, alone or together, leave every author an equal share of it (max-min fairness). A record
// that gave way is refused for lack of room, and custody tells its author.
//
// Mail for this office comes first: carried records give way before the disk is full.
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The bytes that a record takes on disk, or will take.
std::uint64_t bytes_on_disk(const Header& header, bool is_in_parts);

// Bytes of the share that are used, including bodies under way.
std::uint64_t carried_bytes(const Ledger& ledger);
// Bytes of the share that may be used: as configured, and as the disk allows.
std::uint64_t carry_limit(const Ledger& ledger);

// True if `bytes` more of this author fit, or if other authors can give way to it.
bool may_carry(const Ledger& ledger, OfficeId author, std::uint64_t bytes);

// Drops carried records until the rest fits. Call at the end of a batch.
Result<void> fit_carry_share(Ledger& ledger);

// True if the counts of carried bytes agree with each other. In an older release they did not.
bool is_count_sound(const Ledger& ledger);
// Counts anew from all records. Call at a start if the counts disagree or records were put aside.
Result<void> recount_carried(Ledger& ledger);

// Releases refusals for lack of room, urgent records first, as many as fit by now: they may be sent
// again.
void release_refused(Ledger& ledger);

}  // namespace fieldpost::engine
