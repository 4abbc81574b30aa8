// Goal: a group's key comes out of a slot for the office that the slot is for, and for nobody else;
// and text sealed to the group opens with that key.
#include "crypto/group_key.h"

#include <catch2/catch.hpp>

#include "tests/support/network.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

struct Page {
    Network network = make_network({"hq", "camp", "depot"});
    crypto::BoxKeyPair key = crypto::BoxKeyPair::random();
    EpochSlots slots;

    Page() {
        slots.group = group_of(Role::field);
        slots.epoch = 6;
        std::vector<crypto::SlotKey> keys;
        for (const auto place : {2U, 1U}) {
            keys.push_back({network.offices[place].index, 1, prekey(place).public_key});
        }
        crypto::seal_slots(network.id(), key, std::move(keys), slots);
    }
    const crypto::BoxKeyPair& prekey(std::size_t place) const {
        return network.offices[place].mail.prekeys.at(1);
    }
    Result<crypto::BoxKeyPair> open(std::size_t place, std::size_t prekey_of,
                                    std::uint16_t epoch = 1) const {
        return crypto::open_slot(network.id(), slots, network.offices[place].index, epoch,
                                 prekey(prekey_of));
    }
};

}  // namespace

TEST_CASE("a slot opens for its office and for no other", "[crypto]") {
    const Page page;
    CHECK(decode_epoch_slots(epoch_slots_register(page.slots, founded_at)).value() == page.slots);
    for (const auto place : {1U, 2U}) {
        const auto key = page.open(place, place);
        REQUIRE(key.has_value());
        CHECK(key->public_key == page.key.public_key);
        CHECK(equal(key->secret.view(), page.key.secret.view()));
    }
    CHECK(page.open(1, 2).error().code == Errc::untrusted);
    CHECK(page.open(0, 0).error().code == Errc::unavailable);
    CHECK(page.open(1, 1, 2).error().code == Errc::unavailable);
}

TEST_CASE("a slot that was moved, or holds another secret than was told, is refused", "[crypto]") {
    Page page;
    const auto whole = page.slots;
    SECTION("to another group") {
        page.slots.group = group_of_all;
    }
    SECTION("to another epoch") {
        ++page.slots.epoch;
    }
    SECTION("to another office") {
        std::swap(page.slots.slots[0].wrapped, page.slots.slots[1].wrapped);
    }
    SECTION("beside another public key") {
        page.slots.group_key = crypto::BoxKeyPair::random().public_key;
    }
    CHECK(page.open(1, 1).error().code == Errc::untrusted);
    page.slots = whole;
    CHECK(page.open(1, 1).has_value());
}

TEST_CASE("a page that is written anew shares no pad with the page before", "[crypto]") {
    Page page;
    const auto before = page.slots;
    crypto::seal_slots(page.network.id(), crypto::BoxKeyPair::random(),
                       {{page.network.offices[1].index, 1, page.prekey(1).public_key}}, page.slots);
    CHECK(page.slots.ephemeral != before.ephemeral);
    CHECK(page.slots.slots.size() == 1);
}

TEST_CASE("what is sealed to a group opens with the group's key", "[crypto]") {
    const Page page;
    const auto& author = page.network.offices[0].machine.identity.public_key();
    Header draft;
    draft.log = {page.network.offices[0].index, {1, 7}, RecordClass::normal};
    draft.lifetime_seconds = 3600;
    draft.group_roster_version = 3;
    const OfficeId group = page.slots.group;
    Report report;
    report.text = "to all of you";
    const auto sealed =
        crypto::seal_record(page.network.id(), author, draft,
                            {{group, 6, page.key.public_key}, page.network.offices[2].recipient()},
                            {{std::nullopt, encode_report(report)}}, {})
            .value();
    CHECK(decode_header(encode_header(sealed.header)).value() == sealed.header);
    const auto unwrapped = [&](const crypto::BoxKeyPair& key, std::uint16_t epoch) {
        return crypto::unwrap_file_key(page.network.id(), author, sealed.header, group, epoch, key);
    };
    const auto key = unwrapped(page.open(1, 1).value(), 6);
    REQUIRE(key.has_value());
    CHECK(equal(key->view(), sealed.file_key.view()));
    CHECK(
        crypto::open_body(page.network.id(), author, sealed.header, *key, sealed.body).has_value());
    CHECK(!unwrapped(crypto::BoxKeyPair::random(), 6));
    CHECK(!unwrapped(page.key, 5));
}
