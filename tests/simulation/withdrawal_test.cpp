// Goal: a report that its author takes back is shown to nobody who had not read it, is marked for
// everybody who had, and is never called delivered where it was not; a report that is forgotten
// cannot be read again, and its office goes on.
// Method: one scenario for each moment at which a report can be taken back; then storms in which
// people correct, take back and forget all the time.
#include <catch2/catch.hpp>

#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;
using storage::FailReason;
using storage::State;

namespace {

storage::Recipient at_author(World& world, const storage::ReportKey& report, Node recipient) {
    const auto page = world.progress(world.author_of(report), report).value();
    for (const auto& one : page.recipients) {
        if (one.office == world.ledger(recipient).us()) {
            return one;
        }
    }
    FAIL("no such recipient");
    return {};
}

bool is_shown(World& world, Node node, const storage::ReportKey& report) {
    return world.times_happened(node, What::received, report) == 1;
}

void check_taken_back_unread(World& world, const storage::ReportKey& report, Node recipient) {
    CHECK_FALSE(is_shown(world, recipient, report));
    CHECK_FALSE(world.progress(recipient, report).has_value());
    const auto one = at_author(world, report, recipient);
    CHECK(one.state == State::failed);
    CHECK(one.reason == FailReason::withdrawn);
}

}  // namespace

TEST_CASE("a report that is taken back before it leaves never leaves", "[simulation]") {
    World world(1, {"hq", "hyesan"}, {});
    const auto before = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto wrong = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto after = world.queue(hyesan, {hq}, RecordClass::normal).value();
    REQUIRE(world.withdraw(wrong));
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    CHECK(is_shown(world, hq, before));
    CHECK(is_shown(world, hq, after));
    check_taken_back_unread(world, wrong, hq);
    CHECK(world.inbox(hq).size() == 2);  // hq is not told that there was one
    CHECK_FALSE(world.view(hyesan, wrong).withdrawn.value().by.has_value());
    CHECK(world.view(hyesan, wrong).report.has_value());
    world.check_everything();
}

TEST_CASE("a carrier drops what is taken back, and its recipient never sees it", "[simulation]") {
    World world(2, {"hq", "hyesan", "pyongyang"}, {});
    const auto record_class = GENERATE(RecordClass::normal, RecordClass::bulk);
    const auto size = record_class == RecordClass::bulk ? 300'000U : 0U;
    const auto wrong = world.queue(hyesan, {hq}, record_class, size).value();
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    REQUIRE(at_author(world, wrong, hq).state == State::carried);
    REQUIRE(world.withdraw(wrong));
    world.run_until_idle(1h);
    const auto log = storage::log_of(wrong);
    CHECK_FALSE(world.ledger(pyongyang).log(log).held.contains(wrong.origin.number));
    CHECK(world.ledger(pyongyang).meta().carried_records == 1);  // the withdrawal
    world.cut(hyesan, pyongyang);
    world.connect(pyongyang, hq);
    world.run_until_idle(1h);
    check_taken_back_unread(world, wrong, hq);
    CHECK_FALSE(world.was_told(hq, What::withdrawn));
    world.check_everything();
}

TEST_CASE("one report of a pack is taken back, and the others arrive", "[simulation]") {
    World world(3, {"hq", "hyesan", "pyongyang"}, {});
    std::vector<storage::ReportKey> reports;
    for (int i = 0; i < 4; ++i) {
        reports.push_back(world.queue(hyesan, {hq}, RecordClass::normal).value());
    }
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    REQUIRE(world.record(hyesan, reports[0]).run.count() == 4);
    REQUIRE(world.withdraw(reports[1]));
    world.run_until_idle(1h);
    world.cut(hyesan, pyongyang);
    world.connect(pyongyang, hq);
    world.run_until_idle(1h);
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    for (const auto i : {0U, 2U, 3U}) {
        CHECK(is_shown(world, hq, reports[i]));
        CHECK(at_author(world, reports[i], hq).state == State::delivered);
    }
    check_taken_back_unread(world, reports[1], hq);
    // All four numbers have ended, so the carrier holds none.
    CHECK(world.ledger(pyongyang).log(storage::log_of(reports[0])).held.empty());
    world.check_everything();
}

TEST_CASE("a recipient that has read a report is told that it is taken back, and why",
          "[simulation]") {
    World world(4, {"hq", "hyesan", "pyongyang"}, {});
    const auto wrong = world.queue(hyesan, {hq, pyongyang}, RecordClass::normal).value();
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    REQUIRE(world.acknowledge(hq, wrong).has_value());
    world.run_until_idle(1h);
    REQUIRE(world.withdraw(wrong));
    REQUIRE(world.withdraw(wrong));  // told twice, done once
    world.run_until_idle(1h);
    const auto seen = world.view(hq, wrong);
    CHECK(seen.report.has_value());
    REQUIRE(seen.withdrawn.has_value());
    CHECK(seen.withdrawal_reason.starts_with("오류"));
    CHECK(world.times_happened(hq, What::withdrawn, wrong) == 1);
    CHECK(world.ledger(hq).attention().items().contains(
        {What::withdrawn, world.ledger(hyesan).us(), {}}));
    // The state that was proved stays; the other recipient never gets it.
    CHECK(at_author(world, wrong, hq).state == State::acknowledged);
    CHECK(at_author(world, wrong, pyongyang).reason == FailReason::withdrawn);
    CHECK(world.view(hyesan, wrong).state == State::acknowledged);
    CHECK_FALSE(world.ledger(hyesan).attention().items().contains(
        {What::withdrawn, world.ledger(hyesan).us(), {}}));
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    check_taken_back_unread(world, wrong, pyongyang);
    world.check_everything();
}

TEST_CASE("a report that was read before the news of its withdrawal is delivered all the same",
          "[simulation]") {
    World world(5, {"hq", "hyesan"}, {});
    const auto wrong = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto stick = world.write_bundle(hyesan).value();
    REQUIRE(world.withdraw(wrong));
    CHECK(at_author(world, wrong, hq).reason == FailReason::withdrawn);
    REQUIRE(world.read_bundle(hq, stick.bytes).has_value());
    REQUIRE(is_shown(world, hq, wrong));
    SECTION("over a link") {
        world.connect(hyesan, hq);
        world.run_until_idle(1h);
    }
    SECTION("by sticks") {
        REQUIRE(world.read_bundle(hq, world.write_bundle(hyesan).value().bytes).has_value());
        REQUIRE(world.read_bundle(hyesan, world.write_bundle(hq).value().bytes).has_value());
    }
    CHECK(world.view(hq, wrong).withdrawn.has_value());
    CHECK_FALSE(world.view(hq, wrong).withdrawal_reason.empty());
    CHECK(at_author(world, wrong, hq).state == State::delivered);
    world.check_everything();
}

TEST_CASE("a report that comes after its withdrawal is not shown and not called delivered",
          "[simulation]") {
    World world(6, {"hq", "hyesan"}, {});
    const bool is_locked = GENERATE(false, true);
    const auto wrong = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto old_stick = world.write_bundle(hyesan).value();
    REQUIRE(world.withdraw(wrong));
    REQUIRE(world.read_bundle(hq, world.write_bundle(hyesan).value().bytes).has_value());
    world.lock_mail(hq, is_locked);
    REQUIRE(world.read_bundle(hq, old_stick.bytes).has_value());
    world.lock_mail(hq, false);
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    check_taken_back_unread(world, wrong, hq);
    CHECK_FALSE(world.was_told(hq, What::fork));
    world.check_everything();
}

TEST_CASE("a withdrawal alone, without its author's statement, keeps a report from being shown",
          "[simulation]") {
    World world(11, {"hq", "hyesan", "pyongyang"}, {});
    const auto first = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto second = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto urgent = world.queue(hyesan, {hq}, RecordClass::urgent).value();
    const auto stick = world.write_bundle(hyesan).value();  // makes them public
    const auto pack = world.record_news(hyesan, first);
    const auto alone = world.record_news(hyesan, urgent);
    world.connect(hyesan, pyongyang);
    const auto take_back = [&](const storage::ReportKey& report) {
        REQUIRE(world.withdraw(report));
        world.run_until_idle(1h);
        const auto by = world.view(hyesan, report).withdrawn.value().by.value();
        world.tell(hq, pyongyang, world.record_news(hyesan, {report.author, by}));
    };
    take_back(second);
    world.tell(hq, pyongyang, pack);
    world.tell(hq, pyongyang, alone);
    CHECK(is_shown(world, hq, first));
    CHECK_FALSE(is_shown(world, hq, second));
    const auto& log = world.ledger(hq).log(storage::log_of(first));
    CHECK(log.receipted.contains(first.origin.number));
    CHECK_FALSE(log.receipted.contains(second.origin.number));
    // Seen before its withdrawal, the urgent one is marked when that comes.
    CHECK(is_shown(world, hq, urgent));
    take_back(urgent);
    CHECK(world.view(hq, urgent).withdrawn.has_value());
    // The pack again, as when a part of the log is opened anew: no second record under its numbers.
    world.tell(hq, pyongyang, pack);
    REQUIRE(world.read_bundle(hq, stick.bytes).has_value());
    CHECK_FALSE(world.was_told(hq, What::fork));
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    check_taken_back_unread(world, second, hq);
    CHECK(at_author(world, first, hq).state == State::delivered);
    CHECK(at_author(world, urgent, hq).state == State::delivered);
    world.check_everything();
}

TEST_CASE("a number that was done first and is taken back later is marked (L8)", "[simulation]") {
    World world(7, {"hq", "hyesan"}, {});
    const auto late = world.queue(hyesan, {hq}, RecordClass::normal, 0, 2 * 86400).value();
    REQUIRE(world.read_bundle(hq, world.write_bundle(hyesan).value().bytes).has_value());
    REQUIRE(is_shown(world, hq, late));
    world.run_for(24h * 4);
    REQUIRE(at_author(world, late, hq).state == State::expired);
    REQUIRE(world.read_bundle(hq, world.write_bundle(hyesan).value().bytes).has_value());
    REQUIRE(world.ledger(hq)
                .log(storage::log_of(late))
                .is_terminal({late.origin.number, late.origin.number}));
    REQUIRE(world.withdraw(late));
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    CHECK(world.view(hq, late).withdrawn.has_value());
    CHECK(at_author(world, late, hq).state == State::delivered);
    world.check_everything();
}

TEST_CASE("of corrections the newest that stands counts, at every office", "[simulation]") {
    World world(8, {"hq", "hyesan"}, {});
    const auto first = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto second = world.correct(first).value();
    const auto third = world.correct(second).value();
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    const auto check = [&](std::optional<storage::ReportKey> of_first,
                           std::optional<storage::ReportKey> of_second) {
        world.run_until_idle(1h);
        for (const auto node : {hq, hyesan}) {
            INFO("office " << node);
            CHECK(world.view(node, first).replaced_by == of_first);
            CHECK(world.view(node, second).replaced_by == of_second);
        }
    };
    check(third, third);
    SECTION("the newest goes") {
        REQUIRE(world.withdraw(third));
        check(second, {});
        REQUIRE(world.withdraw(second));
        check({}, {});
        // Corrected again, the first one is not current.
        const auto fourth = world.correct(first).value();
        check(fourth, fourth);
    }
    SECTION("one in between goes") {
        REQUIRE(world.withdraw(second));
        check(third, third);
        REQUIRE(world.withdraw(third));
        check({}, {});
    }
    SECTION("one that nobody has seen goes") {
        world.cut(hyesan, hq);
        const auto fourth = world.correct(third).value();
        REQUIRE(world.withdraw(fourth));
        world.connect(hyesan, hq);
        check(third, third);
        CHECK_FALSE(world.view(hq, third).replaced_by.has_value());
    }
    SECTION("one in between never comes") {
        world.cut(hyesan, hq);
        const auto fourth = world.correct(third).value();
        const auto fifth = world.correct(fourth).value();
        REQUIRE(world.withdraw(fourth));
        world.connect(hyesan, hq);
        check(fifth, fifth);
        CHECK(world.view(hq, third).replaced_by == fifth);
    }
    world.check_everything();
}

TEST_CASE("a correction that comes before its report replaces it all the same", "[simulation]") {
    World world(9, {"hq", "hyesan"}, {});
    const auto first = world.queue(hyesan, {hq}, RecordClass::bulk, 100'000).value();
    const auto second = world.correct(first).value();
    // Small records go first, so the correction is there long before the end of the body.
    world.connect(hyesan, hq, {.bytes_per_second = 4000}, {.bytes_per_second = 4000});
    world.run_for(5s);
    REQUIRE(is_shown(world, hq, second));
    REQUIRE_FALSE(is_shown(world, hq, first));
    world.run_until_idle(1h);
    CHECK(world.view(hq, first).replaced_by == second);
    world.check_everything();
}

TEST_CASE("a forgotten report cannot be read, and its office goes on", "[simulation]") {
    World world(10, {"hq", "hyesan", "pyongyang"}, {});
    std::vector<storage::ReportKey> reports;
    for (int i = 0; i < 3; ++i) {
        reports.push_back(world.queue(hyesan, {hq, pyongyang}, RecordClass::normal).value());
    }
    const auto photo = world.queue(hyesan, {hq}, RecordClass::bulk, 100'000).value();
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    REQUIRE(world.acknowledge(hq, reports[1]).has_value());
    world.run_until_idle(1h);
    const auto gone = reports[1];
    // The author owes it to pyongyang.
    CHECK_FALSE(world.forget(hyesan, gone));
    REQUIRE(world.forget(hq, gone));
    REQUIRE(world.forget(hq, photo));
    REQUIRE(world.forget(hyesan, photo));
    const auto check_gone = [&](Node node, const storage::ReportKey& report) {
        INFO("office " << node);
        const auto view = world.view(node, report);
        CHECK_FALSE(view.report.has_value());
        CHECK(view.forgotten_at != WallTime{});
        CHECK_FALSE(view.hash.is_zero());
        for (const auto& one : view.recipients) {
            CHECK(one.note.empty());
        }
    };
    check_gone(hq, gone);
    check_gone(hq, photo);
    check_gone(hyesan, photo);
    // Others of its pack are as they were, and it still goes to the other recipient.
    CHECK(world.view(hq, reports[0]).report.value().text == world.texts().at(reports[0]));
    CHECK(world.view(hq, reports[2]).report.value().text == world.texts().at(reports[2]));
    world.cut(hyesan, hq);
    world.connect(hq, pyongyang);
    world.run_until_idle(1h);
    CHECK(is_shown(world, pyongyang, gone));
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    REQUIRE(world.forget(hyesan, gone));
    check_gone(hyesan, gone);
    CHECK(world.view(hyesan, reports[0]).report.value().text == world.texts().at(reports[0]));
    // A peer that shows the record does not make its author stop, and it is not shown again.
    world.crash(hyesan);
    world.restart(hyesan);
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    CHECK_FALSE(world.ledger(hyesan).meta().stopped);
    CHECK(world.times_happened(hq, What::received, gone) == 1);
    CHECK(world.queue(hyesan, {hq}, RecordClass::normal).has_value());
    world.check_everything();
}

TEST_CASE("what people forget does not keep their answers from being sent", "[simulation]") {
    World world(12, {"hq", "hyesan"}, {});
    std::vector<storage::ReportKey> reports;
    for (int i = 0; i < 3; ++i) {
        reports.push_back(world.queue(hyesan, {hq}, RecordClass::normal).value());
    }
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    world.cut(hyesan, hq);
    // Two answers wait, to be packed, while one of the reports is forgotten.
    const auto answer = world.acknowledge(hq, reports[0]).value();
    REQUIRE(world.acknowledge(hq, reports[1]).has_value());
    REQUIRE(world.forget(hq, reports[0]));
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    for (const auto i : {0U, 1U}) {
        CHECK(at_author(world, reports[i], hq).state == State::acknowledged);
    }
    // Once they have arrived, their words go too.
    CHECK(world.view(hq, answer).report.has_value());
    REQUIRE(world.forget(hq, reports[0]));
    CHECK_FALSE(world.view(hq, answer).report.has_value());
    world.check_everything();
}

TEST_CASE("many answers to a report hide neither its corrections nor its withdrawal",
          "[simulation]") {
    World world(13, {"hq", "hyesan"}, {});
    const auto first = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto second = world.correct(first).value();
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    for (int i = 0; i < 100; ++i) {
        REQUIRE(world.acknowledge(hq, first).has_value());
    }
    world.run_until_idle(1h);
    const auto third = world.correct(second).value();
    world.run_until_idle(1h);
    for (const auto node : {hq, hyesan}) {
        CHECK(world.view(node, first).replaced_by == third);
        CHECK(world.view(node, second).replaced_by == third);
    }
    REQUIRE(world.withdraw(third));
    REQUIRE(world.withdraw(second));
    world.run_until_idle(1h);
    for (const auto node : {hq, hyesan}) {
        CHECK_FALSE(world.view(node, first).replaced_by.has_value());
    }
    world.check_everything();
}

namespace {

// People who change their minds all the time.
void change_minds(World& world, int rounds) {
    std::vector<storage::ReportKey> reports;
    for (int round = 0; round < rounds; ++round) {
        const auto any = [&](std::size_t below) { return world.dice()() % below; };
        const Node a = any(world.size());
        const Node b = any(world.size());
        const auto* chosen = reports.empty() ? nullptr : &reports[any(reports.size())];
        switch (any(11)) {
            case 0:
            case 1:
                if (const auto report =
                        a == b ? std::nullopt
                               : world.queue(a, {b}, static_cast<RecordClass>(1 + any(3)),
                                             any(6) == 0 ? any(60'000) : 0)) {
                    reports.push_back(*report);
                }
                break;
            case 2:
            case 3:
                if (chosen != nullptr) {
                    if (const auto report = world.correct(storage::ReportKey(*chosen))) {
                        reports.push_back(*report);
                    }
                }
                break;
            case 4:
            case 5:
                if (chosen != nullptr) {
                    world.withdraw(*chosen);
                }
                break;
            case 6:
                if (chosen != nullptr) {
                    world.forget(a, *chosen);
                }
                break;
            case 7:
                a != b&& any(2) == 0 ? world.connect(a, b) : world.cut(a, b);
                break;
            case 8:
                any(3) == 0 ? world.crash(a) : world.restart(a);
                break;
            case 9:
                world.lock_mail(a, any(2) == 0);
                break;
            default:
                world.pass(std::chrono::milliseconds{any(100'000)});
        }
        for (auto steps = any(20); steps > 0; --steps) {
            world.step();
        }
    }
}

void change_and_agree(std::uint64_t seed) {
    CAPTURE(seed);
    World world(seed, {"hq", "hyesan", "pyongyang", "wonsan"},
                {.crash_before_commit = 0.004, .crash_before_send = 0.004});
    change_minds(world, 80);
    world.check_everything();
    world.calm();
    world.check_everything();
    for (const auto& [report, to] : world.promised()) {
        const auto author = world.author_of(report);
        const auto own = world.progress(author, report).value();
        for (const auto node : to) {
            INFO("report " << report.origin.number << " class "
                           << static_cast<int>(report.origin.record_class) << " of " << author
                           << " to " << node);
            const auto page = world.progress(node, report);
            // A report that stands arrives; one that was taken back is marked wherever it was read.
            CHECK((page.has_value() || own.withdrawn.has_value()));
            if (page) {
                CHECK(is_shown(world, node, report));
                CHECK(page->withdrawn.has_value() == own.withdrawn.has_value());
                CHECK(page->replaced_by == own.replaced_by);
                CHECK(at_author(world, report, node).state >= State::delivered);
                CHECK(at_author(world, report, node).state <= State::acknowledged);
            }
        }
    }
}

}  // namespace

TEST_CASE("whatever people take back or forget, all offices agree on what stands", "[simulation]") {
    for_each_seed(number_from_environment("FIELDPOST_SEEDS", 60), change_and_agree);
}
