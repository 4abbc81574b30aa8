// The bundles that are being read or written now, by their BundleId.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "daemon/engine/bundle/bundle_intake.h"
#include "daemon/engine/bundle/bundle_writer.h"

namespace fieldpost::engine {

class OpenBundles {
public:
    Result<void> take(Ledger& ledger, const BundleFrame& frame, Now now,
                      std::vector<Notice>& notify);
    Result<void> begin(Ledger& ledger, const BundleWanted& wanted, Now now);
    void want(const BundleMore& more);
    void end(Ledger& ledger, BundleId bundle);

    // --- at the end of a batch
    // Keeps the bodies that are whole now. True if any was kept.
    Result<bool> finish_bodies(Ledger& ledger, Now now, std::vector<Notice>& notify);
    // Writes one cell of each bundle that was asked for one. If it returns an unpublished record,
    // publish that record first and then call this again.
    Result<std::optional<BundleWriter::Unpublished>> write(Ledger& ledger,
                                                           std::vector<Notice>& notify);
    // Adds a report for each bundle that was read in this batch.
    void tell(std::vector<Notice>& notify);

private:
    std::map<BundleId, BundleIntake> read_;
    std::map<BundleId, BundleWriter> written_;
    std::set<BundleId> taken_from_;          // in this batch
    std::set<BundleId> ended_;               // in this batch
    std::map<BundleId, BundleMore> wanted_;  // one more cell is asked for
};

}  // namespace fieldpost::engine
