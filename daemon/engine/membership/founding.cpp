#include "daemon/engine/membership/founding.h"

#include "daemon/engine/register_name.h"

namespace fieldpost::engine {

std::vector<storage::StoreChange> founding_changes(const NetworkId& network, OfficeId office,
                                                   Incarnation incarnation, WallTime mark,
                                                   const std::vector<RosterChange>& roster,
                                                   const std::vector<Register>& registers) {
    std::vector<storage::StoreChange> changes;
    storage::OfficeMeta meta;
    meta.network = network;
    meta.office = office;
    meta.incarnation = incarnation;
    meta.mark = mark;
    meta.aged = mark;
    changes.emplace_back(storage::PutMeta{meta});
    for (const auto& change : roster) {
        changes.emplace_back(
            storage::AddRosterChange{change.version, encode_roster_change(change)});
    }
    for (const auto& entry : registers) {
        changes.emplace_back(put_register(network, entry));
    }
    return changes;
}

}  // namespace fieldpost::engine
