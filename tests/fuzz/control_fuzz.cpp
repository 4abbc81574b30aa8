// What the command asks the daemon: any process of the socket's group may send anything.
#include "daemon/runtime/answers.h"
#include "daemon/runtime/bundles.h"
#include "daemon/runtime/folders.h"
#include "storage/memory_tables.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/network.h"

using namespace fieldpost;

namespace {

// An office that was just founded.
struct Daemon {
    tests::Network network = tests::make_network({"hq", "hyesan"});
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

    crypto::OfficeHome home{"/nowhere"};
    runtime::Dialler dialler;
    runtime::Folders folders{home};

    Daemon() {
        runtime::FolderConfiguration folder;
        folder.path = "/media/folder";
        // No command is started for it before Folders::turn.
        folders.keep({folder});
    }
};

}  // namespace

FUZZ_TARGET(control) {
    static Daemon daemon;
    // New for each input: at most a few are open at once, so earlier inputs would change this one.
    runtime::Bundles bundles(daemon.network.offices[0].machine, daemon.network.id());
    runtime::Surroundings around;
    around.started = tests::founded_at;
    around.now = {{}, tests::founded_at};
    around.dialler = &daemon.dialler;
    around.bundles = &bundles;
    around.folders = &daemon.folders;
    const auto handled = runtime::handle_request(daemon.ledger, bytes, 1, around);
    if (handled && std::holds_alternative<runtime::Pending>(*handled)) {
        static_cast<void>(
            runtime::finish_request(daemon.ledger, std::get<runtime::Pending>(*handled), {}));
    }
}
