// Goal: epoch slots are read as they were signed, and slots against their rules are refused.
#include "proto/epoch_slots.h"

#include <catch2/catch.hpp>

#include "tests/support/network.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

EpochSlots two_slots() {
    EpochSlots slots;
    slots.group = OfficeId{0xff01};
    slots.page = 2;
    slots.epoch = 7;
    slots.revision = 3;
    slots.group_key.bytes.fill(std::byte{9});
    slots.roster_version = 4;
    slots.slots = {{OfficeId{1}, 1, {}}, {OfficeId{3}, 2, {}}};
    return slots;
}

Result<EpochSlots> decoded(const Register& entry) {
    const auto bytes = encode_register(entry);
    ByteReader in(bytes);
    return decode_epoch_slots(TRY(read_register(in)));
}

}  // namespace

TEST_CASE("epoch slots travel as a register and verify", "[proto]") {
    auto network = make_network({"hq", "camp"});
    auto entry = epoch_slots_register(two_slots(), founded_at);
    crypto::sign_epoch_slots(network.authority, network.roster.founding(), network.id(), entry);

    const auto bytes = encode_register(entry);
    ByteReader in(bytes);
    const auto read = read_register(in);
    REQUIRE(read.has_value());
    CHECK(in.at_end());
    CHECK(*read == entry);
    CHECK(decode_epoch_slots(*read).value() == two_slots());
    CHECK(crypto::verify_epoch_slots(network.roster.founding(), network.id(), *read));

    auto forged = *read;
    forged.payload.back() ^= std::byte{1};
    CHECK(!crypto::verify_epoch_slots(network.roster.founding(), network.id(), forged));
    forged = *read;
    forged.authority_signatures.clear();
    CHECK(!crypto::verify_epoch_slots(network.roster.founding(), network.id(), forged));
}

TEST_CASE("epoch slots against their rules are refused", "[proto]") {
    const auto good = [] {
        auto entry = epoch_slots_register(two_slots(), founded_at);
        entry.authority_signatures = {{0, {}}};
        return entry;
    };
    REQUIRE(decoded(good()).has_value());

    SECTION("slots out of order") {
        auto slots = two_slots();
        std::swap(slots.slots[0], slots.slots[1]);
        CHECK(!decode_epoch_slots(epoch_slots_register(slots, founded_at)));
    }
    SECTION("a slot of a group") {
        auto slots = two_slots();
        slots.slots[1].office = OfficeId{0xff00};
        CHECK(!decode_epoch_slots(epoch_slots_register(slots, founded_at)));
    }
    SECTION("of no group") {
        auto slots = two_slots();
        slots.group = OfficeId{2};
        CHECK(!decode_epoch_slots(epoch_slots_register(slots, founded_at)));
    }
    SECTION("no slot") {
        auto slots = two_slots();
        slots.slots.clear();
        CHECK(!decode_epoch_slots(epoch_slots_register(slots, founded_at)));
    }
    SECTION("more slots counted than there are") {
        auto entry = good();
        entry.payload[2 + 4 + 32 + 32] = std::byte{3};
        CHECK(!decode_epoch_slots(entry));
    }
    SECTION("a group without its key") {
        auto slots = two_slots();
        slots.group_key = {};
        CHECK(!decode_epoch_slots(epoch_slots_register(slots, founded_at)));
    }
    SECTION("the transport under a prekey") {
        auto slots = two_slots();
        slots.group = transport_group;
        CHECK(!decode_epoch_slots(epoch_slots_register(slots, founded_at)));
        slots.slots = {{OfficeId{1}, 0, {}}, {OfficeId{3}, 0, {}}};
        CHECK(decode_epoch_slots(epoch_slots_register(slots, founded_at)).has_value());
    }
    SECTION("an epoch that no chain has") {
        for (const auto epoch : {std::uint16_t{0}, std::uint16_t{8193}}) {
            auto slots = two_slots();
            slots.epoch = epoch;
            CHECK(!decode_epoch_slots(epoch_slots_register(slots, founded_at)));
        }
    }
    SECTION("a counter of another epoch") {
        auto entry = good();
        entry.version.counter += std::uint64_t{1} << 32;
        CHECK(!decoded(entry));
    }
    SECTION("by an office") {
        auto entry = good();
        entry.key.signer = OfficeId{0};
        CHECK(!decoded(entry));
    }
    SECTION("of an incarnation") {
        auto entry = good();
        entry.version.incarnation = {1, 2};
        CHECK(!decoded(entry));
    }
}
