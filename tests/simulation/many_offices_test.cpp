// Goal: with more offices than fingerprints, and more receipts than a summary lists, two offices
// that meet still come to hold the same records and registers.
// Method: a world of 70 offices, of which some write and some pass on; their stores are compared.
#include <fmt/format.h>

#include "tests/simulation/world.h"

namespace fieldpost::tests {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t offices = 70;
constexpr Node authors = 25;

std::vector<std::string> names() {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < offices; ++i) {
        all.push_back(fmt::format("office{}", i));
    }
    return all;
}

void meet(World& world, Node a, Node b) {
    world.connect(a, b);
    world.run_for(1min);
    world.cut(a, b);
}

bool have_same_registers(World& world, Node a, Node b) {
    return world.ledger(a).registers() == world.ledger(b).registers();
}

// The oldest first.
std::vector<Register> receipts_of_hq(const World& world) {
    std::vector<Register> receipts;
    for (const auto& [name, entry] : world.ledger(hq).registers()) {
        if (name.key.signer == OfficeId{hq} &&
            name.key.kind == static_cast<std::uint8_t>(RegisterKind::receipt)) {
            receipts.push_back(entry);
        }
    }
    std::ranges::sort(receipts, {}, &Register::version);
    return receipts;
}

}  // namespace

TEST_CASE("seventy offices and their receipts come to all", "[simulation]") {
    World world(1, names(), {.arrives_together = GENERATE(false, true)});
    for (Node author = 1; author <= authors; ++author) {
        REQUIRE(world.queue(author, {hq}, RecordClass::normal).has_value());
        meet(world, author, hq);
    }
    const Node relay = authors + 1;
    const Node late = authors + 2;
    meet(world, hq, relay);
    CHECK(have_same_registers(world, hq, relay));
    // More has changed than is listed: one after the other, and all at once.
    meet(world, relay, late);
    CHECK(have_same_registers(world, relay, late));
    for (Node author = 1; author <= authors; ++author) {
        meet(world, author, relay);
        CHECK(have_same_registers(world, author, relay));
    }
    for (const auto& [report, to] : world.promised()) {
        CHECK(world.times_happened(hq, engine::What::received, report) == 1);
    }
    world.check_everything();
}

TEST_CASE("of many receipts each has some that the other lacks", "[simulation]") {
    World world(2, names(), {.arrives_together = GENERATE(false, true)});
    for (Node author = 1; author <= 2 * authors; ++author) {
        REQUIRE(world.queue(author, {hq}, RecordClass::normal).has_value());
        meet(world, author, hq);
    }
    const auto receipts = receipts_of_hq(world);
    REQUIRE(receipts.size() == 2 * authors);
    // As after links that were cut in the middle: one has the older half, the other the newer half.
    // The receipts that a summary lists of either half do not show what the other lacks.
    const bool has_left_newer = GENERATE(true, false);
    const Node left = 2 * authors + 1;
    const Node right = 2 * authors + 2;
    const auto half = receipts.begin() + authors;
    world.tell(has_left_newer ? right : left, hq, RegisterNews{{receipts.begin(), half}});
    world.tell(has_left_newer ? left : right, hq, RegisterNews{{half, receipts.end()}});
    CHECK_FALSE(have_same_registers(world, left, right));
    meet(world, left, right);
    CHECK(have_same_registers(world, left, right));
    world.check_everything();
}

TEST_CASE("an old register that was cut off comes even if the other end has settled",
          "[simulation]") {
    World world(3, names(), {.arrives_together = GENERATE(false, true)});
    for (Node author = 1; author <= authors; ++author) {
        REQUIRE(world.queue(author, {hq}, RecordClass::normal).has_value());
        meet(world, author, hq);
    }
    // Everything of hq but its oldest receipt, as after a link that was cut.
    const Node whole = authors + 1;
    const Node lacking = authors + 2;
    meet(world, hq, whole);
    const auto receipts = receipts_of_hq(world);
    world.tell(lacking, hq, RegisterNews{{receipts.begin() + 1, receipts.end()}});
    // It has a report to bring, so that the other settles first.
    REQUIRE(world.queue(lacking, {hq}, RecordClass::normal, 50'000).has_value());
    meet(world, whole, lacking);
    CHECK(have_same_registers(world, whole, lacking));
    world.check_everything();
}

}  // namespace fieldpost::tests
