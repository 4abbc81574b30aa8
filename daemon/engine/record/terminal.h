// Records that are owed to nobody any more: the set T. It grows only by signed facts and the
// guarded clock (invariants I2, I4, I5).
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// A recipient counts as served once its receipt covers the number, or once it has left the network.
// `header` is of a record whose run holds `number`.
[[nodiscard]] bool is_served(const Ledger& ledger, const Header& header, OfficeId recipient,
                             Number number);
[[nodiscard]] bool is_owed_to_nobody(const Ledger& ledger, const Header& header, Number number);

// Moves `numbers` of a log from H (or from nowhere) to T, and drops the records that nobody needs
// here any more. Records in the inbox or outbox stay.
Result<void> make_terminal(Ledger& ledger, const LogKey& log, const IntervalSet& numbers);

// Drops a record that is held for nobody, unless it is in the inbox or outbox.
Result<void> drop_if_ended(Ledger& ledger, const storage::StoredRecord& record,
                           const Header& header);

// Call after a newer receipt of `signer` for `author`'s records, which came from `from`. Acts on
// the numbers that it covers and `before` did not.
Result<void> apply_receipt(Ledger& ledger, OfficeId signer, OfficeId author, const Receipt* before,
                           Via from, Now now, std::vector<Notice>& notify);

// Call after a newer office register: the author's own word about which numbers are done.
Result<void> apply_statement(Ledger& ledger, OfficeId author);

// Call after `numbers` of `log` were kept. Those whose recipients are all served become terminal at
// once.
Result<void> settle_held(Ledger& ledger, const LogKey& log, const IntervalSet& numbers);

// Expires the records that are due. True if there were any.
Result<bool> expire_due(Ledger& ledger, Now now, std::vector<Notice>& notify);

}  // namespace fieldpost::engine
