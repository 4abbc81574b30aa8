// Goal: a report to a group too large for one record's names reaches its members and nobody else,
// by any way. All proofs come back.
// Method: a world of 67 offices, because the author does not count. Tests of forged records need
// few offices.
#include <fmt/format.h>

#include "proto/limits.h"
#include "tests/simulation/forging.h"
#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using storage::State;

namespace {

constexpr OfficeId field = group_of(Role::field);
constexpr auto unopened = storage::ArchiveEntry::Form::unopened;

// hq and field offices, so that from each of them a report goes to more than one record can name.
std::vector<std::string> many() {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < limits::recipients_max + 3; ++i) {
        names.push_back(fmt::format("office{}", i));
    }
    return names;
}

void meet_briefly(World& world, Node a, Node b) {
    world.connect(a, b);
    world.run_for(std::chrono::seconds{10});
    world.cut(a, b);
}

Header header_of(World& world, Node node, const storage::ReportKey& report) {
    return world.view(node, report).header;
}

std::size_t count(World& world, Node author, const storage::ReportKey& report, State state) {
    const auto view = world.view(author, report);
    return static_cast<std::size_t>(std::ranges::count_if(
        view.recipients, [&](const auto& one) { return one.proved.state == state; }));
}

bool is_held(const World& world, Node node, const storage::ReportKey& report) {
    return world.ledger(node).log(storage::log_of(report)).held.contains(report.origin.number);
}

}  // namespace

TEST_CASE(
    "a report to a large group reaches its members, and their receipts and answers its author",
    "[simulation]") {
    World world(1, many(), {});
    const Node author = 1;
    const Node last = world.size() - 1;
    meet_briefly(world, author, hq);  // the authority has the group's key
    const auto report = world.queue_to_group(author, field);
    REQUIRE(report.has_value());
    CHECK(header_of(world, author, *report).stanzas.size() == 1);
    CHECK(world.view(author, *report).recipients.size() == limits::recipients_max + 1);
    meet_briefly(world, author, hq);
    CHECK(count(world, author, *report, State::carried) == limits::recipients_max + 1);
    // hq is in no group of this report, and carries it.
    CHECK(world.view(hq, *report).recipients.size() == limits::recipients_max + 1);
    CHECK(world.times_happened(hq, engine::What::received, *report) == 0);
    // Over links that do not carry: each office is brought the report because it may read it.
    const engine::LinkPolicy own_only{.carries = false};
    for (Node node = 2; node <= last; ++node) {
        CHECK(is_held(world, hq, *report));
        world.connect(node, hq, own_only, own_only);
        world.run_for(std::chrono::seconds{10});
        world.cut(node, hq);
        CHECK(world.has_received(node, *report));
    }
    // All are served.
    CHECK_FALSE(is_held(world, hq, *report));
    REQUIRE(world.acknowledge(7, *report).has_value());
    meet_briefly(world, 7, hq);
    meet_briefly(world, author, hq);
    CHECK(count(world, author, *report, State::delivered) == limits::recipients_max);
    CHECK(count(world, author, *report, State::acknowledged) == 1);
    CHECK_FALSE(is_held(world, author, *report));
    world.check_everything();
}

TEST_CASE(
    "an office admitted later does not get what was sent to its group before, and one without a "
    "slot is named",
    "[simulation]") {
    World world(1, many(), {});
    const Node author = 1;
    meet_briefly(world, author, hq);
    const auto before = *world.queue_to_group(author, field);
    meet_briefly(world, author, hq);
    const auto late = world.invite_and_join("late");
    for (int i = 0; i < 3; ++i) {
        meet_briefly(world, hq, late);
    }
    REQUIRE(world.ledger(hq).roster().find(world.keys(late).index)->is_member());
    world.tell(late, hq, world.record_news(hq, before));
    CHECK(is_held(world, late, before));  // it carries it for the others
    CHECK(world.times_happened(late, engine::What::received, before) == 0);
    CHECK_FALSE(world.view(late, before).entry.has_value());

    // The author hears of the admission and of the prekey, and of no slot.
    const auto& known = world.ledger(hq);
    world.tell(author, hq, RosterNews{{known.roster_changes().back()}});
    if (known.roster_changes().size() > world.ledger(author).roster_changes().size()) {
        const auto lacking = world.ledger(author).roster_changes().size();
        world.tell(
            author, hq,
            RosterNews{{known.roster_changes().begin() + static_cast<std::ptrdiff_t>(lacking),
                        known.roster_changes().end()}});
    }
    const auto* statement =
        known.newest({world.keys(late).index, static_cast<std::uint8_t>(RegisterKind::office), {}});
    REQUIRE(statement != nullptr);
    world.tell(author, hq, RegisterNews{{*statement}});
    const auto after = world.queue_to_group(author, field);
    REQUIRE(after.has_value());
    const auto header = header_of(world, author, *after);
    REQUIRE(header.stanzas.size() == 2);
    CHECK(header.stanzas.front().recipient == world.keys(late).index);
    meet_briefly(world, author, late);
    CHECK(world.has_received(late, *after));
    // From now on the office opens by its slot.
    world.run_for(std::chrono::minutes{2});
    meet_briefly(world, author, hq);
    CHECK(header_of(world, author, *world.queue_to_group(author, field)).stanzas.size() == 1);
}

TEST_CASE("a report to a group waits for the key of mail, or of the group", "[simulation]") {
    World world(1, many(), {});
    const Node locked = 2;
    const Node without_slot = 3;
    const auto report = *world.queue_to_group(hq, field);
    world.lock_mail(locked, true);
    meet_briefly(world, hq, locked);
    CHECK(world.view(locked, report).entry->form == unopened);
    world.lock_mail(locked, false);
    CHECK(world.has_received(locked, report));

    world.tell(without_slot, hq, world.record_news(hq, report));
    REQUIRE(world.view(without_slot, report).entry.has_value());
    CHECK(world.view(without_slot, report).entry->form == unopened);
    CHECK(world.inbox(without_slot).empty());
    world.stop(without_slot);
    world.restart(without_slot);
    world.run_for(std::chrono::seconds{5});
    CHECK(world.view(without_slot, report).entry->form == unopened);
    const auto receipt =
        world.ledger(without_slot).receipt(world.keys(without_slot).index, world.keys(hq).index);
    REQUIRE(receipt != nullptr);
    CHECK(receipt->logs.front().received.contains(report.origin.number));
    CHECK(receipt->logs.front().unreadable.empty());

    meet_briefly(world, hq, without_slot);
    CHECK(world.has_received(without_slot, report));
    CHECK(world.inbox(without_slot).size() == 1);
    CHECK(count(world, hq, report, State::delivered) == 2);
}

TEST_CASE("a report to a large group and its receipts come by stick alone", "[simulation]") {
    World world(1, many(), {});
    const auto report = *world.queue_to_group(hq, field);
    const Node reader = 5;
    REQUIRE_FALSE(world.has_received(reader, report));
    world.read_bundle(reader, world.write_bundle(hq)->bytes);
    world.run_for(std::chrono::seconds{2});
    CHECK(world.has_received(reader, report));
    world.read_bundle(hq, world.write_bundle(reader)->bytes);
    CHECK(count(world, hq, report, State::delivered) == 1);
}

TEST_CASE("a member that abuses group stanzas spoils nothing for others", "[simulation]") {
    World world(1, {"hq", "hyesan", "pyongyang", "wonsan"}, {});
    const auto forged = [&](Number number, std::uint32_t version) {
        auto forgery = write_as(world, hyesan, wonsan, number);
        forgery.header.stanzas = {{field, 9, {}}};
        forgery.header.group_roster_version = version;
        return forgery;
    };
    const storage::ReportKey of_nobody{world.keys(hyesan).index, {{1, 7}, RecordClass::normal, 1}};
    auto of_later = of_nobody;
    of_later.origin.number = 2;
    auto too_many = of_nobody;
    too_many.origin.number = 3;
    auto of_later_relays = of_nobody;
    of_later_relays.origin.number = 4;
    for (const Node node : {hq, pyongyang}) {
        // To the members of a roster that has none, to those of a far later roster, and to one
        // recipient too many.
        world.tell(node, hyesan, signed_by(world, hyesan, forged(1, 0)));
        world.tell(node, hyesan, signed_by(world, hyesan, forged(2, 4711)));
        auto crowd = forged(3, 1);
        crowd.header.stanzas.clear();
        for (std::uint16_t i = 0; i < limits::recipients_max; ++i) {
            crowd.header.stanzas.push_back({OfficeId{i}, 1, {}});
        }
        crowd.header.stanzas.push_back({field, 9, {}});
        world.tell(node, hyesan, signed_by(world, hyesan, crowd));
        // No relay is known here; there may be one in that roster.
        auto to_relays = forged(4, 4711);
        to_relays.header.stanzas = {{group_of(Role::relay), 9, {}}};
        world.tell(node, hyesan, signed_by(world, hyesan, to_relays));
        CHECK(is_held(world, node, of_later_relays));
        CHECK_FALSE(is_held(world, node, of_nobody));
        CHECK_FALSE(is_held(world, node, too_many));
        // A carrier cannot know whether all recipients have the record.
        CHECK(is_held(world, node, of_later));
    }
    CHECK(world.view(pyongyang, of_later).entry->form == unopened);
    CHECK_FALSE(world.view(hq, of_later).entry.has_value());
    CHECK(world.inbox(pyongyang).empty());
    // Others write as before.
    const auto report = *world.queue(hq, {pyongyang, wonsan}, RecordClass::normal);
    meet_briefly(world, hq, pyongyang);
    meet_briefly(world, hq, wonsan);
    CHECK(world.has_received(pyongyang, report));
    CHECK(world.has_received(wonsan, report));
    CHECK(world.inbox(wonsan).size() == 1);
}

TEST_CASE("a group's report to a machine whose replacement was cancelled has failed for it",
          "[simulation][replacement]") {
    World world(1, many(), {});
    const Node lost = world.size() - 1;
    const auto report = *world.queue_to_group(hq, field);
    const auto invited = world.invite(fmt::format("office{}", lost), true);
    for (Node node = 1; node < lost; ++node) {
        meet_briefly(world, hq, node);
    }
    CHECK(count(world, hq, report, State::delivered) == lost - 1);
    CHECK_FALSE(is_held(world, hq, report));
    CHECK(count(world, hq, report, State::failed) == 0);
    world.cancel_invitation(invited->index);
    world.run_for(std::chrono::minutes{2});
    CHECK(count(world, hq, report, State::failed) == 1);
    CHECK(count(world, hq, report, State::queued) == 0);
}

TEST_CASE("an office that has not heard of its admission gets its group's report once it has",
          "[simulation]") {
    World world(1, many(), {});
    const Node by_the_way = 1;
    const auto late = world.join(*world.invite("late"));
    meet_briefly(world, by_the_way, hq);
    meet_briefly(world, by_the_way, late);
    meet_briefly(world, by_the_way, hq);
    const auto index = world.keys(late).index;
    const auto* statement =
        world.ledger(late).newest({index, static_cast<std::uint8_t>(RegisterKind::office), {}});
    REQUIRE(statement != nullptr);
    world.tell(hq, late, RegisterNews{{*statement}});
    world.run_for(std::chrono::minutes{2});
    REQUIRE(world.ledger(hq).roster().find(index)->is_member());
    REQUIRE_FALSE(world.ledger(late).roster().find(index)->is_member());
    const auto queued = world.queue_to_group(hq, field);
    REQUIRE(queued.has_value());
    const auto report = *queued;
    meet_briefly(world, hq, 4);
    REQUIRE_FALSE(header_of(world, hq, report).has_stanza_for(index));
    world.tell(late, by_the_way, world.record_news(hq, report));
    CHECK_FALSE(is_held(world, late, report));
    for (int i = 0; i < 3; ++i) {
        meet_briefly(world, hq, late);
    }
    CHECK(world.has_received(late, report));
}
