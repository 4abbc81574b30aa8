// What is owed to nobody any more: the set T, which only grows, by signed facts and the guarded
// clock (invariants I2, I4, I5).
#pragma once

#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// A recipient counts as served once its receipt covers the number, or once it is out of the
// network. `header` is of a record whose run holds `number`.
[[nodiscard]] bool is_served(const Ledger& ledger, const Header& header, OfficeId recipient,
                             Number number);
[[nodiscard]] bool is_owed_to_nobody(const Ledger& ledger, const Header& header, Number number);

// Moves `numbers` of a log from H (or from nowhere) to T, and drops the records that nobody needs
// here any more. Inbox and outbox keep theirs.
Result<void> make_terminal(Ledger& ledger, const LogKey& log, const IntervalSet& numbers);

// After a newer receipt of `signer` for `author`'s records, told by `from`: what it covers that
// `before` did not.
Result<void> apply_receipt(Ledger& ledger, OfficeId signer, OfficeId author, const Receipt* before,
                           Via from, Now now, std::vector<Notice>& notify);

// After a newer office register: the author's own word on what is done.
Result<void> apply_statement(Ledger& ledger, OfficeId author);

// Of what was kept of `log` just now: those whose recipients are all served are terminal at once.
Result<void> settle_held(Ledger& ledger, const LogKey& log, const IntervalSet& numbers);

// Expires what is due. Returns whether there was any.
Result<bool> expire_due(Ledger& ledger, Now now, std::vector<Notice>& notify);

}  // namespace fieldpost::engine
