// Receipts of other offices. They are decoded when they are asked for. The receipts that this
// office has acted on are remembered. Nothing of this is in the store.
//
// Promise: memory for one recipient, and for all decoded receipts, is bounded.
#pragma once

#include <map>
#include <memory>

#include "proto/register.h"
#include "proto/vocabulary.h"

namespace fieldpost::engine {

// Numbers that are refused, for any reason.
IntervalSet all_refused(const ReceiptLog& entry);

// A member may have signed a receipt for every office, each of thousands of intervals. So only some
// receipts are kept decoded.
class DecodedReceipts {
public:
    // `entry` is the newest receipt of `signer` for `author`'s records, or null. Null: there is
    // none, or it cannot be read.
    std::shared_ptr<const Receipt> get(OfficeId signer, OfficeId author, const Register* entry);
    // Call when a newer receipt has come or the register is gone.
    void forget(OfficeId signer, OfficeId author);

private:
    std::map<std::pair<OfficeId, OfficeId>, std::shared_ptr<const Receipt>> decoded_;
    std::size_t bytes_ = 0;
};

class HeardReceipts {
public:
    // The last receipt about our own records, as far as it is acted on. A log in it that names
    // records this store does not know (self_check.h) is left out here. The receipt is kept and
    // told like any other. Null: none.
    [[nodiscard]] const Receipt* acted_on(OfficeId signer) const;
    void act_on(OfficeId signer, Receipt believed) {
        acted_on_.insert_or_assign(signer, std::move(believed));
    }

    // Numbers of one of our logs whose pages were looked at because of one recipient's receipts. If
    // a recipient alternates between a statement and its opposite, a page is read again only where
    // the opposite has changed it.
    struct Looked {
        IntervalSet received;
        IntervalSet unreadable;
        IntervalSet refused;
        IntervalSet shown_refused;  // a part of `refused`: it has changed the page
    };
    // `old`: the entry of the receipt before, needed if the engine was made anew since. Null: there
    // was none.
    Looked& looked(OfficeId recipient, const LogKey& log, const ReceiptLog* old);
    [[nodiscard]] const Looked* find_looked(OfficeId recipient, const LogKey& log) const;
    // Call at the end of a receipt. Forgets everything of this recipient if it is too much to
    // remember.
    void bound_looked(OfficeId recipient);
    // Ids of own records that receipts were compared with: a recipient whose receipts change all
    // the time costs no reads.
    [[nodiscard]] std::optional<ShortHash> own_id(const LogKey& log, Number number) const;
    void remember_own_id(const LogKey& log, Number number, const ShortHash& id);

    // Call when the recipient has no receipt about our records any more.
    void forget(OfficeId recipient) {
        acted_on_.erase(recipient);
        looked_.erase(recipient);
    }

private:
    std::map<OfficeId, Receipt> acted_on_;
    std::map<OfficeId, std::map<LogKey, Looked>> looked_;
    std::map<std::pair<LogKey, Number>, ShortHash> own_ids_;
};

}  // namespace fieldpost::engine
