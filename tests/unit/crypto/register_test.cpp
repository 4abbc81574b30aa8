// Goal: registers, custody, forks and enrolments verify exactly as they were signed, and in no
// other form.
#include "crypto/register_seal.h"

#include <catch2/catch.hpp>

#include "crypto/sealed_record.h"
#include "tests/support/network.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

Receipt some_receipt() {
    Receipt receipt;
    ReceiptLog log;
    log.incarnation = {1, 5};
    log.record_class = RecordClass::normal;
    log.tops.bytes[0] = std::byte{9};
    log.received = {{1, 40}};
    log.unreadable = {{41, 41}};
    log.refused = {{1, {{43, 44}}}, {5, {{50, 50}}}};
    receipt.logs = {log};
    return receipt;
}

Register some_register(const Office& office) {
    Register entry;
    entry.key = {office.index, static_cast<std::uint8_t>(RegisterKind::receipt),
                 receipt_subject(OfficeId{1})};
    entry.version = {{1, 5}, 12};
    entry.at = founded_at;
    entry.payload = encode_receipt(some_receipt());
    return entry;
}

RecordProof proof_of(const Network& network, const Office& author, Number number,
                     std::uint8_t count, std::uint8_t salt) {
    RecordProof proof;
    proof.key = {record_version, {author.index, {1, 5}, RecordClass::normal}, number, count};
    proof.body.bytes[0] = std::byte{salt};
    proof.signature = crypto::sign_record(author.machine.identity, network.id(),
                                          crypto::record_id(network.id(), proof));
    return proof;
}

}  // namespace

TEST_CASE("a register round-trips, and no flipped bit or cut of it verifies", "[crypto]") {
    const auto network = make_network({"hq", "hyesan"});
    const auto& office = network.offices[1];
    auto entry = some_register(office);
    crypto::sign_register(office.machine.identity, network.id(), entry);
    const auto bytes = encode_register(entry);
    const auto good = [&](BytesView view) {
        ByteReader in(view);
        const auto read = read_register(in);
        return read && in.at_end() &&
               crypto::verify_register(office.machine.identity.public_key(), network.id(), *read);
    };
    REQUIRE(good(bytes));
    ByteReader in(bytes);
    CHECK(read_register(in).value() == entry);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        auto damaged = bytes;
        damaged[bit / 8] ^= std::byte{1} << (bit % 8);
        CHECK_FALSE(good(damaged));
    }
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CHECK_FALSE(good(BytesView(bytes).first(size)));
    }
}

TEST_CASE("a receipt round-trips, and is refused when its sets overlap or are out of order",
          "[proto]") {
    const auto receipt = some_receipt();
    CHECK(decode_receipt(encode_receipt(receipt)).value() == receipt);
    CHECK(decode_receipt(encode_receipt({})).value() == Receipt{});

    auto overlapping = receipt;
    overlapping.logs[0].unreadable = {{40, 41}};
    CHECK_FALSE(decode_receipt(encode_receipt(overlapping)).has_value());
    auto twice = receipt;
    twice.logs.push_back(twice.logs[0]);
    CHECK_FALSE(decode_receipt(encode_receipt(twice)).has_value());
    auto topless = receipt;
    topless.logs[0].received = {};
    CHECK(decode_receipt(encode_receipt(topless)).has_value());
    topless.logs[0].unreadable = {};
    CHECK_FALSE(decode_receipt(encode_receipt(topless)).has_value());
    auto newer = receipt;
    newer.logs[0].refused = {{200, {{43, 44}}}};
    CHECK(decode_receipt(encode_receipt(newer)).value() == newer);
}

TEST_CASE("custody round-trips and verifies for its signer only", "[crypto]") {
    const auto network = make_network({"hq", "hyesan", "relay"});
    Custody custody;
    custody.signer = network.offices[2].index;
    custody.version = {{1, 8}, 3};
    custody.author = network.offices[1].index;
    custody.at = founded_at;
    custody.logs = {{{1, 5}, RecordClass::normal, {}, {{1, 9}}}};
    crypto::sign_custody(network.offices[2].machine.identity, network.id(), custody);
    const auto bytes = encode_custody(custody);
    ByteReader in(bytes);
    const auto read = read_custody(in).value();
    CHECK(read == custody);
    CHECK(crypto::verify_custody(network.offices[2].machine.identity.public_key(), network.id(),
                                 read));
    CHECK_FALSE(crypto::verify_custody(network.offices[1].machine.identity.public_key(),
                                       network.id(), read));
}

TEST_CASE("an office statement round-trips, ignores what is newer and refuses what is nonsense",
          "[proto]") {
    const auto network = make_network({"hq"});
    const auto& hq = network.offices[0];
    OfficeStatement statement;
    statement.prekeys = {crypto::sign_prekey(hq.mail.signing, network.id(), hq.index, 1,
                                             hq.mail.prekeys.at(1).public_key)};
    statement.endpoints = {"tcp://hq.example.org:6743", "tcp://[2001:db8::1]:6743"};
    statement.software = "fieldpost 0.1.0";
    statement.carries = false;
    statement.logs = {{{1, 5}, RecordClass::normal, 9, {}, {{1, 4}}, {{2, 2}}}};
    statement.roster_version = 3;
    auto bytes = encode_office_statement(statement);
    CHECK(decode_office_statement(bytes).value() == statement);
    CHECK(crypto::verify_prekey(hq.mail.signing.public_key(), network.id(), hq.index,
                                statement.prekeys[0]));
    CHECK_FALSE(crypto::verify_prekey(hq.mail.signing.public_key(), network.id(), OfficeId{9},
                                      statement.prekeys[0]));

    auto newer = bytes;
    newer.insert(newer.end(), {std::byte{0xa0}, std::byte{0x06}, std::byte{1}});
    CHECK(decode_office_statement(newer).value() == statement);

    auto wild = statement;
    wild.endpoints = {"ipc:///etc/passwd"};
    CHECK_FALSE(decode_office_statement(encode_office_statement(wild)).has_value());
    auto undone = statement;
    undone.logs[0].withdrawn = {{7, 7}};
    CHECK_FALSE(decode_office_statement(encode_office_statement(undone)).has_value());
    auto unordered = statement;
    unordered.prekeys.push_back(unordered.prekeys[0]);
    CHECK_FALSE(decode_office_statement(encode_office_statement(unordered)).has_value());
}

TEST_CASE("endpoints are TCP addresses with a port", "[proto]") {
    for (const auto* good :
         {"tcp://10.8.0.1:6743", "tcp://hq.example.org:1", "tcp://[fe80::1%eth0]:65535"}) {
        CHECK(is_endpoint(good));
    }
    for (const auto* bad :
         {"", "tcp://", "tcp://:1", "tcp://host", "tcp://host:0", "tcp://host:65536",
          "tcp://host:1x", "ipc://x:1", "tcp://ho st:1", "tcp://h;rm:1"}) {
        CAPTURE(bad);
        CHECK_FALSE(is_endpoint(bad));
    }
}

TEST_CASE("a fork is two records over one number, in one form whoever found it", "[crypto]") {
    const auto network = make_network({"hq", "liar"});
    const auto& liar = network.offices[1];
    const auto& key = liar.machine.identity.public_key();
    const auto a = proof_of(network, liar, 5, 3, 1);
    const auto b = proof_of(network, liar, 7, 1, 2);
    const auto fork = crypto::make_fork(network.id(), a, b);
    CHECK(fork == crypto::make_fork(network.id(), b, a));
    CHECK(crypto::verify_fork(key, network.id(), fork).has_value());
    CHECK_FALSE(
        crypto::verify_fork(network.offices[0].machine.identity.public_key(), network.id(), fork)
            .has_value());

    const auto apart = crypto::make_fork(network.id(), a, proof_of(network, liar, 8, 1, 2));
    CHECK_FALSE(crypto::verify_fork(key, network.id(), apart).has_value());
    CHECK_FALSE(
        crypto::verify_fork(key, network.id(), crypto::make_fork(network.id(), a, a)).has_value());
    auto stamped = fork;
    stamped.at = founded_at;
    CHECK_FALSE(crypto::verify_fork(key, network.id(), stamped).has_value());
}

TEST_CASE("an enrolment needs both the invitation's key and the new office's", "[crypto]") {
    const auto network = make_network({"hq"});
    const auto one_time = crypto::SigningKey::random();
    const auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
    const auto mail = crypto::MailKeys::random();
    const auto entry = crypto::make_enrolment(one_time, machine, mail.signing.public_key(),
                                              network.id(), OfficeId{7}, {{1, 2}, 1}, founded_at);
    const auto enrolment =
        crypto::verify_enrolment(one_time.public_key(), network.id(), entry).value();
    CHECK(enrolment.identity == machine.identity.public_key());
    CHECK_FALSE(
        crypto::verify_enrolment(crypto::SigningKey::random().public_key(), network.id(), entry)
            .has_value());
    auto other_index = entry;
    other_index.key.signer = OfficeId{8};
    CHECK_FALSE(
        crypto::verify_enrolment(one_time.public_key(), network.id(), other_index).has_value());
    auto stolen = entry;  // somebody else's keys under the same one-time signature
    auto payload = enrolment;
    payload.link = crypto::BoxKeyPair::random().public_key;
    stolen.payload = encode_enrolment(payload);
    crypto::sign_register(machine.identity, network.id(), stolen);
    CHECK_FALSE(crypto::verify_enrolment(one_time.public_key(), network.id(), stolen).has_value());
}
