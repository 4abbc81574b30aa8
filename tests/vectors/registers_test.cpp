// Goal: registers that an office once signed are read alike for ever.
// Method: registers.json holds registers of every kind and a custody statement, and their meaning.
#include <catch2/catch.hpp>

#include "crypto/epoch_chain.h"
#include "crypto/group_key.h"
#include "crypto/register_seal.h"
#include "proto/epoch_slots.h"
#include "proto/office_statement.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

json meaning(const OfficeStatement& statement) {
    json means = {{"codecs", hex(statement.codecs)},
                  {"endpoints", statement.endpoints},
                  {"software", statement.software},
                  {"carries", statement.carries},
                  {"transport_epoch", statement.transport_epoch},
                  {"roster_version", statement.roster_version},
                  {"prekeys", json::array()},
                  {"logs", json::array()}};
    for (const auto& prekey : statement.prekeys) {
        means["prekeys"].push_back({{"epoch", prekey.epoch}, {"key", hex(prekey.key)}});
    }
    for (const auto& log : statement.logs) {
        means["logs"].push_back({{"incarnation", tests::meaning(log.incarnation)},
                                 {"class", static_cast<int>(log.record_class)},
                                 {"tip", log.tip},
                                 {"tip_id", hex(log.tip_id)},
                                 {"done", tests::meaning(log.done)},
                                 {"withdrawn", tests::meaning(log.withdrawn)}});
    }
    return means;
}

json meaning(const EpochSlots& slots) {
    json means = {{"group", value_of(slots.group)},
                  {"page", slots.page},
                  {"epoch", slots.epoch},
                  {"revision", slots.revision},
                  {"roster_version", slots.roster_version},
                  {"group_key", hex(slots.group_key)},
                  {"ephemeral", hex(slots.ephemeral)}};
    for (const auto& slot : slots.slots) {
        means["slots"].push_back({{"office", value_of(slot.office)},
                                  {"prekey_epoch", slot.prekey_epoch},
                                  {"wrapped", hex(slot.wrapped)}});
    }
    return means;
}

// Null for a kind that this release does not know.
json meaning(const Register& entry) {
    switch (static_cast<RegisterKind>(entry.key.kind)) {
        case RegisterKind::receipt:
            return tests::meaning(decode_receipt(entry.payload).value());
        case RegisterKind::office:
            return meaning(decode_office_statement(entry.payload).value());
        case RegisterKind::epoch_slots:
            return meaning(decode_epoch_slots(entry).value());
        case RegisterKind::enrolment: {
            const auto enrolment = decode_enrolment(entry.payload).value();
            return {{"identity", hex(enrolment.identity)},
                    {"link", hex(enrolment.link)},
                    {"mail", hex(enrolment.mail)}};
        }
        case RegisterKind::fork: {
            ByteReader in(entry.payload);
            json proofs = json::array();
            while (!in.at_end()) {
                const auto proof = read_record_proof(in).value();
                proofs.push_back({{"number", proof.key.number}, {"count", proof.key.count}});
            }
            return proofs;
        }
    }
    return nullptr;
}

struct RegisterWriter {
    const Network& network;
    json list = json::array();

    void add(const char* name, const Register& entry) {
        list.push_back({{"name", name},
                        {"bytes", hex(encode_register(entry))},
                        {"signer", value_of(entry.key.signer)},
                        {"kind", entry.key.kind},
                        {"subject", hex(entry.key.subject)},
                        {"incarnation", tests::meaning(entry.version.incarnation)},
                        {"counter", entry.version.counter},
                        {"at", entry.at.seconds},
                        {"payload", hex(entry.payload)},
                        {"means", meaning(entry)},
                        {"hash", hex(crypto::register_hash(network.id(), entry))}});
    }
    void sign_and_add(const char* name, const Office& office, RegisterKey key, Bytes payload) {
        Register entry;
        entry.key = std::move(key);
        entry.version = {{1, 0xc0ffee}, 12};
        entry.at = founded_at.plus(7200);
        entry.payload = std::move(payload);
        crypto::sign_register(office.machine.identity, network.id(), entry);
        add(name, entry);
    }
};

constexpr std::uint8_t kind_of(RegisterKind kind) {
    return static_cast<std::uint8_t>(kind);
}

ShortHash some_tops() {
    return short_hash(crypto::hash("test", {}, {}));
}

// The hashes of no, one and three records.
json some_hashes_of_tops(const NetworkId& network) {
    std::vector<ShortHash> ids;
    json all = json::array();
    for (const auto count : {0U, 1U, 3U}) {
        while (ids.size() < count) {
            const Bytes number = {static_cast<std::byte>(ids.size())};
            ids.push_back(short_hash(crypto::hash("test", network, {number})));
        }
        all.push_back({{"ids", json::array()}, {"tops", hex(crypto::hash_of_tops(network, ids))}});
        for (const auto& id : ids) {
            all.back()["ids"].push_back(hex(id));
        }
    }
    return all;
}

Receipt some_receipt() {
    ReceiptLog log;
    log.incarnation = {1, 5};
    log.record_class = RecordClass::normal;
    log.tops = some_tops();
    log.received = {{1, 40}, {42, 42}};
    log.unreadable = {{41, 41}};
    log.refused = {{1, {{43, 44}}}, {5, {{50, 50}}}, {99, {{60, 61}}}};
    ReceiptLog none_opened;
    none_opened.incarnation = {2, 1};
    none_opened.record_class = RecordClass::reply;
    none_opened.tops = some_tops();
    none_opened.unreadable = {{1, 1}};
    ReceiptLog nothing;
    nothing.incarnation = {2, 1};
    nothing.record_class = RecordClass::bulk;
    return {{log, none_opened, nothing}};
}

OfficeStatement some_statement(const Network& network, const Office& office) {
    OfficeStatement statement;
    statement.prekeys = {crypto::sign_prekey(office.mail.signing, network.id(), office.index, 1,
                                             office.mail.prekeys.at(1).public_key),
                         crypto::sign_prekey(office.mail.signing, network.id(), office.index, 2,
                                             crypto::BoxKeyPair::random().public_key)};
    statement.codecs = {std::byte{7}};
    statement.endpoints = {"tcp://10.8.0.2:6743", "tcp://[fd00::2]:6743"};
    statement.software = "fieldpost 0.1.0";
    statement.carries = false;
    statement.logs = {{{1, 0xc0ffee}, RecordClass::normal, 9, some_tops(), {{1, 4}}, {{2, 2}}},
                      {{1, 0xc0ffee}, RecordClass::bulk, 0, {}, {}, {}}};
    statement.transport_epoch = 3;
    statement.roster_version = 4;
    return statement;
}

constexpr auto slot_holders = {0U, 1U, 3U};

Register some_epoch_slots(const Network& network, const crypto::BoxKeyPair& group) {
    EpochSlots slots;
    slots.group = OfficeId{0xff00};
    slots.page = 1;
    slots.epoch = 6;
    slots.revision = 2;
    slots.roster_version = 4;
    std::vector<crypto::SlotKey> keys;
    for (const auto holder : slot_holders) {
        const auto& office = network.offices[holder];
        keys.push_back({office.index, 1, office.mail.prekeys.at(1).public_key});
    }
    crypto::seal_slots(network.id(), group, std::move(keys), slots);
    auto entry = epoch_slots_register(slots, founded_at.plus(7200));
    crypto::sign_epoch_slots(network.authority, network.roster.founding(), network.id(), entry);
    return entry;
}

// Slots of the transport, under link keys.
Register some_transport_slots(const Network& network, const crypto::BoxKeyPair& transport) {
    EpochSlots slots;
    slots.epoch = 3;
    slots.roster_version = 9;
    std::vector<crypto::SlotKey> keys;
    for (const auto holder : slot_holders) {
        const auto& office = network.offices[holder];
        keys.push_back({office.index, 0, office.machine.link.public_key});
    }
    crypto::seal_slots(network.id(), transport, std::move(keys), slots);
    auto entry = epoch_slots_register(slots, founded_at.plus(9000));
    crypto::sign_epoch_slots(network.authority, network.roster.founding(), network.id(), entry);
    return entry;
}

// The secrets of three epochs, from the seed of the authority's key.
json some_epochs(const Network& network) {
    const auto seed = crypto::SigningSeed::random();
    const auto authority = crypto::SigningKey::from_seed(seed.duplicate());
    json epochs = {{"authority_seed", hex(seed.view())}, {"group", value_of(transport_group)}};
    constexpr std::array<std::uint16_t, 4> some = {1, 2, 200, 8192};
    for (const auto epoch : some) {
        epochs["epochs"].push_back(
            {{"epoch", epoch},
             {"secret",
              hex(crypto::epoch_secret(authority, network.id(), transport_group, epoch).view())}});
    }
    return epochs;
}

Register some_enrolment(const Network& network, const crypto::SigningKey& one_time) {
    const auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
    const auto mail = crypto::MailKeys::random();
    return crypto::make_enrolment(one_time, machine, mail.signing.public_key(), network.id(),
                                  OfficeId{4}, {{1, 9}, 1}, founded_at.plus(150));
}

}  // namespace

json make_registers(const Network& network) {
    const auto& office = network.offices[1];
    const auto receipts = kind_of(RegisterKind::receipt);
    RegisterWriter writer{network};
    writer.sign_and_add("receipt", office, {office.index, receipts, receipt_subject(OfficeId{0})},
                        encode_receipt(some_receipt()));
    writer.sign_and_add("receipt of nothing", office,
                        {office.index, receipts, receipt_subject(OfficeId{2})}, encode_receipt({}));
    auto statement = encode_office_statement(some_statement(network, office));
    writer.sign_and_add("office", office, {office.index, kind_of(RegisterKind::office), {}},
                        statement);
    // A later release says more: fields below 128 once, from there on as often as it likes.
    const auto more = *from_hex(
        "9806079a080178"
        "9a080179");
    statement.insert(statement.end(), more.begin(), more.end());
    writer.sign_and_add("office of a later release", office,
                        {office.index, kind_of(RegisterKind::office), {}}, statement);
    const auto group = crypto::BoxKeyPair::random();
    writer.add("epoch slots", some_epoch_slots(network, group));
    const auto transport = crypto::BoxKeyPair::random();
    writer.add("epoch slots of the transport", some_transport_slots(network, transport));
    json holders = json::array();
    json links = json::array();
    for (const auto holder : slot_holders) {
        holders.push_back(hex(network.offices[holder].mail.prekeys.at(1).secret.view()));
        links.push_back(hex(network.offices[holder].machine.link.secret.view()));
    }
    const auto one_time = crypto::SigningKey::random();
    writer.add("enrolment", some_enrolment(network, one_time));
    writer.add("fork", crypto::make_fork(network.id(), proof_of(network, 5, 3, 1),
                                         proof_of(network, 7, 1, 2)));
    writer.sign_and_add("a kind of a later release", office,
                        {office.index, 77, bytes_of("its own subject")}, bytes_of("its own words"));

    Custody custody;
    custody.signer = office.index;
    custody.version = {{1, 0xc0ffee}, 13};
    custody.author = OfficeId{0};
    custody.at = founded_at.plus(7200);
    custody.logs = {{{1, 5}, RecordClass::bulk, some_tops(), {{1, 3}}},
                    {{2, 0}, RecordClass::reply, some_tops(), {{2, 2}, {9, 9}}}};
    crypto::sign_custody(office.machine.identity, network.id(), custody);
    return {{"network", hex(network.id())},
            {"founding", hex(encode_founding(network.roster.founding()))},
            {"identity", hex(office.machine.identity.public_key())},
            {"mail", hex(office.mail.signing.public_key())},
            {"one_time_key", hex(one_time.public_key())},
            {"group_secret", hex(group.secret.view())},
            {"slot_prekey_secrets", holders},
            {"transport_secret", hex(transport.secret.view())},
            {"slot_link_secrets", links},
            {"epochs", some_epochs(network)},
            {"hashes_of_tops", some_hashes_of_tops(network.id())},
            {"registers", writer.list},
            {"custody", {{"bytes", hex(encode_custody(custody))}, {"means", meaning(custody)}}}};
}

namespace {

crypto::BoxKeyPair pair_of(const json& secret) {
    return crypto::BoxKeyPair::from_secret(crypto::BoxSecret::from(unhex(secret)));
}

void check_slots(const json& file, const NetworkId& network, const EpochSlots& page) {
    const bool is_transport = page.group == transport_group;
    const auto& secrets = file[is_transport ? "slot_link_secrets" : "slot_prekey_secrets"];
    REQUIRE(page.slots.size() == secrets.size());
    for (std::size_t i = 0; i < page.slots.size(); ++i) {
        const auto& slot = page.slots[i];
        const auto key =
            crypto::open_slot(network, page, slot.office, slot.prekey_epoch, pair_of(secrets[i]));
        REQUIRE(key.has_value());
        CHECK(hex(key->secret.view()) ==
              text_of(file[is_transport ? "transport_secret" : "group_secret"]));
    }
}

void check_signature(const json& file, const NetworkId& network, const Register& entry) {
    const auto identity = array_of<SigningPublic>(file["identity"]);
    switch (static_cast<RegisterKind>(entry.key.kind)) {
        case RegisterKind::epoch_slots:
            CHECK(crypto::verify_epoch_slots(decode_founding(unhex(file["founding"])).value(),
                                             network, entry));
            check_slots(file, network, decode_epoch_slots(entry).value());
            break;
        case RegisterKind::enrolment:
            CHECK(crypto::verify_enrolment(array_of<SigningPublic>(file["one_time_key"]), network,
                                           entry));
            break;
        case RegisterKind::fork:
            CHECK(crypto::verify_fork(identity, network, entry));
            break;
        default:
            CHECK(crypto::verify_register(identity, network, entry));
    }
}

}  // namespace

TEST_CASE("the records of a receipt are named by the hash that named them", "[vectors]") {
    const auto file = read_vectors("registers");
    const auto network = array_of<NetworkId>(file["network"]);
    REQUIRE(file["hashes_of_tops"].size() == 3);
    for (const auto& one : file["hashes_of_tops"]) {
        std::vector<ShortHash> ids;
        for (const auto& id : one["ids"]) {
            ids.push_back(array_of<ShortHash>(id));
        }
        CHECK(hex(crypto::hash_of_tops(network, ids)) == text_of(one["tops"]));
    }
}

TEST_CASE("the secrets of epochs follow from each other as they did", "[vectors]") {
    const auto file = read_vectors("registers");
    const auto network = array_of<NetworkId>(file["network"]);
    const auto& epochs = file["epochs"];
    const OfficeId group{epochs["group"].get<std::uint16_t>()};
    const auto authority =
        crypto::SigningKey::from_seed(crypto::SigningSeed::from(unhex(epochs["authority_seed"])));
    const auto& last = epochs["epochs"].back();
    REQUIRE(epochs["epochs"].size() == 4);
    for (const auto& one : epochs["epochs"]) {
        const auto epoch = one["epoch"].get<std::uint16_t>();
        CHECK(hex(crypto::epoch_secret(authority, network, group, epoch).view()) ==
              text_of(one["secret"]));
        CHECK(hex(crypto::earlier_epoch_secret(crypto::BoxSecret::from(unhex(last["secret"])),
                                               network, group, last["epoch"], epoch)
                      .view()) == text_of(one["secret"]));
    }
}

TEST_CASE("registers and custody mean what they meant", "[vectors]") {
    const auto file = read_vectors("registers");
    const auto network = array_of<NetworkId>(file["network"]);
    const auto mail = array_of<SigningPublic>(file["mail"]);
    for (const auto& vector : file["registers"]) {
        CAPTURE(vector["name"].get<std::string>());
        const auto bytes = unhex(vector["bytes"]);
        ByteReader in(bytes);
        const auto entry = read_register(in).value();
        CHECK(in.at_end());
        CHECK(encode_register(entry) == bytes);
        CHECK(value_of(entry.key.signer) == vector["signer"]);
        CHECK(entry.key.kind == vector["kind"]);
        CHECK(hex(entry.key.subject) == text_of(vector["subject"]));
        CHECK(meaning(entry.version.incarnation) == vector["incarnation"]);
        CHECK(entry.version.counter == vector["counter"]);
        CHECK(entry.at.seconds == vector["at"]);
        CHECK(meaning(entry) == vector["means"]);
        CHECK(hex(crypto::register_hash(network, entry)) == text_of(vector["hash"]));
        check_signature(file, network, entry);
        if (entry.key.kind == static_cast<std::uint8_t>(RegisterKind::office)) {
            const auto statement = decode_office_statement(entry.payload).value();
            for (const auto& prekey : statement.prekeys) {
                CHECK(crypto::verify_prekey(mail, network, entry.key.signer, prekey));
            }
        }
    }
    const auto custody_bytes = unhex(file["custody"]["bytes"]);
    ByteReader in(custody_bytes);
    const auto custody = read_custody(in).value();
    CHECK(encode_custody(custody) == custody_bytes);
    CHECK(meaning(custody) == file["custody"]["means"]);
    CHECK(crypto::verify_custody(array_of<SigningPublic>(file["identity"]), network, custody));
}

}  // namespace fieldpost::tests
