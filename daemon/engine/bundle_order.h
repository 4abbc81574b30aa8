// Bundles as the engine is asked for them: one that is read comes in frame by frame, one that is
// written goes out cell by cell, in answer to one request each.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "crypto/bundle_cells.h"
#include "proto/interval_set.h"
#include "proto/vocabulary.h"

namespace fieldpost::engine {

// One bundle that is read or written. Never used twice.
enum class BundleId : std::uint64_t {};
// A frame of a bundle that is read; the first one begins it.
struct BundleFrame {
    BundleId bundle{};
    Bytes frame;
};
// Records, by the log that they are in.
using RunsByLog = std::map<LogKey, IntervalSet>;
// The readers of a bundle that is written, and its content.
struct BundleOrder {
    std::vector<OfficeId> targets;  // empty: everybody
    bool is_all = false;            // also what they have, as far as is known
    bool has_records = true;
    // The `said` of our previous bundle in the same place. The new bundle omits what readers
    // already get from that one. Empty: all is written.
    Bytes since{};
    // The records in that bundle and in those of its row before it; without `since` they do not
    // count.
    RunsByLog in_row{};
    // Records in files of others that stand in the same place. They are left out for a day after
    // they came here. Records that this office wrote are written all the same.
    RunsByLog of_others{};
    // True for one of a row in one place (BundleHead::place). `since` is then the `said` of the one
    // before it.
    bool is_in_row = false;
    // Write only the addition, even if a reader now reports less or the roster has changed: all was
    // written a moment ago.
    bool is_only_addition = false;
};
struct BundleWanted {
    BundleId bundle{};
    BundleOrder order;
};
// The next cell of a bundle that is written.
struct BundleMore {
    BundleId bundle{};
    std::size_t room = 0;       // for content, in this cell
    std::uint64_t budget = 0;   // for content, in this file
    bool may_leave_out = true;  // what does not fit; otherwise it waits for the next file
    bool is_new_file = false;   // the head comes again
};
// Ends a bundle that is read or written: nothing more comes, or is wanted.
struct BundleEnded {
    BundleId bundle{};
};

// The result of reading a bundle so far, told at the end of each batch that read some of it.
struct BundleReport {
    std::optional<OfficeId> writer;  // as it signed
    WallTime at;
    std::vector<OfficeId> targets;  // empty: everybody
    std::uint64_t new_reports = 0;
    std::uint64_t known = 0;
    std::uint64_t rejected = 0;
    std::map<std::string, std::uint64_t> reasons{};  // of what was rejected
    // By an office that was revoked, say: nothing more of it is taken.
    std::string refused{};
    std::optional<std::uint8_t> place{};  // BundleHead::place
    // It brought changes of the roster. Records that were rejected elsewhere may have needed them.
    bool brought_roster = false;
    // At the end of a bundle that this office wrote: the value for BundleOrder::since.
    Bytes said{};
    // Records that this office holds or takes now and that this file holds whole. Signatures and
    // bodies were compared.
    RunsByLog holds{};
};
struct BundleTaken {
    BundleId bundle{};
    BundleReport report;
};
// The answer to a BundleMore.
struct BundleContent {
    BundleId bundle{};
    enum class Step : std::uint8_t {
        cell,
        full,  // the next thing does not fit
        over,
    };
    Step step{};
    crypto::BundlePart part{};
    Bytes content{};
    std::uint64_t reports = 0;     // so far
    std::uint64_t left_out = 0;    // reports, so far
    bool is_short = false;         // what is no report did not fit either
    bool has_news = false;         // it holds more than what every bundle of this office would
    bool is_addition = false;      // as BundleOrder::since asked, unless the roster has changed
    std::uint64_t left_bytes = 0;  // still to be written, as far as it has looked; about
    // At its end, for BundleOrder::since and in_row.
    Bytes said{};
    RunsByLog holds{};
};

}  // namespace fieldpost::engine
