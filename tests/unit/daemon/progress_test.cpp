// Goal: whatever is proved of a recipient, in whatever order, what is shown moves forward only,
// with the exceptions that daemon/DESIGN.md lists under I8. Method: every pair of proofs that
// matters by name; then random orders of all of them.
#include "daemon/engine/progress.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

using namespace fieldpost;
using namespace fieldpost::engine;
using storage::FailReason;
using storage::Recipient;
using storage::State;
using Of = Proof::Of;

namespace {

Recipient after(std::initializer_list<Of> proofs) {
    Recipient one;
    std::uint32_t at = 100;
    for (const auto of : proofs) {
        advance(one, {.of = of, .by = OfficeId{7}}, {at++});
    }
    return one;
}

}  // namespace

TEST_CASE("a carrier that lets go takes back carried, and nothing more", "[engine]") {
    CHECK(after({Of::carried}).state == State::carried);
    CHECK(after({Of::carried}).carried_by == OfficeId{7});
    const auto back = after({Of::carried, Of::carried_no_more});
    CHECK(back == Recipient{});
    const auto kept = after({Of::carried, Of::received, Of::carried_no_more});
    CHECK(kept.state == State::delivered);
    CHECK(kept.carried_at == WallTime{100});
}

TEST_CASE("a receipt makes delivered of whatever it was, but for an answer", "[engine]") {
    for (const auto of : {Of::carried, Of::expired, Of::refused, Of::unreadable, Of::revoked}) {
        const auto one = after({of, Of::received});
        CHECK(one.state == State::delivered);
        CHECK(one.reason == FailReason::none);
        CHECK(one.delivered_at == WallTime{101});
    }
    const auto answered = after({Of::answered, Of::received});
    CHECK(answered.state == State::acknowledged);
    CHECK(answered.delivered_at == WallTime{101});
}

TEST_CASE("a clock, a refusal or a cut-off takes nothing from who has receipted", "[engine]") {
    for (const auto of : {Of::expired, Of::refused, Of::refused_no_more, Of::revoked, Of::retired,
                          Of::carried, Of::carried_no_more}) {
        CHECK(after({Of::received, of}).state == State::delivered);
        CHECK(after({Of::answered, of}).state == State::acknowledged);
    }
    CHECK(after({Of::received, Of::unreadable}).reason == FailReason::unreadable);
    CHECK(after({Of::answered, Of::unreadable}).state == State::acknowledged);
}

TEST_CASE("a refusal that ends puts a report back to where it was", "[engine]") {
    CHECK(after({Of::carried, Of::refused}).reason == FailReason::refused);
    CHECK(after({Of::carried, Of::refused, Of::refused_no_more}).state == State::carried);
    CHECK(after({Of::carried, Of::refused, Of::carried_no_more, Of::refused_no_more}) ==
          Recipient{});
    CHECK(after({Of::refused, Of::expired}).state == State::expired);
}

TEST_CASE("of several answers the newest counts, in whatever order they come", "[engine]") {
    const auto answer = [](Number number, ReplyOutcome outcome) {
        return Proof{
            .of = Of::answered, .answer = {{1, 7}, RecordClass::reply, number}, .outcome = outcome};
    };
    Recipient one;
    CHECK(advance(one, answer(2, ReplyOutcome::refused), {50}));
    CHECK_FALSE(advance(one, answer(1, ReplyOutcome::accepted), {60}));
    CHECK(one.outcome == ReplyOutcome::refused);
    CHECK(one.acknowledged_at == WallTime{50});
    CHECK(advance(one, answer(3, ReplyOutcome::accepted), {70}));
    CHECK(one.outcome == ReplyOutcome::accepted);
}

TEST_CASE("no order of proofs makes delivered or acknowledged of less", "[engine]") {
    rc::check("forward only", [] {
        Recipient one;
        for (const auto number : *rc::gen::container<std::vector<std::uint8_t>>(
                 rc::gen::inRange<std::uint8_t>(0, 10))) {
            const auto before = one;
            const auto of = static_cast<Of>(number);
            const bool has_changed =
                advance(one, {.of = of, .answer = {{1, 7}, RecordClass::reply, 1}}, {1});
            RC_ASSERT(has_changed == (one != before));
            if (before.state == State::acknowledged) {
                RC_ASSERT(one.state == State::acknowledged);
            }
            if (before.state == State::delivered) {
                RC_ASSERT(one.state == State::delivered || one.state == State::acknowledged ||
                          of == Of::unreadable);
            }
            RC_ASSERT((one.state == State::failed) == (one.reason != FailReason::none));
        }
    });
}
