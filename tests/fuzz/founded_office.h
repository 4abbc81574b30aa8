// An office that was just founded, in memory, for targets that need one.
#pragma once

#include "daemon/engine/ledger.h"
#include "daemon/engine/membership/founding.h"
#include "storage/memory_tables.h"
#include "tests/support/network.h"

namespace fieldpost::fuzz {

struct FoundedOffice {
    tests::Network network = tests::make_network({"hq", "hyesan", "wonsan"});
    storage::MemoryDisk disk;
    std::unique_ptr<storage::RecordStore> store =
        storage::RecordStore::open(storage::open_memory_tables(disk), crypto::SealKey::random())
            .value();
    engine::Config config{&network.offices[0].machine, &network.offices[0].mail, {}, true, "fuzz"};
    engine::Ledger ledger = founded();

    engine::Ledger founded() {
        ensure(store->begin().has_value(), "a store in memory opens");
        for (const auto& change :
             engine::founding_changes(network.id(), network.offices[0].index, {1, 7},
                                      tests::founded_at, network.changes, {})) {
            ensure(store->apply(change).has_value(), "a store in memory takes what founds it");
        }
        return engine::Ledger::load(*store, config, network.roster.founding(),
                                    {{}, tests::founded_at})
            .value();
    }
};

}  // namespace fieldpost::fuzz
