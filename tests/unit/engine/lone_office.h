// The knowledge of one office, in memory and without links: for tests of what the engine does with
// it.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>

#include "daemon/engine/ledger.h"
#include "daemon/engine/membership/founding.h"
#include "storage/memory_tables.h"
#include "tests/support/network.h"

namespace fieldpost::tests {

class LoneOffice {
public:
    // The office at this place in the network. Its store has the changes of founding and `changes`.
    // Then `damage` is done to its disk.
    LoneOffice(const Network& network, std::size_t place,
               const std::vector<storage::StoreChange>& changes = {},
               const std::function<void(storage::MemoryDisk&)>& damage = {})
        : config_{&network.offices[place].machine, &network.offices[place].mail, {}, true, "test"} {
        REQUIRE(store_->begin().has_value());
        apply(engine::founding_changes(network.id(), network.offices[place].index, {1, 7},
                                       founded_at, network.changes, {}));
        apply(changes);
        if (damage) {
            REQUIRE(store_->commit().has_value());
            damage(disk_);
            REQUIRE(store_->begin().has_value());
        }
        ledger_ = std::make_unique<engine::Ledger>(
            engine::Ledger::load(*store_, config_, network.roster.founding(), now()).value());
    }

    engine::Ledger& ledger() { return *ledger_; }
    storage::RecordStore& store() { return *store_; }
    storage::MemoryDisk& disk() { return disk_; }
    std::vector<engine::Notice>& notices() { return notices_; }
    void lock_mail() { config_.mail = nullptr; }
    static Now now() { return {{}, founded_at}; }
    // Ends a batch. Returns the content of the disk then.
    std::array<storage::MemoryDisk::Content, storage::table_count> write() {
        REQUIRE(ledger_->flush().has_value());
        REQUIRE(store_->commit().has_value());
        REQUIRE(store_->begin().has_value());
        return disk_.tables;
    }

private:
    void apply(const std::vector<storage::StoreChange>& changes) {
        for (const auto& change : changes) {
            REQUIRE(store_->apply(change).has_value());
        }
    }

    storage::MemoryDisk disk_;
    std::unique_ptr<storage::RecordStore> store_ =
        storage::RecordStore::open(storage::open_memory_tables(disk_), crypto::SealKey::random())
            .value();
    engine::Config config_;
    std::unique_ptr<engine::Ledger> ledger_;
    std::vector<engine::Notice> notices_;
};

}  // namespace fieldpost::tests
