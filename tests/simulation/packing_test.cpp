// Goal: reports that waited together travel as one record, and only the bytes show it: each arrives
// once, whole, in order, with its own state and its own answers. Reports that cannot be packed stay
// apart.
// Method: named scenarios in calm weather.
#include <catch2/catch.hpp>

#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;
using storage::ReportKey;

namespace {

std::vector<ReportKey> queue_some(World& world, int count, const std::vector<Node>& to,
                                  RecordClass record_class = RecordClass::normal) {
    std::vector<ReportKey> reports;
    for (int i = 0; i < count; ++i) {
        reports.push_back(world.queue(hyesan, to, record_class).value());
    }
    return reports;
}

// How many reports are in the record that holds this one at its author.
std::uint64_t in_one_record(World& world, const ReportKey& report) {
    return world.view(hyesan, report).record.run.count();
}

void check_arrived(World& world, const std::vector<ReportKey>& reports, Node at) {
    for (const auto& report : reports) {
        INFO("report " << report.origin.number);
        CHECK(world.times_happened(at, What::received, report) == 1);
        CHECK(world.times_happened(hyesan, What::delivered, report, at) == 1);
    }
}

}  // namespace

TEST_CASE("reports that waited together travel together, by a relay too", "[simulation]") {
    World world(1, {"hq", "hyesan", "pyongyang"}, {});
    const auto reports = queue_some(world, 100, {hq});
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    CHECK(in_one_record(world, reports.front()) > 8);
    CHECK(in_one_record(world, reports.back()) > 1);
    CHECK(world.times_happened(hyesan, What::carried, reports[50], pyongyang) == 1);
    world.cut(hyesan, pyongyang);
    world.connect(pyongyang, hq);
    world.run_until_idle(1h);
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    check_arrived(world, reports, hq);
    const auto inbox = world.inbox(hq);
    REQUIRE(inbox.size() == reports.size());
    for (std::size_t i = 0; i < reports.size(); ++i) {
        CHECK(inbox[i].text == world.texts().at(reports[i]));
    }
    world.check_everything();
}

TEST_CASE("a mixed queue is packed as far as it can be, and arrives whole", "[simulation]") {
    World world(2, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    auto all = queue_some(world, 5, {hq});
    const auto to_another = queue_some(world, 3, {wonsan});
    const auto to_both = queue_some(world, 2, {hq, wonsan});
    const auto with_file = world.queue(hyesan, {hq}, RecordClass::normal, 40'000).value();
    const auto with_small_file = world.queue(hyesan, {hq}, RecordClass::normal, 500).value();
    const auto after = queue_some(world, 3, {hq});
    const auto urgent = queue_some(world, 3, {hq}, RecordClass::urgent);
    const auto short_lived = world.queue(hyesan, {hq}, RecordClass::normal, 0, 3 * 86400).value();
    world.connect(hyesan, hq);
    world.connect(hyesan, wonsan);
    world.run_until_idle(1h);
    CHECK(in_one_record(world, all.front()) == 5);
    CHECK(in_one_record(world, to_another.front()) == 3);
    CHECK(in_one_record(world, to_both.front()) == 2);
    CHECK(in_one_record(world, with_file) == 1);
    CHECK(in_one_record(world, with_small_file) == 4);
    CHECK(in_one_record(world, urgent.front()) == 3);
    CHECK(in_one_record(world, short_lived) == 1);
    all.insert(all.end(), {with_file, with_small_file, short_lived});
    check_arrived(world, all, hq);
    check_arrived(world, after, hq);
    check_arrived(world, urgent, hq);
    check_arrived(world, to_both, hq);
    check_arrived(world, to_both, wonsan);
    check_arrived(world, to_another, wonsan);
    world.check_everything();
}

TEST_CASE("what was public once is never packed again", "[simulation]") {
    World world(3, {"hq", "hyesan", "pyongyang"}, {});
    const auto first = queue_some(world, 4, {hq});
    world.connect(hyesan, pyongyang);
    world.run_until_idle(1h);
    world.cut(hyesan, pyongyang);
    const auto more = queue_some(world, 4, {hq});
    world.crash(hyesan);
    world.restart(hyesan);
    world.connect(hyesan, hq);
    world.connect(pyongyang, hq);
    world.run_until_idle(1h);
    CHECK(in_one_record(world, first.front()) == 4);
    CHECK(in_one_record(world, more.front()) == 4);
    check_arrived(world, first, hq);
    check_arrived(world, more, hq);
    CHECK(world.inbox(hq).size() == 8);
    world.check_everything();
}

TEST_CASE("what expired while it waited is not in the pack of its neighbours", "[simulation]") {
    World world(4, {"hq", "hyesan"}, {});
    auto live = queue_some(world, 2, {hq});
    const auto expired = world.queue(hyesan, {hq}, RecordClass::normal, 0, 3600).value();
    const auto later = queue_some(world, 2, {hq});
    world.pass(2h);
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    check_arrived(world, live, hq);
    check_arrived(world, later, hq);
    CHECK(world.times_happened(hyesan, What::expired, expired) == 1);
    CHECK(world.times_happened(hq, What::received, expired) == 0);
    world.check_everything();
}

TEST_CASE("each report of a pack has its own answer, and answers are packed too", "[simulation]") {
    World world(5, {"hq", "hyesan"}, {});
    const auto reports = queue_some(world, 12, {hq});
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    world.cut(hyesan, hq);
    std::map<ReportKey, ReportKey> answers;
    for (const auto& report : reports) {
        answers.emplace(report, world.acknowledge(hq, report).value());
    }
    world.connect(hyesan, hq);
    world.run_until_idle(1h);
    for (const auto& report : reports) {
        INFO("report " << report.origin.number);
        CHECK(world.times_happened(hyesan, What::acknowledged, report, hq) == 1);
        const auto view = world.view(hyesan, report);
        REQUIRE(view.recipients.size() == 1);
        CHECK(view.recipients[0].proved.answer == answers.at(report).origin);
        CHECK(view.recipients[0].note == world.texts().at(answers.at(report)));
    }
    world.check_everything();
}

TEST_CASE("a long queue is worked off a piece at a time, whatever crashes", "[simulation]") {
    World world(6, {"hq", "hyesan"}, {.crash_before_commit = 0.02, .crash_before_send = 0.02});
    while (world.promised().size() < 600) {
        world.restart(hyesan);
        world.queue(hyesan, {hq}, RecordClass::normal);
    }
    for (int meetings = 0; meetings < 60; ++meetings) {
        world.restart(hq);
        world.restart(hyesan);
        world.connect(hyesan, hq);
        world.run_until_idle(1h);
    }
    for (const auto& [report, to] : world.promised()) {
        CHECK(world.times_happened(hq, What::received, report) == 1);
    }
    world.check_everything();
}
