// Goal: after any proofs about a recipient, in any order, the shown state has moved forward only,
// with the exceptions that daemon/DESIGN.md lists under I8.
// Method: every pair of proofs that matters by name; then random orders of all of them.
#include "daemon/engine/record/progress.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

using namespace fieldpost;
using namespace fieldpost::engine;

namespace {

storage::Recipient after(std::initializer_list<Proof::Of> proofs) {
    storage::Recipient one;
    std::uint32_t at = 100;
    for (const auto of : proofs) {
        advance(one, {.of = of, .by = OfficeId{7}}, {at++});
    }
    return one;
}

}  // namespace

TEST_CASE("a carrier that lets go takes back carried, and nothing more", "[engine]") {
    CHECK(after({Proof::Of::carried}).state == storage::State::carried);
    CHECK(after({Proof::Of::carried}).carried_by == OfficeId{7});
    const auto back = after({Proof::Of::carried, Proof::Of::carried_no_more});
    CHECK(back == storage::Recipient{});
    const auto kept = after({Proof::Of::carried, Proof::Of::received, Proof::Of::carried_no_more});
    CHECK(kept.state == storage::State::delivered);
    CHECK(kept.carried_at == WallTime{100});
}

TEST_CASE("a receipt makes delivered of whatever it was, but for an answer", "[engine]") {
    for (const auto of :
         {Proof::Of::carried, Proof::Of::expired, Proof::Of::refused, Proof::Of::revoked}) {
        const auto one = after({of, Proof::Of::received});
        CHECK(one.state == storage::State::delivered);
        CHECK(one.reason == storage::FailReason::none);
        CHECK(one.delivered_at == WallTime{101});
    }
    const auto answered = after({Proof::Of::answered, Proof::Of::received});
    CHECK(answered.state == storage::State::acknowledged);
    CHECK(answered.delivered_at == WallTime{101});
}

TEST_CASE("a recipient that could not open a record cannot take that back", "[engine]") {
    const auto one = after({Proof::Of::received, Proof::Of::unreadable, Proof::Of::received});
    CHECK(one.state == storage::State::failed);
    CHECK(one.reason == storage::FailReason::unreadable);
    CHECK(after({Proof::Of::unreadable, Proof::Of::answered}).state ==
          storage::State::acknowledged);
}

TEST_CASE("a clock, a refusal or a cut-off takes nothing from who has receipted", "[engine]") {
    for (const auto of :
         {Proof::Of::expired, Proof::Of::refused, Proof::Of::refused_no_more, Proof::Of::revoked,
          Proof::Of::retired, Proof::Of::carried, Proof::Of::carried_no_more}) {
        CHECK(after({Proof::Of::received, of}).state == storage::State::delivered);
        CHECK(after({Proof::Of::answered, of}).state == storage::State::acknowledged);
    }
    CHECK(after({Proof::Of::received, Proof::Of::unreadable}).reason ==
          storage::FailReason::unreadable);
    CHECK(after({Proof::Of::answered, Proof::Of::unreadable}).state ==
          storage::State::acknowledged);
}

TEST_CASE("a refusal that ends puts a report back to where it was", "[engine]") {
    CHECK(after({Proof::Of::carried, Proof::Of::refused}).reason == storage::FailReason::refused);
    CHECK(after({Proof::Of::carried, Proof::Of::refused, Proof::Of::refused_no_more}).state ==
          storage::State::carried);
    CHECK(after({Proof::Of::carried, Proof::Of::refused, Proof::Of::carried_no_more,
                 Proof::Of::refused_no_more}) == storage::Recipient{});
    CHECK(after({Proof::Of::refused, Proof::Of::expired}).state == storage::State::expired);
}

TEST_CASE("of several answers the newest counts, in whatever order they come", "[engine]") {
    const auto answer = [](Number number, ReplyOutcome outcome) {
        return Proof{.of = Proof::Of::answered,
                     .answer = {{1, 7}, RecordClass::reply, number},
                     .outcome = outcome};
    };
    storage::Recipient one;
    CHECK(advance(one, answer(2, ReplyOutcome::refused), {50}));
    CHECK_FALSE(advance(one, answer(1, ReplyOutcome::accepted), {60}));
    CHECK(one.outcome == ReplyOutcome::refused);
    CHECK(one.acknowledged_at == WallTime{50});
    CHECK(advance(one, answer(3, ReplyOutcome::accepted), {70}));
    CHECK(one.outcome == ReplyOutcome::accepted);
}

TEST_CASE("no order of proofs makes delivered or acknowledged of less", "[engine]") {
    rc::check("forward only", [] {
        storage::Recipient one;
        for (const auto number : *rc::gen::container<std::vector<std::uint8_t>>(
                 rc::gen::inRange<std::uint8_t>(0, 10))) {
            const auto before = one;
            const auto of = static_cast<Proof::Of>(number);
            const bool has_changed =
                advance(one, {.of = of, .answer = {{1, 7}, RecordClass::reply, 1}}, {1});
            RC_ASSERT(has_changed == (one != before));
            if (before.state == storage::State::acknowledged) {
                RC_ASSERT(one.state == storage::State::acknowledged);
            }
            if (before.state == storage::State::delivered) {
                RC_ASSERT(one.state == storage::State::delivered ||
                          one.state == storage::State::acknowledged || of == Proof::Of::unreadable);
            }
            if (before.reason == storage::FailReason::unreadable) {
                RC_ASSERT(one.reason == before.reason || one.state == storage::State::acknowledged);
            }
            RC_ASSERT((one.state == storage::State::failed) ==
                      (one.reason != storage::FailReason::none));
        }
    });
}
