// The bundles that are being read and written now, by the number that each has for as long.
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
    // Bodies that are whole now. True if any was kept.
    Result<bool> finish_bodies(Ledger& ledger, Now now, std::vector<Notice>& notify);
    // A cell of each that is wanted. What it returns has to be made public first; then it is to be
    // called again.
    Result<std::optional<BundleWriter::Unpublished>> write(Ledger& ledger,
                                                           std::vector<Notice>& notify);
    // What has come of those that were read in this batch.
    void tell(std::vector<Notice>& notify);

private:
    std::map<BundleId, BundleIntake> read_;
    std::map<BundleId, BundleWriter> written_;
    std::set<BundleId> taken_from_;          // in this batch
    std::set<BundleId> ended_;               // in this batch
    std::map<BundleId, BundleMore> wanted_;  // of these a cell is wanted
};

}  // namespace fieldpost::engine
