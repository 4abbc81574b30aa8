// Goal: a disk that spoils a value of an office costs just that value, and stops no office (P8d).
// Method: one value of one table is changed behind the engine's back; then the world goes on.
#include <catch2/catch.hpp>

#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;
using storage::State;
using storage::Table;

namespace {

bool is_held(const World& world, Node node, const storage::ReportKey& report) {
    return world.ledger(node).log(log_of(report)).held.contains(report.origin.number);
}

Interval number_of(const storage::ReportKey& report) {
    return {report.origin.number, report.origin.number};
}

bool has_sound_pages(const storage::RecordStore& store) {
    const auto reports = store.reports();
    return reports && store.changes(0, SIZE_MAX) && store.first_received_since({}) &&
           std::ranges::all_of(*reports, [&](const storage::ReportKey& report) {
               return store.report(report).has_value();
           });
}

void meet_and_heal(World& world, Node a, Node b) {
    world.connect(a, b);
    world.run_until_idle(1h);
    if (!world.is_connected(a, b)) {  // one of them met damage, and was made anew
        world.connect(a, b);
        world.run_until_idle(1h);
    }
    world.cut(a, b);
    world.run_until_idle(1h);
}

std::string id_of(const World& world, Node node, const storage::ReportKey& report) {
    return engine::printed_id(world.ledger(node), report);
}

std::string damage_told(const World& world, Node node, Node author) {
    const auto& items = world.ledger(node).attention().items();
    const auto found = items.find({What::damaged, world.keys(author).index, {}});
    return found == items.end() ? "" : found->second.detail;
}

}  // namespace

TEST_CASE("a carrier is brought again what its disk has spoiled", "[simulation]") {
    World world(1, {"hq", "hyesan", "pyongyang"}, {});
    const bool is_large = GENERATE(false, true);
    const auto table = GENERATE(Table::records, Table::numbers, Table::parts);
    if (table == Table::parts && !is_large) {
        return;
    }
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal, is_large ? 150'000 : 0);
    meet_and_heal(world, hyesan, pyongyang);
    REQUIRE(is_held(world, pyongyang, *report));
    // In the table of parts the third value: the parts before it are sent first.
    REQUIRE(world.spoil(pyongyang, table, table == Table::parts ? 2 : 0));
    meet_and_heal(world, pyongyang, hq);
    CHECK(world.offences(hq, pyongyang).empty());
    CHECK_FALSE(is_held(world, pyongyang, *report));
    if (table == Table::numbers) {
        // Made anew from the record itself, and delivered.
        CHECK(world.times_happened(hq, What::received, *report) == 1);
        return;
    }
    CHECK(world.times_happened(hq, What::received, *report) == 0);
    CHECK(damage_told(world, pyongyang, hyesan) == id_of(world, hyesan, *report));
    meet_and_heal(world, hyesan, pyongyang);
    CHECK(is_held(world, pyongyang, *report));
    meet_and_heal(world, pyongyang, hq);
    CHECK(world.times_happened(hq, What::received, *report) == 1);
    world.check_everything();
}

TEST_CASE("an author takes back from a carrier what its own disk has spoiled", "[simulation]") {
    World world(2, {"hq", "hyesan", "pyongyang"}, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    meet_and_heal(world, hyesan, pyongyang);
    REQUIRE(world.view(hyesan, *report).state == State::carried);
    REQUIRE(world.spoil(hyesan, Table::records, 0));
    meet_and_heal(world, hyesan, hq);
    CHECK_FALSE(is_held(world, hyesan, *report));
    CHECK(damage_told(world, hyesan, hyesan) == id_of(world, hyesan, *report));
    CHECK(world.view(hyesan, *report).state == State::carried);
    SECTION("the carrier meets it again") {
        meet_and_heal(world, hyesan, pyongyang);
        CHECK(is_held(world, hyesan, *report));
        CHECK_FALSE(world.ledger(hyesan).meta().stopped);
        // It lies where its box expects it.
        CHECK(world.view(hyesan, *report).report->text == world.texts().at(*report));
        meet_and_heal(world, hyesan, hq);
        CHECK(world.view(hyesan, *report).state == State::delivered);
        world.check_everything();
    }
    SECTION("the carrier delivers it first") {
        meet_and_heal(world, pyongyang, hq);
        meet_and_heal(world, pyongyang, hyesan);
        CHECK(world.view(hyesan, *report).state == State::delivered);
        CHECK_FALSE(world.ledger(hyesan).meta().stopped);
    }
    SECTION("nobody brings it before its time runs out") {
        world.pass(std::chrono::hours{24 * 91});
        world.run_until_idle(1h);
        CHECK(world.view(hyesan, *report).state == State::expired);
        CHECK(world.ledger(hyesan).log(log_of(*report)).is_terminal(number_of(*report)));
    }
    const auto later = world.queue(hyesan, {hq}, RecordClass::normal);
    REQUIRE(later.has_value());
    meet_and_heal(world, hyesan, hq);
    CHECK(world.times_happened(hq, What::received, *later) == 1);
}

TEST_CASE("a report that was nowhere but on the damaged disk is shown as failed", "[simulation]") {
    World world(3, {"hq", "hyesan"}, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    REQUIRE(world.spoil(hyesan, Table::records, 0));
    meet_and_heal(world, hyesan, hq);
    const auto view = world.view(hyesan, *report);
    CHECK(view.state == State::failed);
    CHECK(view.reason == "damaged");
    CHECK(world.ledger(hyesan).log(log_of(*report)).is_terminal(number_of(*report)));
    CHECK(damage_told(world, hyesan, hyesan) == id_of(world, hyesan, *report));
    const auto later = world.queue(hyesan, {hq}, RecordClass::normal);
    meet_and_heal(world, hyesan, hq);
    CHECK(world.times_happened(hq, What::received, *later) == 1);
}

TEST_CASE("a page of a report that is spoiled is made anew from what is left", "[simulation]") {
    World world(4, {"hq", "hyesan", "pyongyang"}, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    const auto carried = world.queue(hyesan, {pyongyang}, RecordClass::normal);
    meet_and_heal(world, hyesan, hq);
    REQUIRE(world.acknowledge(hq, *report).has_value());
    meet_and_heal(world, hyesan, hq);
    const auto before = world.view(hyesan, *report);
    REQUIRE(before.state == State::acknowledged);
    REQUIRE(world.view(hyesan, *carried).state == State::carried);
    const auto shown_at_hq = world.view(hq, *report);
    for (std::size_t which = 0; which < 2; ++which) {
        REQUIRE(world.spoil(hyesan, Table::reports, which));
        REQUIRE(world.spoil(hq, Table::reports, which));
    }
    const auto next = world.queue(hq, {hyesan}, RecordClass::normal);
    world.crash(hyesan);
    world.restart(hyesan);
    world.crash(hq);
    world.restart(hq);
    meet_and_heal(world, hyesan, hq);
    meet_and_heal(world, hyesan, hq);
    const auto after = world.view(hyesan, *report);
    CHECK(after.state == State::acknowledged);
    CHECK(after.recipients.at(0).proved.delivered_at ==
          before.recipients.at(0).proved.delivered_at);
    CHECK(after.recipients.at(0).proved.answer == before.recipients.at(0).proved.answer);
    CHECK(after.recipients.at(0).proved.outcome == before.recipients.at(0).proved.outcome);
    CHECK(world.view(hyesan, *carried).state == State::carried);
    CHECK(world.view(hq, *report).state == shown_at_hq.state);
    REQUIRE(next.has_value());
    CHECK(world.times_happened(hyesan, What::received, *next) == 1);
    world.check_everything();
}

// Values of every table that a start does not read, one at a time.
TEST_CASE("whatever one value is spoiled, all offices go on", "[simulation]") {
    const auto node = GENERATE(hq, hyesan, pyongyang);
    const auto table = GENERATE(Table::records, Table::numbers, Table::archive, Table::reports,
                                Table::answers, Table::keys, Table::events, Table::report_events,
                                Table::expiries, Table::parts, Table::bundled);
    for (std::size_t which = 0; which < 4; ++which) {
        INFO("office " << node << ", table " << static_cast<int>(table) << ", value " << which);
        World world(5, {"hq", "hyesan", "pyongyang"}, {});
        const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
        const auto waiting = world.queue(hyesan, {hq, pyongyang}, RecordClass::bulk, 20'000);
        REQUIRE((report && waiting));
        meet_and_heal(world, hyesan, pyongyang);
        meet_and_heal(world, pyongyang, hq);
        REQUIRE(world.acknowledge(hq, *report).has_value());
        meet_and_heal(world, hq, pyongyang);
        const auto bundle = world.write_bundle(pyongyang);
        REQUIRE(bundle.has_value());
        world.read_bundle(hyesan, bundle->bytes);
        const auto only_here = world.queue(hq, {hyesan}, RecordClass::urgent);
        REQUIRE(only_here.has_value());
        if (!world.spoil(node, table, which)) {
            break;
        }
        for (int round = 0; round < 2; ++round) {
            meet_and_heal(world, hyesan, pyongyang);
            meet_and_heal(world, pyongyang, hq);
            meet_and_heal(world, hq, hyesan);
            world.write_bundle(node);
        }
        for (const Node author : {hq, hyesan, pyongyang}) {
            const Node reader = (author + 1) % 3;
            const auto later = world.queue(author, {reader}, RecordClass::normal);
            REQUIRE(later.has_value());
            meet_and_heal(world, author, reader);
            CHECK(world.times_happened(reader, What::received, *later) == 1);
            CHECK(world.view(author, *later).state == State::delivered);
            CHECK_FALSE(world.ledger(author).meta().stopped);
        }
        // Reads everything, so damage that no step has met yet is met now.
        const auto& ledger = world.ledger(node);
        auto& store = const_cast<storage::RecordStore&>(ledger.store());
        REQUIRE(store.begin().has_value());
        std::map<OfficeId, engine::Waiting> counted;
        const bool can_be_counted = ledger.store().counts().has_value() &&
                                    engine::count_waiting(
                                        ledger, {}, [] { return false; }, counted)
                                        .has_value() &&
                                    has_sound_pages(ledger.store());
        store.abort();
        CHECK((can_be_counted || store.is_in_doubt()));
    }
}
