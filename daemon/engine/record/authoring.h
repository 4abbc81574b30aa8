// Reports that this office writes. They are sealed at once, and signed when they are first sent
// (engine/publication).
#pragma once

#include "crypto/sealed_record.h"
#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

struct Written {
    storage::ReportKey report;
    Hash hash;
    std::vector<LeftOut> left_out{};
};
// Seals, numbers and files a draft. The inner Error is about the draft, and nothing was written.
// The outer one is the store's.
Result<Result<Written>> write(Ledger& ledger, const Draft& draft, Now now,
                              std::vector<Notice>& notify);

// A record of one report, sealed under the next number of its log and not stored yet.
struct Prepared {
    std::vector<LeftOut> left_out;  // members of its groups that get nothing
    crypto::SealedRecord sealed;
    Bytes report;
    std::vector<Hash> attachments;
    storage::ArchiveEntry entry;
};
// The steps of write(). The draft says everything but the report itself, which is `unit`. Nothing
// is written by the first step. The second one also files the archive entry.
Result<Prepared> prepare(Ledger& ledger, const Draft& draft, ReportUnit unit, Now now);
storage::StoredRecord store(Ledger& ledger, const Prepared& prepared);

// The same as write() for what a person queued, and answers with Accepted or Declined. A key that
// was used before names the report that it was used for.
Result<void> submit(Ledger& ledger, const Submitted& submitted, Now now,
                    std::vector<Notice>& notify);

// The keys to seal to now: the newest prekey of each recipient, whatever the clock says. The error
// names in words the office that cannot be sent to, and the reason.
Result<std::vector<crypto::Recipient>> recipients_of(const Ledger& ledger,
                                                     const std::set<OfficeId>& to);
// The reason in words, with the office's name.
std::string why_not(const Ledger& ledger, const LeftOut& one);

// Counts own reports, replies not among them, that are older than `undelivered_seconds` and still
// owed to some recipient.
Result<std::uint32_t> count_undelivered(const Ledger& ledger, Now now);

// Reserves numbers for this incarnation's logs. Declares the numbers as done that a crash may have
// skipped.
void reserve_numbers(Ledger& ledger);
// Call before a clean stop: then the next start skips no numbers.
void release_numbers(Ledger& ledger);

}  // namespace fieldpost::engine
