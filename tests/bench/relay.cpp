// How fast a relay verifies and keeps what a peer sends it, against verifying alone.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "crypto/sealed_record.h"
#include "storage/lmdb_tables.h"
#include "storage/memory_tables.h"
#include "tests/bench/engine_office.h"
#include "tests/bench/table.h"
#include "tests/bench/texts.h"
#include "tests/support/temporary_folder.h"

namespace fieldpost::bench {

namespace {

constexpr std::uint32_t relayed = 10'000;
constexpr int verifications = 4000;

// Signatures over ids, as records have them.
double verifications_a_second(const tests::Network& network) {
    const auto& author = network.offices[1].machine.identity;
    RecordId id;
    const auto signature = crypto::sign_record(author, network.id(), id);
    const auto cpu_before = cpu_here();
    for (int i = 0; i < verifications; ++i) {
        REQUIRE(crypto::verify_record(author.public_key(), network.id(), id, signature));
    }
    return verifications / (cpu_here() - cpu_before).count();
}

}  // namespace

TEST_CASE("relay") {
    const tests::TemporaryFolder folder;
    const auto network = tests::make_network({"hq", "hyesan", "pyongyang", "wonsan"});
    storage::MemoryDisk hq_disk;
    storage::MemoryDisk author_disk;
    storage::MemoryDisk wonsan_disk;
    EngineOffice hq(network, network.offices[0], storage::open_memory_tables(hq_disk));
    EngineOffice author(network, network.offices[1], storage::open_memory_tables(author_disk));
    EngineOffice relay(network, network.offices[2],
                       storage::open_lmdb_tables(folder.path() / "store", {}).value());
    EngineOffice wonsan(network, network.offices[3], storage::open_memory_tables(wonsan_disk));
    // With this the author has its recipients' keys; the relay needs none. The reports go to two in
    // turn, or they would come packed.
    exchange(hq, author);
    exchange(wonsan, author);
    author.queue({hq.index(), wonsan.index()}, report_texts(relayed));

    const auto bare_before = verifications_a_second(network);
    const auto wall_before = relay.wall();
    const auto cpu_before = relay.cpu();
    const auto commits_before = relay.commits();
    exchange(author, relay);
    REQUIRE(relay.ledger().meta().carried_records == relayed);
    const auto wall = relayed / (relay.wall() - wall_before).count();
    const auto cpu = relayed / (relay.cpu() - cpu_before).count();
    const auto commits = relay.commits() - commits_before;
    const auto bare = (bare_before + verifications_a_second(network)) / 2;

    add_row("bare Ed25519 verifications",
            fmt::format("{:.0f} a second, {:.0f} µs each", bare, 1e6 / bare));
    add_row(fmt::format("a relay takes {} records into an empty store, by the clock", relayed),
            fmt::format("{:.0f} a second, {:.0f} % of bare; {:.1f} records a commit", wall,
                        100 * wall / bare, double{relayed} / static_cast<double>(commits)),
            "≥ 50 %");
    add_row("the same, by its CPU (without waiting for the disk)",
            fmt::format("{:.0f} a second, {:.0f} % of bare", cpu, 100 * cpu / bare), "≥ 50 %");
}

}  // namespace fieldpost::bench
