// A reader of an office's feed, as a database that is fed from it: what it knows of each report.
//
// It reads from time to time, and then knows all that there is to know (promise P13). Now and then
// it crashes: then it goes on from an older place, with what it knew there.
#pragma once

#include <map>
#include <set>

#include "storage/record_store.h"

namespace fieldpost::tests {

class FeedReader {
public:
    // Reads all that is new, and compares what it then knows with every page. A transaction must be
    // open. `node` is for messages.
    void catch_up(const storage::RecordStore& store, std::size_t node);
    // The same most times; else it saves its place, or crashes.
    void take_turn(const storage::RecordStore& store, std::size_t node);

private:
    struct Known {
        std::map<OfficeId, std::pair<storage::State, storage::FailReason>> states;  // of own ones
        std::optional<storage::ReportKey> replaced_by;
        std::optional<storage::Withdrawn> withdrawn;
        WallTime forgotten_at;
        std::set<storage::Arrival> answers;
        std::uint64_t newest_change = 0;
        bool operator==(const Known&) const = default;
    };
    struct Progress {
        storage::FeedPlace place;
        std::map<storage::ReportKey, Known> reports;
    };
    static Known known_of(const storage::ReportProgress& page);
    void take(const storage::RecordStore& store, const storage::Change& change);
    void compare(const storage::RecordStore& store, std::size_t node) const;

    Progress now_;
    Progress saved_;
    std::uint64_t turns_ = 0;
};

// The index and the counts of a store are what a plain scan of its pages finds.
void check_index(const storage::RecordStore& store, std::size_t node);

}  // namespace fieldpost::tests
