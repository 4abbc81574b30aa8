// Goal: key files and invitations open with the secret that they were made for, and say why when
// they do not.
#include <catch2/catch.hpp>

#include "crypto/invite.h"
#include "crypto/key_file.h"
#include "tests/support/network.h"

using namespace fieldpost;
using namespace fieldpost::tests;

TEST_CASE("key files give back the keys", "[crypto]") {
    const auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
    auto mail = crypto::MailKeys::random();
    mail.prekeys.emplace(std::uint16_t{3}, crypto::BoxKeyPair::random());
    mail.authority = crypto::SigningKey::random();

    const auto machine_file = crypto::encode_machine_keys(machine);
    const auto mail_file = crypto::encode_mail_keys(mail);
    const auto machine_again = crypto::decode_machine_keys(machine_file).value();
    const auto mail_again = crypto::decode_mail_keys(mail_file).value();
    CHECK(machine_again.identity.public_key() == machine.identity.public_key());
    CHECK(machine_again.link.public_key == machine.link.public_key);
    CHECK(equal(machine_again.store_key.view(), machine.store_key.view()));
    CHECK(equal(machine_again.founding_key.view(), machine.founding_key.view()));
    CHECK(mail_again.signing.public_key() == mail.signing.public_key());
    CHECK(mail_again.archive.public_key == mail.archive.public_key);
    CHECK(mail_again.prekeys.at(3).public_key == mail.prekeys.at(3).public_key);
    CHECK(mail_again.authority->public_key() == mail.authority->public_key());

    // One class is not the other, and damage is seen.
    CHECK_FALSE(crypto::decode_mail_keys(machine_file).has_value());
    for (std::size_t size = 0; size < machine_file.size(); ++size) {
        CHECK_FALSE(crypto::decode_machine_keys(BytesView(machine_file).first(size)).has_value());
    }
    for (std::size_t i = 0; i < machine_file.size(); ++i) {
        auto damaged = machine_file;
        damaged[i] ^= std::byte{0x10};
        CHECK_FALSE(crypto::decode_machine_keys(damaged).has_value());
    }
    auto newer = machine_file;
    newer[8] = std::byte{2};
    CHECK(crypto::decode_machine_keys(newer).error().code == Errc::unsupported);
}

TEST_CASE("an invitation opens with its code only", "[crypto]") {
    const auto network = make_network({"hq", "hyesan"});
    crypto::Invite invite;
    invite.seed = crypto::InviteSeed::random();
    invite.founding_key = network.founding_key();
    invite.index = OfficeId{2};
    invite.founding = network.roster.founding();
    invite.roster = network.changes;
    const crypto::CodeCost cheap{2, 64 * 1024};
    const auto code = crypto::random_invite_code();
    REQUIRE(code.size() == 11);
    const auto file = crypto::seal_invite(invite, code, cheap).value();
    CHECK(crypto::invite_needs_code(file));

    std::string spoken;
    for (const char c : code) {
        spoken += c == '-' ? ' ' : static_cast<char>(std::tolower(c));
    }
    const auto opened = crypto::open_invite(file, spoken).value();
    CHECK(opened.index == invite.index);
    CHECK(opened.founding == invite.founding);
    CHECK(opened.roster == invite.roster);
    CHECK(crypto::one_time_signing_key(opened.seed).public_key() ==
          crypto::one_time_signing_key(invite.seed).public_key());

    CHECK(crypto::open_invite(file, "00000-00000").error().code == Errc::untrusted);
    CHECK(crypto::open_invite(file, "").error().code == Errc::untrusted);
    CHECK(crypto::open_invite(BytesView(file).first(20), code).error().code == Errc::malformed);
    CHECK_FALSE(crypto::open_invite(BytesView(file).first(file.size() - 1), code).has_value());
    CHECK(crypto::open_invite(bytes_of("not an invitation at all"), code).error().code ==
          Errc::malformed);
    auto costly = file;  // a file may not make us take a terabyte
    std::ranges::fill(std::span(costly).subspan(14, 4), std::byte{0xff});
    CHECK(crypto::open_invite(costly, code).error().code == Errc::malformed);
}

TEST_CASE("the first mark is the machine's clock, or the invitation's time if that is lost",
          "[crypto]") {
    const auto invited = WallTime::from_unix(1'795'000'000);
    constexpr std::int64_t day = 86400;
    CHECK(crypto::first_mark(WallTime{}, invited) == invited);
    CHECK(crypto::first_mark(invited.plus(2 * day), invited) == invited.plus(2 * day));
    CHECK(crypto::first_mark(invited.plus(-300 * day), invited) == invited);
    // An authority whose clock was wrong.
    CHECK(crypto::first_mark(invited, WallTime{UINT32_MAX}) == invited.plus(1000 * day));
}

TEST_CASE("an invitation without a code opens without one", "[crypto]") {
    const auto network = make_network({"hq"});
    crypto::Invite invite;
    invite.founding_key = network.founding_key();
    invite.founding = network.roster.founding();
    const auto file = crypto::seal_invite(invite, "").value();
    CHECK_FALSE(crypto::invite_needs_code(file));
    CHECK(crypto::open_invite(file, "").value().founding == invite.founding);
    // A person who was told a code must not be given a file that needs none.
    CHECK(crypto::open_invite(file, "7KQ2M-R4XWD").error().code == Errc::untrusted);
    // The founding key is the one that the founding statement names.
    invite.founding_key = crypto::FoundingKey::random();
    CHECK(crypto::open_invite(crypto::seal_invite(invite, "").value(), "").error().code ==
          Errc::untrusted);
}
