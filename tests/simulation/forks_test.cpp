// Goal: an office that signs two records under one number is found out. It closes its own log for
// everybody alike, and costs nobody more than a few proofs.
// Method: records and proofs made by hand, told to some; then honest offices meet.
#include <catch2/catch.hpp>

#include "crypto/register_seal.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/leaves.h"
#include "proto/limits.h"
#include "tests/simulation/world.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using namespace std::chrono_literals;
using engine::What;

namespace {

constexpr Node forger = 2;
const std::vector<std::string> forging_offices = {"hq", "hyesan", "forger", "wonsan"};

struct Signed {
    RecordProof proof;
    RecordNews news;
};

// One of many records under this number.
Signed written(const World& world, Node author, Incarnation incarnation, Number number,
               const std::string& text) {
    Report report;
    report.text = text;
    Header draft;
    draft.log = {world.keys(author).index, incarnation, RecordClass::normal};
    draft.number = number;
    draft.created = founded_at.plus(60);
    draft.lifetime_seconds = limits::lifetime_seconds_default;
    const auto& network = world.network().id();
    const auto& identity = world.keys(author).machine.identity;
    const auto sealed =
        crypto::seal_record(network, identity.public_key(), draft, {world.keys(wonsan).recipient()},
                            {{std::nullopt, encode_report(report)}}, {})
            .value();
    Signed made;
    made.proof.key = key_part_of(sealed.header);
    made.proof.header_rest = crypto::header_rest_hash(network, encode_header(sealed.header));
    made.proof.body = crypto::piece_hash(network, BodyShape{sealed.header.body_bytes}, sealed.body);
    made.proof.signature =
        crypto::sign_record(identity, network, crypto::record_id(network, made.proof));
    ByteWriter out;
    out.raw(elide_header(sealed.header, nullptr));
    out.raw(made.proof.signature.view());
    out.raw(sealed.body);
    made.news.records.push_back(out.take());
    return made;
}

Register fork_of(const World& world, Node author, Incarnation incarnation, Number number) {
    return crypto::make_fork(world.network().id(),
                             written(world, author, incarnation, number, "one").proof,
                             written(world, author, incarnation, number, "another").proof);
}

// Everybody meets everybody but the forger.
void meet(World& world) {
    for (int round = 0; round < 2; ++round) {
        for (const auto& [a, b] :
             std::vector<std::pair<Node, Node>>{{hq, hyesan}, {hq, wonsan}, {hyesan, wonsan}}) {
            world.connect(a, b);
        }
        world.run_until_idle(1h);
    }
    world.check_everything();
}

LeafSummary leaf(World& world, Node node) {
    return engine::summary_of(const_cast<engine::Ledger&>(world.ledger(node)),
                              world.keys(forger).index, engine::Detail::all);
}

}  // namespace

TEST_CASE("two records under one number close their log from there on, everywhere",
          "[simulation]") {
    World world(60, forging_offices, {});
    const Incarnation life{1, 7};
    const LogKey log{world.keys(forger).index, life, RecordClass::normal};
    world.tell(hq, forger, written(world, forger, life, 1, "true").news);
    world.tell(hq, forger, written(world, forger, life, 2, "for the north").news);
    world.tell(hq, forger, written(world, forger, life, 3, "later").news);
    world.tell(hyesan, forger, written(world, forger, life, 2, "for the south").news);
    // An office that holds one record is not offered the other, so both must come to one office.
    world.tell(hyesan, forger, written(world, forger, life, 2, "for the west").news);
    meet(world);
    for (const auto node : {hq, hyesan, wonsan}) {
        CAPTURE(node);
        CHECK(world.was_told(node, What::fork));
        const auto& state = world.ledger(node).log(log);
        CHECK(state.closed_from == 2);
        CHECK(state.known.contains_all({2, UINT32_MAX}));
        CHECK_FALSE(state.held.contains_any({2, UINT32_MAX}));
        CHECK(leaf(world, node) == leaf(world, hq));
    }
    // Records before the fork are as good as ever, and later ones are not taken.
    world.tell(hyesan, forger, written(world, forger, life, 4, "after that").news);
    meet(world);
    const auto shown = world.inbox(wonsan);
    CHECK(std::ranges::any_of(shown, [](const Report& one) { return one.text == "true"; }));
    CHECK(std::ranges::none_of(shown, [](const Report& one) { return one.text == "after that"; }));
}

TEST_CASE("forks in many lives close an office whole, whatever was met first", "[simulation]") {
    World world(61, forging_offices, {});
    const auto report = world.queue(hyesan, {wonsan}, RecordClass::normal);
    std::vector<Register> forks;
    for (std::uint16_t life = 1; life <= 12; ++life) {
        forks.push_back(fork_of(world, forger, {life, 9}, 20U + life));
    }
    // One office meets the lowest fork first, one the highest, one none.
    for (std::size_t i = 0; i < forks.size(); ++i) {
        world.tell(hq, forger, RegisterNews{{forks[i]}});
        world.tell(hyesan, forger, RegisterNews{{forks[forks.size() - 1 - i]}});
    }
    meet(world);
    for (const auto node : {hq, hyesan, wonsan}) {
        CAPTURE(node);
        const auto& ledger = world.ledger(node);
        CHECK(ledger.is_closed(world.keys(forger).index));
        CHECK(ledger.registers_of(world.keys(forger).index).size() == limits::fork_lives_max + 1);
        CHECK(ledger.logs_of(world.keys(forger).index).empty());
        const auto told = leaf(world, node);
        CHECK(told.is_closed);
        CHECK(told.logs.empty());
        CHECK(told.registers.empty());
    }
    // Nothing more of it is taken, and others' mail goes on.
    world.tell(hq, forger, written(world, forger, {20, 1}, 1, "still here").news);
    world.tell(hq, forger, RegisterNews{{fork_of(world, forger, {30, 1}, 5)}});
    meet(world);
    CHECK(world.ledger(hq).logs_of(world.keys(forger).index).empty());
    CHECK(world.ledger(hq).registers_of(world.keys(forger).index).size() ==
          limits::fork_lives_max + 1);
    CHECK(world.has_received(wonsan, *report));
    world.crash(hq);
    world.restart(hq);
    CHECK(world.ledger(hq).is_closed(world.keys(forger).index));
}

TEST_CASE("forks of one log leave one proof, with the lowest start", "[simulation]") {
    World world(62, forging_offices, {});
    for (Number number = 40; number > 20; --number) {
        world.tell(number % 2 == 0 ? hq : hyesan, forger,
                   RegisterNews{{fork_of(world, forger, {1, 7}, number)}});
    }
    meet(world);
    for (const auto node : {hq, hyesan, wonsan}) {
        CAPTURE(node);
        const auto& ledger = world.ledger(node);
        CHECK(ledger.log({world.keys(forger).index, {1, 7}, RecordClass::normal}).closed_from ==
              21);
        CHECK(std::ranges::count_if(
                  ledger.registers_of(world.keys(forger).index),
                  [](const Register* entry) { return fork_start(*entry).has_value(); }) == 1);
        CHECK(leaf(world, node) == leaf(world, hq));
    }
}

TEST_CASE("the proof with the lowest start counts everywhere, whichever has the greater hash",
          "[simulation]") {
    for (std::uint64_t seed = 200; seed < 216; ++seed) {
        CAPTURE(seed);
        World world(seed, forging_offices, {});
        world.tell(hq, forger, RegisterNews{{fork_of(world, forger, {1, 7}, 30)}});
        world.tell(hyesan, forger, RegisterNews{{fork_of(world, forger, {1, 7}, 20)}});
        // No third office that hears of both.
        world.connect(hq, hyesan);
        world.run_until_idle(1h);
        for (const auto node : {hq, hyesan}) {
            const auto& ledger = world.ledger(node);
            CHECK(ledger.log({world.keys(forger).index, {1, 7}, RecordClass::normal}).closed_from ==
                  20);
            CHECK(leaf(world, node) == leaf(world, hq));
        }
    }
}

TEST_CASE(
    "an office that is shown two records of its own under one number signs no more in that life",
    "[simulation]") {
    World world(63, forging_offices, {});
    const auto report = world.queue(hyesan, {hq}, RecordClass::normal);
    const auto& [life, record_class, number] = report->origin;
    world.connect(hyesan, wonsan);  // made public
    world.run_until_idle(1h);
    world.cut(hyesan, wonsan);
    world.tell(hyesan, forger, RegisterNews{{fork_of(world, hyesan, life, number + 9)}});
    // For some seconds it waits for more news of what it has signed, and signs nothing.
    CHECK(world.ledger(hyesan).meta().incarnation.ordinal == 1);
    CHECK_FALSE(world.queue(hyesan, {hq}, RecordClass::normal).has_value());
    world.run_for(6s);
    CHECK(world.ledger(hyesan).meta().incarnation.ordinal == 2);
    CHECK(world.was_told(hyesan, What::rolled_back));
    CHECK_FALSE(world.was_told(hyesan, What::offender));
    meet(world);
    // The report from before the fork arrives.
    CHECK(world.has_received(hq, *report));
    CHECK(world.ledger(hq).log(log_of(*report)).closed_from == number + 9);
}
