// Goal: an office can go on, on a new machine, at any time. Every report that the old machine is
// not known to have arrives at the new one, once, under its first ID, and its author shows the
// truth. Method: one seed a run; a storm, the replacement in its middle, a storm after it, then
// calm. Scenarios follow.
#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::State;
using engine::What;

namespace {

constexpr Node lost = 3;

// The state of a report at one machine, as its author shows it; nothing: it is no recipient.
std::optional<State> state_at(World& world, const storage::ReportKey& report, Node machine) {
    const auto page = world.progress(world.author_of(report), report);
    for (const auto& one : page.value().recipients) {
        if (one.office == world.keys(machine).index) {
            return one.state;
        }
    }
    return std::nullopt;
}

void replaced_in_a_storm(std::uint64_t seed) {
    CAPTURE(seed);
    World world(seed, four_offices,
                {.crash_before_commit = 0.003, .crash_before_send = 0.003, .latency = 50ms});
    world.storm(20 + static_cast<int>(seed % 30));
    std::shared_ptr<const crypto::Invite> invite;
    while (invite == nullptr) {
        world.set_disk_limit(hq, 0);  // somebody made room
        world.restart(hq);
        world.lock_mail(hq, false);
        invite = world.is_up(hq) ? world.invite_if_up("wonsan", true) : nullptr;
    }
    const auto machine = world.join(*invite);
    world.crash(lost);
    world.take_over(lost);  // nobody has it any more
    world.storm(40);
    do {
        world.calm();
        world.run_for(1min);
    } while (!world.is_up(hq) || !world.is_up(machine));
    world.check_everything();
    for (const auto& [report, to] : world.promised()) {
        const auto author = world.author_of(report);
        const bool is_for_lost = std::ranges::find(to, lost) != to.end();
        // The invitation may have expired before the machine met the authority.
        const auto* office = author == lost || !world.is_up(author)
                                 ? nullptr
                                 : world.ledger(author).roster().find(world.keys(machine).index);
        if (!is_for_lost || office == nullptr || !office->is_member()) {
            continue;
        }
        const auto page = world.progress(author, report).value();
        INFO("report " << report.origin.number << " class "
                       << static_cast<int>(report.origin.record_class) << " of " << author);
        if (report.origin.record_class == RecordClass::reply || page.withdrawn) {
            continue;
        }
        const auto at_old = state_at(world, report, lost);
        if (at_old) {
            INFO("state " << engine::name_of(*at_old));
            CHECK((at_old == State::delivered || at_old == State::acknowledged ||
                   world.record(author, report).expires.is_over_at(world.ledger(author).aged())));
        } else {
            const auto at_new = state_at(world, report, machine);
            CHECK((at_new == State::delivered || at_new == State::acknowledged));
            CHECK(world.times_happened(machine, What::received, report) == 1);
        }
    }
}

}  // namespace

TEST_CASE("an office on a new machine gets what the old one lacks, whenever it is replaced",
          "[simulation][replacement]") {
    for_each_seed(number_from_environment("FIELDPOST_SEEDS", 100), replaced_in_a_storm);
}

TEST_CASE("a report under way to a lost machine arrives at the new one, under its first ID",
          "[simulation][replacement]") {
    World world(1, four_offices, {});
    world.meet(hq, hyesan);
    world.meet(hq, lost);
    world.meet(hyesan, lost);
    const auto had = world.queue(hyesan, {lost}, RecordClass::normal).value();
    world.meet(hyesan, lost);
    CHECK(state_at(world, had, lost) == State::delivered);
    std::vector<storage::ReportKey> owed;
    for (int i = 0; i < 5; ++i) {
        owed.push_back(world.queue(hyesan, {lost, hq}, RecordClass::normal).value());
    }
    owed.push_back(world.queue(hyesan, {lost}, RecordClass::bulk, 50'000).value());
    world.meet(hyesan, hq);  // hq has its own, and carries the others
    const auto invite = world.invite("wonsan", true);
    world.meet(hyesan, hq);
    for (const auto& report : owed) {
        // Neither delivered nor failed: a new machine is on its way.
        CHECK((state_at(world, report, lost) == State::queued ||
               state_at(world, report, lost) == State::carried));
    }
    const auto machine = world.join(*invite);
    world.meet(machine, hq);
    world.meet(hyesan, hq);
    world.meet(machine, hq);
    world.meet(hyesan, hq);
    world.check_everything();
    CHECK(state_at(world, had, lost) == State::delivered);
    CHECK_FALSE(state_at(world, had, machine).has_value());
    for (const auto& report : owed) {
        CHECK_FALSE(state_at(world, report, lost).has_value());
        CHECK(state_at(world, report, machine) == State::delivered);
        CHECK(world.has_received(machine, report));
        CHECK(world.view(machine, report).hash == world.view(hyesan, report).hash);
    }
    // The new machine answers, and its own reports have IDs of their own.
    CHECK(world.acknowledge(machine, owed.front()).has_value());
    const auto own = world.queue(machine, {hq, hyesan}, RecordClass::normal).value();
    world.meet(machine, hq);
    world.meet(hyesan, hq);
    world.meet(machine, hq);
    CHECK(state_at(world, owed.front(), machine) == State::acknowledged);
    CHECK(state_at(world, own, hyesan) == State::delivered);
    CHECK(engine::printed_id(world.ledger(hq), own) == "wonsan.2-1");
}

TEST_CASE("a receipt of a new machine proves nothing about the record for the old one",
          "[simulation][replacement]") {
    // The author owes one report to two offices, of which one is replaced. The new machine receipts
    // numbers around the old record's, which it has never seen.
    World world(1, four_offices, {});
    world.meet(hq, hyesan);
    world.meet(hq, lost);
    world.meet(hyesan, lost);
    world.lock_mail(hyesan, true);  // so nothing is written again yet
    const auto owed = world.queue(hyesan, {lost}, RecordClass::normal).value();
    world.meet(hyesan, hq);
    const auto machine = world.join(*world.invite("wonsan", true));
    world.meet(machine, hq);
    world.meet(hyesan, hq);
    world.meet(hyesan, machine);
    const auto later = world.queue(hyesan, {machine}, RecordClass::normal);
    REQUIRE(later.has_value());
    world.meet(hyesan, machine);
    CHECK(state_at(world, *later, machine) == State::delivered);
    CHECK(state_at(world, owed, lost) != State::delivered);
    CHECK_FALSE(world.has_received(machine, owed));
    world.lock_mail(hyesan, false);
    world.run_for(1min);
    CHECK(state_at(world, owed, machine) == State::queued);
    world.meet(hyesan, machine);
    CHECK(state_at(world, owed, machine) == State::delivered);
    CHECK(world.has_received(machine, owed));
    world.check_everything();
}

TEST_CASE("a machine that was taken first and replaced later gets what failed meanwhile",
          "[simulation][replacement]") {
    World world(1, four_offices, {});
    world.meet(hq, hyesan);
    world.meet(hq, lost);
    world.meet(hyesan, lost);
    const auto owed = world.queue(hyesan, {lost}, RecordClass::normal).value();
    REQUIRE(world.revoke(lost).has_value());
    world.meet(hyesan, hq);
    CHECK(state_at(world, owed, lost) == State::failed);
    CHECK(world.was_told(hyesan, What::unreachable));
    // The first invitation is lost, and made anew.
    const auto first = world.invite("wonsan", true);
    const auto machine = world.join(*world.invite("wonsan", false));
    world.meet(machine, hq);
    world.meet(hyesan, hq);
    world.meet(machine, hq);
    world.meet(hyesan, hq);
    CHECK(state_at(world, owed, machine) == State::delivered);
    CHECK(world.ledger(hq).roster().find(world.keys(lost).index)->replaced_by ==
          world.keys(machine).index);
    CHECK(world.ledger(hq).roster().find(first->index)->state == crypto::OfficeState::cancelled);
}

TEST_CASE("an answer of the old machine that comes late is the answer of its office",
          "[simulation][replacement]") {
    World world(1, four_offices, {});
    for (const Node node : {hyesan, pyongyang, lost}) {
        world.meet(hq, node);
    }
    world.meet(hyesan, pyongyang);
    const auto owed = world.queue(hyesan, {lost}, RecordClass::normal).value();
    world.meet(hyesan, pyongyang);
    world.meet(pyongyang, lost);
    const auto answer = world.acknowledge(lost, owed);
    REQUIRE(answer.has_value());
    world.meet(lost, pyongyang);
    REQUIRE(world.revoke(lost, {*answer}).has_value());
    const auto machine = world.join(*world.invite("wonsan", true));
    world.meet(machine, hq);
    world.meet(hyesan, hq);
    REQUIRE(world.progress(hyesan, owed)->recipients.front().office == world.keys(machine).index);
    REQUIRE(world.times_happened(hyesan, What::acknowledged, owed) == 0);
    world.meet(hyesan, pyongyang);
    CHECK(world.times_happened(hyesan, What::acknowledged, owed) == 1);
    CHECK(state_at(world, owed, machine) == State::acknowledged);
}

TEST_CASE("an office that is replaced twice while an author is away is written to once",
          "[simulation][replacement]") {
    World world(1, four_offices, {});
    world.meet(hq, hyesan);
    world.meet(hq, lost);
    world.meet(hyesan, lost);
    const auto owed = world.queue(hyesan, {lost}, RecordClass::normal).value();
    const auto second = world.join(*world.invite("wonsan", true));
    world.meet(second, hq);
    const auto third = world.join(*world.invite("wonsan", true));
    world.meet(third, hq);
    world.meet(hyesan, hq);
    world.meet(hyesan, third);
    CHECK(state_at(world, owed, third) == State::delivered);
    CHECK(world.progress(hyesan, owed)->recipients.size() == 1);
    CHECK_FALSE(world.has_received(second, owed));
    CHECK(engine::printed_id(world.ledger(third),
                             world.queue(third, {hq}, RecordClass::urgent).value()) ==
          "wonsan.3-u1");
}

TEST_CASE(
    "a report that was written again can be withdrawn, for a reader who heard of it by any path",
    "[simulation][replacement]") {
    World world(1, four_offices, {});
    world.meet(hq, hyesan);
    world.meet(hq, lost);
    world.meet(hyesan, lost);
    const auto read = world.queue(hyesan, {lost}, RecordClass::normal).value();
    const auto unread = world.queue(hyesan, {lost}, RecordClass::bulk).value();
    const auto machine = world.join(*world.invite("wonsan", true));
    world.meet(machine, hq);
    world.meet(hyesan, hq);
    world.meet(hyesan, machine);
    CHECK(world.has_received(machine, read));
    CHECK(world.has_received(machine, unread));
    CHECK(world.withdraw(read));
    world.meet(hyesan, machine);
    CHECK(world.progress(machine, read)->withdrawn.has_value());
    const auto page = world.progress(hyesan, read).value();
    CHECK(page.recipients.front().state == State::delivered);
    // Both numbers are in the author's statement.
    const auto& as = page.recipients.front().reissued_as.value();
    const auto& log =
        world.ledger(hyesan).log({world.keys(hyesan).index, as.incarnation, as.record_class});
    CHECK(log.withdrawn.contains(as.number));
}

TEST_CASE("the record of a reissue goes once it is delivered, and its first record stays readable",
          "[simulation][replacement]") {
    World world(1, four_offices, {});
    world.meet(hq, hyesan);
    world.meet(hq, lost);
    world.meet(hyesan, lost);
    const auto owed = world.queue(hyesan, {lost}, RecordClass::bulk, 100'000).value();
    const auto machine = world.join(*world.invite("wonsan", true));
    world.meet(machine, hq);
    world.meet(hyesan, hq);
    world.meet(hyesan, machine);
    CHECK(state_at(world, owed, machine) == State::delivered);
    CHECK(world.view(hyesan, owed).report.has_value());
    const auto as = world.progress(hyesan, owed)->recipients.front().reissued_as.value();
    const LogKey log{world.keys(hyesan).index, as.incarnation, as.record_class};
    CHECK_FALSE(world.read_from(hyesan, [&](const storage::RecordStore& store) {
        return store.record(log, as.number, storage::WithBody::no);
    }));
    // The new machine tells its receipt again, and its author still knows the number.
    world.restart(hyesan);
    world.crash(hyesan);
    world.restart(hyesan);
    world.meet(hyesan, machine);
    CHECK_FALSE(world.ledger(hyesan).meta().stopped);
    world.check_everything();
}
