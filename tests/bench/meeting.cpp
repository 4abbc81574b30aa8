// The cost for two offices to find out what each lacks, in a network of 1,000 offices and a million
// records. Only the numbers of these records are there: all of them have ended.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <random>

#include "crypto/register_seal.h"
#include "storage/memory_tables.h"
#include "tests/bench/engine_office.h"
#include "tests/bench/table.h"

namespace fieldpost::bench {

namespace {

constexpr std::uint16_t offices = 1000;
// Offices 0 and 1 meet, and their own logs stay empty. Office 2 is the reader that everybody
// reports to. The authors begin at 3.
constexpr std::uint16_t first_author = 3;
constexpr OfficeId reader{2};
constexpr Number records_an_office = 1000;
constexpr std::uint16_t few = 10;

struct History {
    std::map<OfficeId, IntervalSet> numbers;
    // How often the reader and each author have signed a receipt for the other.
    std::map<OfficeId, std::uint64_t> receipts;
};

History full_history() {
    History history;
    for (auto i = first_author; i < offices; ++i) {
        history.numbers[OfficeId{i}] = {{1, records_an_office}};
        history.receipts[OfficeId{i}] = 1;
    }
    return history;
}

struct Meetings {
    tests::Network network;
    int measured = 0;

    Meetings() : network(make()) {}

    static tests::Network make() {
        std::vector<std::string> names;
        for (int i = 0; i < offices; ++i) {
            names.push_back(fmt::format("office{}", i));
        }
        return tests::make_network(names);
    }

    [[nodiscard]] storage::StoreChange receipt(OfficeId signer, OfficeId author,
                                               std::uint64_t counter) const {
        Register entry;
        entry.key = {signer, static_cast<std::uint8_t>(RegisterKind::receipt),
                     receipt_subject(author)};
        entry.version = {{1, 1}, counter};
        entry.payload = encode_receipt({});
        crypto::sign_register(network.offices[value_of(signer)].machine.identity, network.id(),
                              entry);
        return storage::PutRegister{entry.key.signer, entry.key.kind, entry.key.subject,
                                    encode_register(entry)};
    }

    [[nodiscard]] std::vector<storage::StoreChange> changes_of(const History& history) const {
        std::vector<storage::StoreChange> changes;
        for (const auto& [office, numbers] : history.numbers) {
            storage::LogState state;
            state.end(numbers);
            changes.emplace_back(
                storage::PutLog{{office, {1, 0xc0ffee}, RecordClass::normal}, state});
        }
        // Newer ones have the greater counters, as when one after the other is signed.
        for (const auto& [office, times] : history.receipts) {
            changes.push_back(receipt(reader, office, 100'000 * times + value_of(office)));
            changes.push_back(receipt(office, reader, times));
        }
        return changes;
    }

    // The first office has `ours`, which is everything. The second one has `theirs`.
    void measure(const std::string& what, const History& ours, const History& theirs,
                 const std::string& target, bool is_remembered = false) {
        storage::MemoryDisk our_disk;
        storage::MemoryDisk their_disk;
        EngineOffice first(network, network.offices[0], storage::open_memory_tables(our_disk),
                           changes_of(ours));
        EngineOffice second(network, network.offices[1], storage::open_memory_tables(their_disk),
                            changes_of(theirs));
        if (is_remembered) {
            exchange(first, second);
        }
        const auto meeting = meet(first, second);
        const auto records = std::size_t{offices - first_author} * records_an_office;
        add_row(
            "two offices of 1,000 meet: " + what,
            fmt::format("{} B, {} flights ({:.2f} bits a record)", meeting.bytes, meeting.flights,
                        8.0 * static_cast<double>(meeting.bytes) / static_cast<double>(records)),
            target);
    }
};

}  // namespace

TEST_CASE("meeting") {
    Meetings meetings;
    const auto history = full_history();
    meetings.measure("nothing is new, and they have met before", history, history,
                     "≤ 100 B, 1 flight", true);
    meetings.measure("nothing is new, for the first time", history, history, "");
    auto newer = history;
    for (std::uint16_t i = 0; i < few; ++i) {
        const OfficeId office{static_cast<std::uint16_t>(first_author + 97 * i)};
        newer.numbers[office].add({records_an_office + 1, 2 * records_an_office});
    }
    meetings.measure("10,000 new of 10 offices", newer, history,
                     "≤ 3 kB, 4 flights; Negentropy 299 kB, 9");
    for (std::uint16_t i = 0; i < few; ++i) {
        newer.receipts[OfficeId{static_cast<std::uint16_t>(first_author + 97 * i)}] = 2;
    }
    meetings.measure("the same, and their receipts", newer, history, "≤ 3 kB, 4 flights");
    newer = history;
    for (auto& [office, numbers] : newer.numbers) {
        numbers.add({records_an_office + 1, 2 * records_an_office});
    }
    meetings.measure("all others have written, one knows", newer, history,
                     "≤ 20 kB, 3 flights; version vector 24 kB");
    meetings.measure("all others have written, the other knows", history, newer,
                     "≤ 20 kB, 3 flights");
    for (auto& [office, times] : newer.receipts) {
        times = 2;
    }
    meetings.measure("the same, and all receipts", history, newer, "");
    std::mt19937_64 dice(1);
    auto half = history;
    auto other_half = history;
    for (auto* one : {&half, &other_half}) {
        for (auto& [office, numbers] : one->numbers) {
            numbers = {};
            for (Number n = 1; n <= records_an_office; ++n) {
                if (dice() % 2 == 0) {
                    numbers.add(n);
                }
            }
        }
    }
    meetings.measure("each lacks a random half", half, other_half, "≤ 2.2 bits a record");
}

}  // namespace fieldpost::bench
