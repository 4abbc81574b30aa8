// Goal: the recipients of a record follow from its header and the roster alone, so all offices
// agree on them.
// Method: a roster with all roles, one admission a version, and headers by hand.
#include "daemon/engine/record/addressees.h"

#include <catch2/catch.hpp>

#include "tests/support/network.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using engine::is_addressed_to;

namespace {

const OfficeId hq_office{0};
const OfficeId camp{1};
const OfficeId depot{2};
const OfficeId clinic{3};

// Admitted by versions 1 to 4.
Network four_offices() {
    return make_network({"hq", "camp", "depot", "clinic"});
}

Header to(const std::vector<OfficeId>& recipients, std::optional<std::uint32_t> version,
          OfficeId author = hq_office) {
    Header header;
    header.log.author = author;
    for (const auto recipient : recipients) {
        header.stanzas.push_back({recipient, 1, {}});
    }
    header.group_roster_version = version;
    return header;
}

std::vector<OfficeId> all_of(const crypto::Roster& roster, const Header& header) {
    std::vector<OfficeId> all;
    engine::all_of_addressees(roster, header, [&](OfficeId office) {
        all.push_back(office);
        return true;
    });
    for (const auto& [index, office] : roster.offices()) {
        CHECK(is_addressed_to(roster, header, index) ==
              (std::ranges::find(all, index) != all.end()));
    }
    return all;
}

using Offices = std::vector<OfficeId>;
constexpr OfficeId field = group_of(Role::field);

}  // namespace

TEST_CASE("a group's members are those of the roster version that a record names", "[addressees]") {
    const auto network = four_offices();
    const auto& roster = network.roster;
    CHECK(all_of(roster, to({field}, 4)) == Offices{camp, depot, clinic});
    CHECK(all_of(roster, to({field}, 3)) == Offices{camp, depot});
    CHECK(all_of(roster, to({field}, 1)).empty());
    CHECK(all_of(roster, to({field}, 0)).empty());
    CHECK(all_of(roster, to({group_of(Role::relay)}, 4)).empty());
    CHECK(all_of(roster, to({group_of(Role::hq)}, 4, camp)) == Offices{hq_office});
    CHECK(all_of(roster, to({group_of_all}, 4, depot)) == Offices{hq_office, camp, clinic});
    // Each once, whether it is named too or not.
    CHECK(all_of(roster, to({depot, clinic, field}, 3)) == Offices{depot, clinic, camp});
    CHECK(all_of(roster, to({depot}, std::nullopt)) == Offices{depot});
}

TEST_CASE("an office that has left is no member of a group any more", "[addressees]") {
    auto network = four_offices();
    network.change({Revoke{.index = depot, .cut_off = {}, .reason = "lost"}}, founded_at);
    network.change({Retire{.index = clinic, .successor = no_office, .closed = std::nullopt}},
                   founded_at);
    // A retiring office still gets its mail.
    CHECK(all_of(network.roster, to({field}, 4)) == Offices{camp, clinic});
    CHECK(is_addressed_to(network.roster, to({depot}, std::nullopt), depot));
}

TEST_CASE("an open invitation is no member", "[addressees]") {
    auto network = four_offices();
    network.change({Invitation{.index = OfficeId{4},
                               .one_time_signing = crypto::SigningKey::random().public_key(),
                               .one_time_box = crypto::BoxKeyPair::random().public_key,
                               .expires = founded_at.plus(86400),
                               .name = "post"}},
                   founded_at);
    CHECK(all_of(network.roster, to({field}, 5)) == Offices{camp, depot, clinic});
}

TEST_CASE("who cannot tell all recipients knows it", "[addressees]") {
    const auto network = four_offices();
    const auto& roster = network.roster;
    CHECK_FALSE(engine::has_unknown_addressees(roster, to({field}, 4)));
    CHECK_FALSE(engine::has_unknown_addressees(roster, to({camp}, std::nullopt)));
    CHECK(engine::has_unknown_addressees(roster, to({field}, 5)));
    CHECK(engine::has_unknown_addressees(roster, to({OfficeId{0xff04}}, 4)));
    // A later roster still is for those that are members here.
    CHECK(all_of(roster, to({field}, 4711)) == Offices{camp, depot, clinic});
}

TEST_CASE("the first that does not fit ends the search", "[addressees]") {
    const auto network = four_offices();
    int asked = 0;
    CHECK_FALSE(engine::all_of_addressees(network.roster, to({field}, 4), [&](OfficeId) {
        ++asked;
        return false;
    }));
    CHECK(asked == 1);
}

TEST_CASE("groups have the names that people type", "[addressees]") {
    CHECK(engine::group_named("@field") == field);
    CHECK(engine::name_of_group(group_of_all) == "@all");
    CHECK(engine::name_of_group(group_of(Role::hq)) == "@hq");
    CHECK_FALSE(engine::group_named("@nobody"));
    CHECK_FALSE(engine::name_of_group(OfficeId{0xff04}));
}
