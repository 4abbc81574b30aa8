// Goal: an office whose mail is locked takes its mail, says so, and shows the mail once it is
// unlocked. If a record then does not open, its author is told, though late.
// Method: named scenarios; storms lock and open mail at random besides.
#include "proto/limits.h"
#include "storage/record_store.h"
#include "tests/simulation/forging.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using storage::State;

namespace {

storage::Recipient shown_at_author(World& world, const storage::ReportKey& report) {
    const auto view = world.view(hq, report);
    REQUIRE(view.recipients.size() == 1);
    return view.recipients.front().proved;
}

void meet(World& world, Node a, Node b) {
    world.connect(a, b);
    world.run_for(std::chrono::minutes{2});
    world.cut(a, b);
}

storage::ArchiveEntry::Form form_of(World& world, Node node, const storage::ReportKey& report) {
    const auto view = world.view(node, report);
    REQUIRE(view.entry.has_value());
    return view.entry->form;
}

// Damages the body as an old disk does: its seal does not open any more.
void damage_body(World& world, Node node, const storage::ReportKey& report) {
    const auto store = storage::RecordStore::open(storage::open_memory_tables(world.disk(node)),
                                                  crypto::SealKey::random())
                           .value();
    REQUIRE(store->begin().has_value());
    const auto record =
        store->record(storage::log_of(report), report.origin.number, storage::WithBody::no).value();
    REQUIRE(record.has_value());
    auto piece = store->part(record->blob, 1).value();
    REQUIRE(piece.has_value());
    piece->back() ^= std::byte{1};
    REQUIRE(store->apply(storage::PutPart{record->blob, 1, *piece}).has_value());
    REQUIRE(store->commit().has_value());
}

// The newest receipt of `reader` about hq, for that log.
ReceiptLog receipt_log(World& world, Node reader, const LogKey& log) {
    const auto receipt = world.ledger(hq).receipt(world.keys(reader).index, world.keys(hq).index);
    REQUIRE(receipt != nullptr);
    for (const auto& entry : receipt->logs) {
        if (entry.record_class == log.record_class) {
            return entry;
        }
    }
    FAIL("no receipt for that log");
    return {};
}

}  // namespace

TEST_CASE("locked mail is taken and receipted, and shown once it is opened", "[simulation]") {
    World world(1, {"hq", "hyesan"}, {});
    world.lock_mail(hyesan, true);
    const auto report = *world.queue(hq, {hyesan}, RecordClass::normal, 40'000);
    meet(world, hq, hyesan);
    CHECK(shown_at_author(world, report).state == State::delivered);
    CHECK(world.inbox(hyesan).empty());
    CHECK_FALSE(world.has_received(hyesan, report));
    CHECK(form_of(world, hyesan, report) == storage::ArchiveEntry::Form::unopened);
    world.stop(hyesan);
    world.restart(hyesan);  // it waits through a restart
    CHECK(world.inbox(hyesan).empty());

    world.lock_mail(hyesan, false);
    CHECK(world.has_received(hyesan, report));
    CHECK(world.inbox(hyesan).size() == 1);
    CHECK(form_of(world, hyesan, report) == storage::ArchiveEntry::Form::own_key);
    meet(world, hq, hyesan);
    CHECK(shown_at_author(world, report).state == State::delivered);
}

TEST_CASE("a locked office writes, goes on being sealed to, and reads its own words later",
          "[simulation]") {
    World world(1, {"hq", "hyesan"}, {});
    meet(world, hq, hyesan);
    world.lock_mail(hyesan, true);
    const auto written = *world.queue(hyesan, {hq}, RecordClass::normal, 5'000);
    CHECK_FALSE(world.view(hyesan, written).report.has_value());
    // Its statement is renewed daily.
    world.run_for(std::chrono::hours{30});
    meet(world, hq, hyesan);
    CHECK(world.has_received(hq, written));
    CHECK(form_of(world, hyesan, written) == storage::ArchiveEntry::Form::public_key);
    CHECK(world.queue(hq, {hyesan}, RecordClass::normal).has_value());

    world.lock_mail(hyesan, false);
    CHECK(world.view(hyesan, written).report.has_value());
    CHECK(form_of(world, hyesan, written) == storage::ArchiveEntry::Form::own_key);
}

TEST_CASE("what came while mail was locked and does not open is told, though its author closed it",
          "[simulation]") {
    World world(1, {"hq", "hyesan", "pyongyang"}, {});
    meet(world, hq, hyesan);
    world.lock_mail(hyesan, true);
    std::vector<storage::ReportKey> reports;
    for (int i = 0; i < 6; ++i) {
        // Too large to be packed with others.
        reports.push_back(*world.queue(hq, {hyesan}, RecordClass::normal, 10'000));
    }
    meet(world, hq, hyesan);
    // The author closes them, and its statement tells so.
    world.run_for(std::chrono::hours{30});
    meet(world, hq, hyesan);
    for (const auto& report : reports) {
        REQUIRE(shown_at_author(world, report).state == State::delivered);
    }
    const auto log = storage::log_of(reports.front());
    REQUIRE(world.ledger(hyesan).author_on(log)->done.contains_all(
        {reports.front().origin.number, reports.back().origin.number}));

    // Half of them are damaged meanwhile, the highest among them.
    IntervalSet damaged;
    for (const std::size_t i : {1, 3, 5}) {
        damage_body(world, hyesan, reports[i]);
        const auto number = reports[i].origin.number;
        damaged.add(Interval{number, number});
    }
    world.lock_mail(hyesan, false);
    CHECK(world.inbox(hyesan).size() == 3);
    world.run_for(std::chrono::seconds{5});
    meet(world, hq, hyesan);
    for (const std::size_t i : {0, 2, 4}) {
        CHECK(shown_at_author(world, reports[i]).state == State::delivered);
    }
    for (const std::size_t i : {1, 3, 5}) {
        const auto one = shown_at_author(world, reports[i]);
        CHECK(one.state == State::failed);
        CHECK(one.reason == storage::FailReason::unreadable);
        CHECK(world.view(hyesan, reports[i]).reason == "unreadable");
    }
    CHECK(receipt_log(world, hyesan, log).unreadable == damaged);
    // It stays so through restarts and newer receipts, at a carrier too.
    world.stop(hyesan);
    world.restart(hyesan);
    const auto later = *world.queue(hq, {hyesan}, RecordClass::normal);
    meet(world, hq, hyesan);
    meet(world, hq, pyongyang);
    world.run_for(std::chrono::hours{30});
    meet(world, hq, hyesan);
    CHECK(shown_at_author(world, later).state == State::delivered);
    CHECK(shown_at_author(world, reports[5]).reason == storage::FailReason::unreadable);
    CHECK(receipt_log(world, hyesan, log).unreadable == damaged);
}

TEST_CASE("what does not open brings no log back that has gone meanwhile", "[simulation]") {
    World world(1, {"hq", "hyesan"}, {});
    constexpr Node liar = hyesan;
    world.lock_mail(hq, true);
    for (std::uint16_t life = 1; life <= limits::logs_per_office_max + 1; ++life) {
        auto forgery = write_as(world, liar, hq, 1);
        forgery.header.log.incarnation = {life, 1};
        world.tell(hq, liar, signed_by(world, liar, forgery));
    }
    world.lock_mail(hq, false);
    const auto logs = world.ledger(hq).logs_of(world.keys(liar).index);
    CHECK(std::ranges::distance(logs) == limits::logs_per_office_max);
}
