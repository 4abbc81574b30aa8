// Goal: the number that salts fingerprints never comes to an end, whatever number a peer tells.
// Method: the rule for any two numbers; then an office at the highest one, and a peer whose
// fingerprints look like its own.
#include "daemon/engine/session/fingerprint_number.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include "daemon/engine/session/peer_session.h"
#include "tests/unit/engine/lone_office.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using engine::later_fingerprint_number;

TEST_CASE("both ends take the same fingerprint number for the later, also past the highest",
          "[engine]") {
    CHECK(rc::check([](std::uint32_t a, std::uint32_t b, std::uint16_t steps) {
        RC_ASSERT(later_fingerprint_number(a, b) == later_fingerprint_number(b, a));
        RC_ASSERT(later_fingerprint_number(a, a + steps) == a + steps);
    }));
    CHECK(later_fingerprint_number(UINT32_MAX, 0) == 0);
    CHECK(later_fingerprint_number(0, UINT32_MAX) == 0);
    CHECK(later_fingerprint_number(5, 5 + (1U << 31)) == 5 + (1U << 31));
    CHECK(later_fingerprint_number(5 + (1U << 31), 5) == 5 + (1U << 31));
}

namespace {

engine::PeerSession session_with(const Network& network, std::size_t place) {
    return {engine::LinkId{1}, network.offices[place].index, {}, false, engine::Flow{}};
}

Hello hello_in(const engine::Consequences& out) {
    for (const auto& frame : out.send) {
        if (const auto read = decode_frame(frame.bytes)) {
            if (const auto* hello = std::get_if<Hello>(&*read)) {
                return *hello;
            }
        }
    }
    FAIL("there is a HELLO");
    return {};
}

}  // namespace

TEST_CASE("behind the highest fingerprint number comes 0, and it stays", "[engine]") {
    const auto network = make_network({"hq", "hyesan"});
    LoneOffice hq(network, 0);
    LoneOffice hyesan(network, 1);
    const auto of_hyesan = network.offices[1].index;
    constexpr auto highest = UINT32_MAX;
    hq.ledger().edit_peer(of_hyesan).fingerprint_number = highest;
    hyesan.ledger().edit_peer(network.offices[0].index).fingerprint_number = highest;
    engine::Consequences theirs;
    REQUIRE(session_with(network, 0).greet(hyesan.ledger(), LoneOffice::now(), theirs).has_value());
    auto hello = hello_in(theirs);
    REQUIRE(hello.fingerprint_number == highest);
    REQUIRE_FALSE(hello.leaf_fingerprints.empty());
    const auto meet = [&] {
        engine::Consequences out;
        auto session = session_with(network, 1);
        REQUIRE(session.greet(hq.ledger(), LoneOffice::now(), out).has_value());
        REQUIRE(session
                    .receive(
                        hq.ledger(), encode_frame(hello), LoneOffice::now(),
                        [](auto&&...) { return false; }, out)
                    .has_value());
        return hq.ledger().peer(of_hyesan).fingerprint_number;
    };
    // The digests differ, and no fingerprint does.
    hello.digest.bytes.front() ^= std::byte{1};
    CHECK(meet() == 0);
    // The peer says the old number again, now that they have the same.
    hello.digest = hq.ledger().digest();
    CHECK(meet() == 0);
}
