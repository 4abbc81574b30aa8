// The readers of a bundle that is written, and what they lack, as far as this office knows.
#pragma once

#include "daemon/engine/bundle/bundle_knowledge.h"

namespace fieldpost::engine {

class BundleReaders {
public:
    // An Error is the store's.
    static Result<BundleReaders> of(const Ledger& ledger, const BundleOrder& order);

    [[nodiscard]] const BundleOrder& order() const { return order_; }
    [[nodiscard]] const std::vector<BundleKnowledge>& all() const { return targets_; }
    // Readers of our previous bundle in this row already have this. Nothing: the bundle is written
    // in full.
    [[nodiscard]] const std::optional<BundleKnowledge>& since() const { return since_; }
    // The oldest version of the roster that a reader may have.
    [[nodiscard]] std::uint32_t roster_version(const Ledger& ledger) const;

    // True if any reader lacks it.
    [[nodiscard]] bool lack(const Register& entry, RegisterHashes& ours) const;
    [[nodiscard]] bool lack(const Ledger& ledger, const Header& header) const;
    // Numbers of `held` that one reader lacks and does not get from the earlier bundles of the row
    // either.
    [[nodiscard]] IntervalSet lacked(const Ledger& ledger, const BundleKnowledge& reader,
                                     const LogKey& log, const IntervalSet& held) const;
    // The run of that record, if a bundle of time `at` leaves it out because a file of another
    // office in the same place has it.
    [[nodiscard]] Result<std::optional<Interval>> left_to_others(const Ledger& ledger,
                                                                 const LogKey& log, Number number,
                                                                 WallTime at) const;

private:
    // True if the files of the row hold everything that the readers lacked when those were written.
    [[nodiscard]] bool is_enough(const Ledger& ledger) const;

    BundleOrder order_;
    std::vector<BundleKnowledge> targets_;
    std::optional<BundleKnowledge> since_;
};

}  // namespace fieldpost::engine
