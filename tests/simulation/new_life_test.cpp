// Goal: a store that was put back, or that runs twice, loses no report that people were promised,
// shows each once, and never says `delivered` of a report that did not arrive. Two copies that both
// live end with one that goes on.
// Method: named scenarios; then copies that meet others by turns, one seed a run.
#include <fmt/format.h>

#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::State;
using engine::What;

namespace {

// A link ends when one of the two begins a new life, so they meet again.
constexpr int settling = 3;

std::vector<std::string> texts_at(World& world, Node node) {
    std::vector<std::string> texts;
    for (const auto& report : world.inbox(node)) {
        texts.push_back(report.text);
    }
    return texts;
}

std::size_t count(const std::vector<std::string>& texts, const std::string& text) {
    return static_cast<std::size_t>(std::ranges::count(texts, text));
}

// A copy that uses the next numbers, as after a clean stop.
storage::MemoryDisk copy_of(World& world, Node node) {
    world.stop(node);
    auto copy = world.disk(node);
    world.restart(node);
    return copy;
}

enum class Marker { stays, goes_back_too };

void put_back(World& world, Node node, const storage::MemoryDisk& copy, Marker marker) {
    if (world.is_up(node)) {
        world.stop(node);
    }
    world.put_back(node, copy);
    if (marker == Marker::goes_back_too) {
        world.lose_marker(node);
    }
    world.restart(node);
    world.pass(2s);
}

// hq takes only what is for hq, so its numbers have holes.
void meet_frugal_hq(World& world) {
    for (int i = 0; i < settling; ++i) {
        world.connect(hyesan, hq, {}, {.carries = false});
        world.run_until_idle(1h);
        world.cut(hyesan, hq);
        world.run_until_idle(1h);
    }
}

State state_of(World& world, const storage::ReportKey& report) {
    return world.progress(hyesan, report)->recipients.front().state;
}

}  // namespace

TEST_CASE("reports under way when a store is put back are sent again, and shown once",
          "[simulation][new_life]") {
    World world(1, four_offices, {});
    world.meet(hyesan, hq, settling);
    world.meet(hyesan, pyongyang, settling);
    std::vector<storage::ReportKey> reports;
    for (int i = 0; i < 6; ++i) {
        reports.push_back(world.queue(hyesan, {hq}, static_cast<RecordClass>(1 + i % 3)).value());
    }
    world.meet(hyesan, pyongyang, settling);  // carried
    const auto copy = copy_of(world, hyesan);
    const auto lost = world.queue(hyesan, {hq}, RecordClass::normal).value();
    world.meet(hyesan, pyongyang, settling);
    put_back(world, hyesan, copy, Marker::stays);
    world.meet(hyesan, hq, settling);
    for (const auto& report : reports) {
        CHECK(state_of(world, report) == State::delivered);
        CHECK(world.has_received(hq, report));
    }
    world.meet(pyongyang, hq, settling);  // the first records come too
    const auto texts = texts_at(world, hq);
    CHECK(texts.size() == 7);
    CHECK(count(texts, world.texts().at(lost)) == 1);
    world.check_everything();
}

TEST_CASE("a record of an older life that was taken back from a peer ends as any other",
          "[simulation][new_life]") {
    World world(7, four_offices, {});
    world.meet(hyesan, hq, settling);
    const auto copy = copy_of(world, hyesan);
    const auto lost = world.queue(hyesan, {hq}, RecordClass::normal).value();
    world.meet(hyesan, pyongyang, settling);
    put_back(world, hyesan, copy, Marker::goes_back_too);
    world.meet(hyesan, pyongyang, settling);
    const auto log = storage::log_of(lost);
    CHECK(world.ledger(hyesan).log(log).held.contains(lost.origin.number));
    world.meet(hyesan, hq, settling);
    CHECK(world.has_received(hq, lost));
    CHECK_FALSE(world.ledger(hyesan).log(log).held.contains(lost.origin.number));
    world.check_everything();
}

TEST_CASE("mail that is locked when a store is caught is sent again once it is open",
          "[simulation][new_life]") {
    World world(2, four_offices, {});
    world.meet(hyesan, hq, settling);
    const auto copy = copy_of(world, hyesan);
    const auto known = world.queue(hyesan, {hq}, RecordClass::normal).value();
    world.meet(hyesan, hq, settling);
    CHECK(state_of(world, known) == State::delivered);
    put_back(world, hyesan, copy, Marker::goes_back_too);
    const auto again = world.queue(hyesan, {hq}, RecordClass::normal).value();
    REQUIRE(again == known);  // another text under that number
    world.lock_mail(hyesan, true);
    world.meet(hyesan, hq, settling);
    CHECK(world.ledger(hyesan).meta().incarnation.ordinal == 2);
    CHECK(state_of(world, again) == State::queued);
    // Nothing of the older life is made public.
    CHECK(texts_at(world, hq).size() == 1);
    world.crash(hyesan);
    world.restart(hyesan);
    world.meet(hyesan, hq, settling);
    CHECK(texts_at(world, hq).size() == 1);
    world.lock_mail(hyesan, false);
    world.meet(hyesan, hq, settling);
    CHECK(texts_at(world, hq).size() == 2);
    CHECK(state_of(world, again) == State::delivered);
}

TEST_CASE("an answer that was under way when a store was put back is sent again",
          "[simulation][new_life]") {
    World world(3, four_offices, {});
    world.meet(hyesan, hq, settling);
    const auto report = world.queue(hq, {hyesan}, RecordClass::normal).value();
    world.meet(hyesan, hq, settling);
    REQUIRE(world.acknowledge(hyesan, report).has_value());
    const auto copy = copy_of(world, hyesan);
    const auto forgotten = world.queue(hyesan, {pyongyang}, RecordClass::normal);
    REQUIRE(forgotten.has_value());
    put_back(world, hyesan, copy, Marker::stays);
    world.meet(hyesan, hq, settling);
    CHECK(world.progress(hq, report)->recipients.front().state == State::acknowledged);
    world.check_everything();
}

TEST_CASE("a store that is put back once more goes on above all of its earlier lives",
          "[simulation][new_life]") {
    World world(10, four_offices, {});
    world.meet(hyesan, hq, settling);
    world.meet(hyesan, pyongyang, settling);
    const auto copy = copy_of(world, hyesan);
    REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal).has_value());
    world.meet(hyesan, pyongyang, settling);  // pyongyang knows the first life alone
    put_back(world, hyesan, copy, Marker::stays);
    REQUIRE(world.ledger(hyesan).meta().incarnation.ordinal == 2);
    REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal).has_value());
    world.meet(hyesan, hq, settling);  // hq knows the second
    put_back(world, hyesan, copy, Marker::goes_back_too);
    // One news comes a second after the other.
    world.connect(hyesan, pyongyang);
    world.run_for(1s);
    REQUIRE(world.ledger(hyesan).meta().stopped);
    world.connect(hyesan, hq);
    world.run_for(20s);
    CHECK_FALSE(world.ledger(hyesan).meta().stopped);
    CHECK(world.ledger(hyesan).meta().incarnation.ordinal == 3);
    const auto last = world.queue(hyesan, {hq}, RecordClass::normal).value();
    world.meet(hyesan, hq, settling);
    CHECK(state_of(world, last) == State::delivered);
}

TEST_CASE("a store that is caught twice in a month stops until a person says that it goes on",
          "[simulation][new_life]") {
    World world(4, four_offices, {});
    world.meet(hyesan, hq, settling);
    for (int i = 0; i < 2; ++i) {
        const auto copy = copy_of(world, hyesan);
        REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal).has_value());
        put_back(world, hyesan, copy, Marker::stays);
    }
    CHECK(world.ledger(hyesan).meta().stopped);
    CHECK(world.was_told(hyesan, What::stopped));
    CHECK_FALSE(world.queue(hyesan, {hq}, RecordClass::normal).has_value());
    world.crash(hyesan);
    world.restart(hyesan);
    CHECK(world.ledger(hyesan).meta().stopped);
    world.go_on_here(hyesan);
    CHECK_FALSE(world.ledger(hyesan).meta().stopped);
    CHECK_FALSE(world.ledger(hyesan).attention().items().contains(
        {What::stopped, world.keys(hyesan).index, {}}));
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal).value();
    CHECK(engine::printed_id(world.ledger(hyesan), report) == "hyesan.3-1");
    world.meet(hyesan, hq, settling);
    CHECK(state_of(world, report) == State::delivered);
    // A month later it is the first time again.
    world.pass(std::chrono::hours{24 * 40});
    const auto copy = copy_of(world, hyesan);
    REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal).has_value());
    put_back(world, hyesan, copy, Marker::stays);
    CHECK_FALSE(world.ledger(hyesan).meta().stopped);
}

TEST_CASE("the authority that was put back signs nothing before it has met two offices",
          "[simulation][new_life]") {
    World world(5, four_offices, {});
    world.meet(hq, hyesan, settling);
    world.meet(hq, pyongyang, settling);
    const auto copy = copy_of(world, hq);
    REQUIRE(world.invite("camp") != nullptr);
    world.meet(hq, hyesan, settling);
    put_back(world, hq, copy, Marker::stays);
    const auto before = world.ledger(hq).roster().version();
    CHECK_FALSE(world.revoke_if_allowed(wonsan));
    world.meet(hq, hyesan, settling);
    CHECK(world.ledger(hq).roster().version() == before + 1);  // what it had forgotten
    CHECK_FALSE(world.revoke_if_allowed(wonsan));
    world.meet(hq, pyongyang, settling);
    CHECK(world.revoke_if_allowed(wonsan));
    world.meet(hq, pyongyang, settling);
    CHECK(world.knows_cut_off(pyongyang, wonsan));
    CHECK_FALSE(world.was_told(pyongyang, What::roster_conflict));
}

TEST_CASE("reports of two copies of a home under one number have IDs that tell them apart",
          "[simulation][new_life]") {
    World world(5, four_offices, {});
    world.meet(hyesan, hq, settling);
    const auto copy = copy_of(world, hyesan);
    REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal).has_value());
    // Each copy is caught by its marker, and goes on before it hears of the other.
    put_back(world, hyesan, copy, Marker::stays);
    const auto first = world.queue(hyesan, {hq}, RecordClass::normal).value();
    world.meet(hyesan, hq, settling);
    put_back(world, hyesan, copy, Marker::stays);
    const auto second = world.queue(hyesan, {hq}, RecordClass::normal).value();
    CHECK(engine::printed_id(world.ledger(hyesan), second) == "hyesan.2-1");
    world.meet(hyesan, hq, settling);
    world.go_on_here(hyesan);
    world.meet(hyesan, hq, settling);

    const auto id_of = [&](const storage::ReportKey& key) {
        return engine::printed_id(world.ledger(hq), key);
    };
    const auto found_by = [&](const std::string& id) {
        return world.read_from(
            hq, [&](const auto&) { return std::optional(engine::find_id(world.ledger(hq), id)); });
    };
    REQUIRE(id_of(first) != id_of(second));
    for (const auto& key : {first, second}) {
        CAPTURE(id_of(key));
        CHECK(id_of(key).starts_with("hyesan.2-1~"));
        CHECK(found_by(id_of(key)).value() == key);
    }
    const auto ambiguous = found_by("hyesan.2-1");
    REQUIRE_FALSE(ambiguous.has_value());
    CHECK(ambiguous.error().detail.find(id_of(second)) != std::string::npos);
    CHECK(found_by("hyesan.2-1~zzzz").value() == std::nullopt);
    const auto all_digits = fmt::format("hyesan.2-1~{:08x}", second.origin.incarnation.random);
    CHECK(found_by(all_digits).value() == second);
    CHECK(found_by("hyesan.2-1~00000000").value() == std::nullopt);
}

TEST_CASE("an authority that was put back, and signed a change twice, is found out when it meets",
          "[simulation][new_life]") {
    World world(5, four_offices, {});
    world.meet(hq, hyesan, settling);
    const auto copy = copy_of(world, hq);
    const auto first = GENERATE(1, 2);  // changes that the copy does not have
    for (int i = 0; i < first; ++i) {
        REQUIRE(world.invite(fmt::format("camp{}", i)) != nullptr);
    }
    world.meet(hq, hyesan, settling);
    put_back(world, hq, copy, Marker::goes_back_too);
    // Nobody has told it anything yet.
    for (int i = GENERATE(1, 2); i > 0; --i) {
        REQUIRE(world.invite(fmt::format("post{}", i)) != nullptr);
    }
    world.meet(hq, hyesan, settling);
    CHECK(world.was_told(hyesan, What::roster_conflict));
    CHECK(world.was_told(hq, What::roster_conflict));
    CHECK(world.was_told(hq, What::rolled_back));
    CHECK_FALSE(world.was_told(hyesan, What::offender));
    CHECK_FALSE(world.was_told(hq, What::offender));
    CHECK_FALSE(world.revoke_if_allowed(wonsan));
    // The roster stays split. It does not put the authority back again later.
    world.pass(std::chrono::hours{24 * 40});
    const auto life = world.ledger(hq).meta().incarnation;
    world.meet(hq, hyesan, settling);
    CHECK(world.ledger(hq).meta().incarnation == life);
    CHECK_FALSE(world.ledger(hq).meta().stopped);
    // An office that has the roster of the copy alone hears of it too.
    world.meet(hyesan, pyongyang, settling);
    world.meet(hq, pyongyang, settling);
    CHECK(world.was_told(pyongyang, What::roster_conflict));
}

TEST_CASE("an authority that hears of a change that it signed itself was put back",
          "[simulation][new_life]") {
    World world(5, four_offices, {});
    world.meet(hq, hyesan, settling);
    const auto copy = copy_of(world, hq);
    REQUIRE(world.invite("camp") != nullptr);
    world.meet(hq, hyesan, settling);
    put_back(world, hq, copy, Marker::goes_back_too);
    world.meet(hq, hyesan, settling);
    CHECK(world.was_told(hq, What::rolled_back));
    CHECK_FALSE(world.revoke_if_allowed(wonsan));  // it has met one other office only
    CHECK_FALSE(world.was_told(hyesan, What::roster_conflict));
}

TEST_CASE("a record whose number a reader knows from the other copy's reissue is not receipted",
          "[simulation][new_life]") {
    World world(6, four_offices, {});
    world.meet(hyesan, hq, settling);
    world.stop(hyesan);
    auto first = world.disk(hyesan);
    const auto second = world.disk(hyesan);
    put_back(world, hyesan, first, Marker::goes_back_too);
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto text = world.texts().at(report);
    world.meet(hyesan, pyongyang, settling);
    REQUIRE(world.queue(hyesan, {wonsan}, RecordClass::urgent).has_value());
    world.connect(hyesan, wonsan, {.only_urgent = true}, {.only_urgent = true});
    world.run_until_idle(1h);
    world.stop(hyesan);
    first = world.disk(hyesan);
    // The second copy uses the number too, is caught, and its report comes to hq first.
    put_back(world, hyesan, second, Marker::goes_back_too);
    REQUIRE(world.queue(hyesan, {hq}, RecordClass::normal).value() == report);
    const auto other_text = world.texts().at(report);
    world.meet(hyesan, wonsan, settling);  // which has the urgent one
    REQUIRE(world.ledger(hyesan).meta().incarnation.ordinal == 2);
    world.meet(hyesan, hq, settling);
    CHECK(count(texts_at(world, hq), other_text) == 1);
    world.meet(pyongyang, hq, settling);
    CHECK(count(texts_at(world, hq), text) == 0);
    CHECK_FALSE(
        world.ledger(hq).log(storage::log_of(report)).receipted.contains(report.origin.number));
    put_back(world, hyesan, first, Marker::goes_back_too);
    CHECK(state_of(world, report) == State::carried);
    world.meet(hyesan, hq, settling);
    world.meet(hyesan, hq, settling);
    CHECK(count(texts_at(world, hq), text) == 1);
    CHECK(count(texts_at(world, hq), other_text) == 1);
    CHECK(state_of(world, report) == State::delivered);
}

TEST_CASE("a receipt for records of two copies that are no neighbours proves neither",
          "[simulation][new_life]") {
    World world(8, four_offices, {});
    meet_frugal_hq(world);
    world.stop(hyesan);
    const auto first = world.disk(hyesan);
    const auto second = world.disk(hyesan);
    put_back(world, hyesan, second, Marker::goes_back_too);
    const auto of_second = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto text_of_second = world.texts().at(of_second);
    meet_frugal_hq(world);
    REQUIRE(state_of(world, of_second) == State::delivered);
    put_back(world, hyesan, first, Marker::goes_back_too);
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal).value();
    REQUIRE(report == of_second);  // another text under that number
    const auto text = world.texts().at(report);
    REQUIRE(world.queue(hyesan, {wonsan}, RecordClass::normal).has_value());
    const auto last = world.queue(hyesan, {hq}, RecordClass::normal).value();
    world.meet(hyesan, pyongyang, settling);  // made public, to one that knows of no copy
    // hq gets the last one alone, and hyesan hears of hq nothing but its receipt.
    world.tell(hq, wonsan, world.record_news(hyesan, last));
    world.run_for(1min);
    REQUIRE(count(texts_at(world, hq), world.texts().at(last)) == 1);
    const auto* receipt = world.ledger(hq).newest({world.keys(hq).index,
                                                   static_cast<std::uint8_t>(RegisterKind::receipt),
                                                   receipt_subject(world.keys(hyesan).index)});
    REQUIRE(receipt != nullptr);
    world.tell(hyesan, pyongyang, RegisterNews{{*receipt}});
    CHECK(state_of(world, report) == State::carried);
    CHECK(state_of(world, last) == State::carried);
    CHECK(world.ledger(hyesan).meta().incarnation.ordinal == 1);
    meet_frugal_hq(world);
    CHECK(world.ledger(hyesan).meta().incarnation.ordinal == 2);
    for (const auto& one : {text, text_of_second, world.texts().at(last)}) {
        CHECK(count(texts_at(world, hq), one) == 1);
    }
    CHECK(state_of(world, report) == State::delivered);
    CHECK(state_of(world, last) == State::delivered);
}

TEST_CASE("a record follows the one before it, also if that one is not kept any more",
          "[simulation][new_life]") {
    World world(9, four_offices, {});
    world.meet(hyesan, hq, settling);
    world.stop(hyesan);
    const auto first = world.disk(hyesan);
    const auto second = world.disk(hyesan);
    put_back(world, hyesan, second, Marker::goes_back_too);
    const auto of_second = world.queue(hyesan, {hq}, RecordClass::normal).value();
    const auto text_of_second = world.texts().at(of_second);
    const auto passed_on = world.queue(hyesan, {wonsan}, RecordClass::normal).value();
    world.meet(hyesan, hq, settling);
    world.meet(hq, wonsan, settling);
    world.meet(hyesan, hq, settling);
    REQUIRE_FALSE(
        world.ledger(hq).log(storage::log_of(passed_on)).held.contains(passed_on.origin.number));
    put_back(world, hyesan, first, Marker::goes_back_too);
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal).value();
    REQUIRE(report == of_second);  // another text under that number
    const auto text = world.texts().at(report);
    REQUIRE(world.queue(hyesan, {wonsan}, RecordClass::normal) == passed_on);
    const auto last = world.queue(hyesan, {hq}, RecordClass::normal).value();
    world.meet(hyesan, pyongyang, settling);  // which does not know of the copy
    world.meet(pyongyang, hq, 1);
    world.meet(hyesan, pyongyang, 1);
    CHECK(state_of(world, report) != State::delivered);
    world.meet(hyesan, hq, settling);
    for (const auto& one : {text, text_of_second, world.texts().at(last)}) {
        CHECK(count(texts_at(world, hq), one) == 1);
    }
    CHECK(state_of(world, report) == State::delivered);
}

TEST_CASE("two copies of an office: nothing of either is lost, and one of them goes on",
          "[simulation][new_life]") {
    for_each_seed(number_from_environment("FIELDPOST_SEEDS", 200), [](std::uint64_t seed) {
        CAPTURE(seed);
        World world(seed, four_offices, {});
        world.meet(hyesan, hq, settling);
        world.meet(hyesan, pyongyang, settling);
        const auto shared = world.queue(hyesan, {hq}, RecordClass::normal).value();
        world.stop(hyesan);
        // The two disks run by turns: to the others that is one office with two memories.
        std::array<storage::MemoryDisk, 2> disks = {world.disk(hyesan), world.disk(hyesan)};
        std::set<std::string> promised = {world.texts().at(shared)};
        std::size_t last = 0;
        for (int turn = 0; turn < 12; ++turn) {
            last = world.dice()() % 2;
            put_back(world, hyesan, disks.at(last), Marker::goes_back_too);
            const std::vector<Node> to = {world.dice()() % 3 == 0 ? wonsan : hq};
            const auto report = world.queue(hyesan, to, RecordClass::normal);
            if (report && to.front() == hq) {
                promised.insert(world.texts().at(*report));
            }
            switch (world.dice()() % 6) {
                case 0:
                    meet_frugal_hq(world);
                    break;
                case 1:
                    world.meet(hyesan, hq, settling);
                    break;
                case 2:
                    world.meet(hyesan, pyongyang, settling);
                    break;
                default:
                    break;
            }
            world.stop(hyesan);
            disks.at(last) = world.disk(hyesan);
        }
        // A person decides for each copy in turn: what only the other has is sent from there first.
        for (const std::size_t one : {1 - last, last}) {
            put_back(world, hyesan, disks.at(one), Marker::goes_back_too);
            world.meet(hyesan, hq, settling);
            // Each time it may learn of one more life of the other copy.
            for (int i = 0; i < 5 && world.ledger(hyesan).meta().stopped; ++i) {
                world.go_on_here(hyesan);
                world.meet(hyesan, hq, settling);
            }
            CHECK_FALSE(world.ledger(hyesan).meta().stopped);
            world.crash(hyesan);
        }
        world.meet(pyongyang, hq, settling);
        const auto texts = texts_at(world, hq);
        for (const auto& text : promised) {
            INFO(text);
            CHECK(count(texts, text) == 1);
        }
    });
}
