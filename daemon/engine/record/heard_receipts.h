// What the receipts of other offices say: decoded when it is asked for, and remembered as far as
// this office has acted on it. Nothing of it is in the store.
//
// Promise: memory for one recipient, and for all that is decoded, is bounded.
#pragma once

#include <map>
#include <memory>

#include "proto/register.h"
#include "proto/vocabulary.h"

namespace fieldpost::engine {

// For any reason.
IntervalSet all_refused(const ReceiptLog& entry);

// A member may have signed a receipt for every office, of thousands of intervals each, so only some
// are kept decoded.
class DecodedReceipts {
public:
    // `entry` is the newest receipt of `signer` for `author`'s records, or null. Null: there is
    // none, or it cannot be read.
    std::shared_ptr<const Receipt> get(OfficeId signer, OfficeId author, const Register* entry);
    // A newer one has come, or it is gone.
    void forget(OfficeId signer, OfficeId author);

private:
    std::map<std::pair<OfficeId, OfficeId>, std::shared_ptr<const Receipt>> decoded_;
    std::size_t bytes_ = 0;
};

class HeardReceipts {
public:
    // The last one about our own records that was acted on: not one of records that this store does
    // not know (self_check.h), which is kept and told like any other and proves nothing. Null:
    // none.
    [[nodiscard]] const Receipt* acted_on(OfficeId signer) const;
    void act_on(OfficeId signer, const Receipt& receipt) {
        acted_on_.insert_or_assign(signer, receipt);
    }

    // Numbers of one of our logs whose pages were looked at because of receipts of one recipient.
    // A recipient that says a thing and its opposite by turns makes this office look again only
    // where that has changed a page.
    struct Looked {
        IntervalSet received;
        IntervalSet only_filled;  // of those: it may have filled a hole, and proves nothing yet
        IntervalSet unreadable;
        IntervalSet refused;
        IntervalSet shown_refused;  // of those: it has changed the page
    };
    // `old`: of the receipt before, for an engine that was made anew since; null: there was none.
    Looked& looked(OfficeId recipient, const LogKey& log, const ReceiptLog* old);
    [[nodiscard]] const Looked* find_looked(OfficeId recipient, const LogKey& log) const;
    // To be called at the end of a receipt: what would be too much to remember is forgotten.
    void bound_looked(OfficeId recipient);
    // It says nothing of our records any more.
    void forget(OfficeId recipient) {
        acted_on_.erase(recipient);
        looked_.erase(recipient);
    }

private:
    std::map<OfficeId, Receipt> acted_on_;
    std::map<OfficeId, std::map<LogKey, Looked>> looked_;
};

}  // namespace fieldpost::engine
