// Goal: published bytes mean the same for ever.
// Method: decode what tests/vectors/*.json holds and compare with what the file says it means;
// encode again and compare the bytes. `FIELDPOST_WRITE_VECTORS=1 vectors_tests` writes the files
// anew, which is a broken promise once a release has used them. read_vectors.py does the same
// without our code.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "crypto/invite.h"
#include "crypto/register_seal.h"
#include "crypto/roster.h"
#include "crypto/sealed_record.h"
#include "proto/limits.h"
#include "tests/support/network.h"
#include "tests/support/seeded_random.h"

using namespace fieldpost;
using namespace fieldpost::tests;
using nlohmann::json;

namespace {

std::string path_of(const std::string& name) {
    return std::string(FIELDPOST_SOURCE_DIR) + "/tests/vectors/" + name + ".json";
}

json read_vectors(const std::string& name) {
    std::ifstream in(path_of(name));
    REQUIRE(in);
    return json::parse(in);
}

void write_vectors(const std::string& name, const json& content) {
    std::ofstream(path_of(name)) << content.dump(1) << '\n';
}

Bytes unhex(const json& text) {
    return from_hex(text.get<std::string>()).value();
}

template <class Array>
Array array_of(const json& text) {
    const auto bytes = unhex(text);
    ByteReader in(bytes);
    return in.read_array<Array>().value();
}

template <class Write>
std::string hex_of(const Write& write_to) {
    ByteWriter out;
    write_to(out);
    return to_hex(out.bytes());
}

json intervals_json(const IntervalSet& set) {
    json list = json::array();
    for (const auto& interval : set.intervals()) {
        list.push_back({interval.first, interval.last});
    }
    return list;
}

IntervalSet set_of(const json& list) {
    IntervalSet set;
    for (const auto& pair : list) {
        set.add({pair[0], pair[1]});
    }
    return set;
}

// --- writing -------------------------------------------------------------------------------------

json make_interval_sets() {
    IntervalSet holes;
    for (Number n = 1; n < 200; n += 1 + n % 3) {
        holes.add(n);
    }
    json list = json::array();
    for (const auto& set : {IntervalSet{}, IntervalSet{{1, 1}}, IntervalSet{{1, 40}},
                            IntervalSet{{5, 5}}, IntervalSet{{1, 3}, {7, 300}}, holes,
                            IntervalSet{{UINT32_MAX, UINT32_MAX}}, IntervalSet{{1, UINT32_MAX}}}) {
        list.push_back(
            {{"intervals", intervals_json(set)},
             {"set", hex_of([&](ByteWriter& out) { write(out, set); })},
             {"container", hex_of([&](ByteWriter& out) { write_container(out, set); })}});
    }
    return list;
}

struct Draft {
    const char* name;
    RecordClass record_class;
    std::vector<unsigned> to;
    std::vector<Report> reports;
    Bytes attachments{};
    std::vector<std::optional<Origin>> origins{};
    RecordKind kind = RecordKind::report;
    Bytes extension{};
};

std::vector<Draft> make_drafts(const NetworkId&) {
    const auto text = [](std::string words) {
        Report report;
        report.text = std::move(words);
        report.created = founded_at.plus(3600);
        return report;
    };
    auto full = text("석고 재고가 없습니다. 다음 수송대 편에 보내 주십시오.\n");
    full.subject = "긴급: 석고";
    full.type = "stock";
    full.fields = {{"plaster_kg", "0"}, {"물리치료", "3건"}};
    full.staff = "김은희";
    full.addressed = {"@hq"};
    full.attachments = {{"사진.jpg", 5}, {"empty.txt", 0}};
    auto scan = text("Radiographie, voir la pièce jointe.");
    scan.attachments = {{"scan.bin", 40'000}};
    Bytes scan_bytes(40'000);
    for (std::size_t i = 0; i < scan_bytes.size(); ++i) {
        scan_bytes[i] = static_cast<std::byte>(i * i >> 3 & 0xff);
    }
    auto note = text("접수함");
    note.outcome = ReplyOutcome::accepted;
    note.staff = "박철수";
    note.reply_to = ReportRef{OfficeId{1}, {{1, 0xc0ffee}, RecordClass::normal, 1}, {}};
    std::vector<Report> run;
    for (int i = 0; i < 5; ++i) {
        run.push_back(text("每周报告：康复中心物理治疗 " + std::to_string(12 + i) + " 人。"));
    }
    return {
        {"one short text", RecordClass::normal, {0}, {text("well 7 needs chlorine")}},
        {"every field, two attachments, three recipients",
         RecordClass::normal,
         {0, 2, 3},
         {full},
         bytes_of("12345")},
        {"a run of five", RecordClass::normal, {0}, run},
        {"a reissue",
         RecordClass::normal,
         {0},
         {text("again")},
         {},
         {Origin{{1, 0xc0ffee}, RecordClass::urgent, 7}}},
        {"segments", RecordClass::bulk, {0}, {scan}, scan_bytes},
        {"an acknowledgement with an unknown extension field",
         RecordClass::reply,
         {2},
         {note},
         {},
         {},
         RecordKind::acknowledgement,
         {std::byte{0x0a}, std::byte{1}, std::byte{'x'}}},
    };
}

json make_record(const Network& network, const Draft& draft, std::map<LogKey, Neighbour>& logs) {
    const auto& author = network.offices[1];
    const auto& key = author.machine.identity.public_key();
    Header header;
    header.log = {author.index, {1, 0xc0ffee}, draft.record_class};
    const auto before = logs.find(header.log);
    header.number =
        before == logs.end() ? 1 : before->second.header.number + before->second.header.count;
    header.count = static_cast<std::uint8_t>(draft.reports.size());
    header.kind = static_cast<std::uint8_t>(draft.kind);
    header.created = founded_at.plus(3600);
    header.lifetime_seconds = limits::lifetime_seconds_default;
    header.extension = draft.extension;
    std::vector<crypto::Recipient> recipients;
    for (const auto to : draft.to) {
        recipients.push_back(network.offices[to].recipient());
    }
    std::vector<ReportUnit> units;
    for (std::size_t i = 0; i < draft.reports.size(); ++i) {
        units.push_back({i < draft.origins.size() ? draft.origins[i] : std::nullopt,
                         encode_report(draft.reports[i])});
    }
    auto sealed =
        crypto::seal_record(network.id(), key, header, recipients, units, draft.attachments)
            .value();
    header = sealed.header;
    if (before != logs.end()) {
        header.prev = prev_of(before->second.id);
    }
    const BodyShape shape{header.body_bytes};
    const auto pieces = crypto::piece_hashes(network.id(), shape, sealed.body);
    const auto body = crypto::body_hash(network.id(), shape, pieces);
    const auto id = crypto::record_id(network.id(), header, body);
    const auto signature = crypto::sign_record(author.machine.identity, network.id(), id);
    const auto& reader = network.offices[draft.to.front()];

    json reports = json::array();
    std::size_t attached = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
        const Origin origin =
            units[i].origin.value_or(Origin{header.log.incarnation, header.log.record_class,
                                            static_cast<Number>(header.number + i)});
        std::vector<BytesView> attachments;
        for (const auto& attachment : draft.reports[i].attachments) {
            attachments.push_back(BytesView(draft.attachments).subspan(attached, attachment.size));
            attached += attachment.size;
        }
        reports.push_back({{"bytes", to_hex(units[i].report)},
                           {"text", draft.reports[i].text},
                           {"origin", hex_of([&](ByteWriter& out) { write(out, origin); })},
                           {"hash", to_hex(crypto::report_hash(network.id(), author.index, origin,
                                                               units[i].report, attachments)
                                               .view())}});
    }
    json piece_list = json::array();
    for (const auto& piece : pieces) {
        piece_list.push_back(to_hex(piece.view()));
    }
    json record = {
        {"name", draft.name},
        {"header", to_hex(encode_header(header))},
        {"signature", to_hex(signature.view())},
        {"body", to_hex(sealed.body)},
        {"piece_hashes", piece_list},
        {"body_hash", to_hex(body.view())},
        {"id", to_hex(id.view())},
        {"elided_first", to_hex(elide_header(header, nullptr))},
        {"reader", value_of(reader.index)},
        {"reader_epoch", 1},
        {"reader_prekey_secret", to_hex(reader.mail.prekeys.at(1).secret.view())},
        {"file_key", to_hex(sealed.file_key.view())},
        {"reports", reports},
        {"attachments_hash",
         to_hex(crypto::hash("attachment", network.id(), {draft.attachments}).view())},
    };
    if (before != logs.end()) {
        record["elided_after_its_predecessor"] = to_hex(elide_header(header, &before->second));
    }
    logs.insert_or_assign(header.log, Neighbour{header, id});
    return record;
}

json make_records(const Network& network) {
    json file = {
        {"network", to_hex(network.id().view())},
        {"author_identity", to_hex(network.offices[1].machine.identity.public_key().view())}};
    std::map<LogKey, Neighbour> logs;
    for (const auto& draft : make_drafts(network.id())) {
        file["records"].push_back(make_record(network, draft, logs));
    }
    return file;
}

json make_registers(const Network& network) {
    const auto& office = network.offices[1];
    json list = json::array();
    const auto add = [&](const char* name, Register entry, bool sign) {
        if (sign) {
            crypto::sign_register(office.machine.identity, network.id(), entry);
        }
        list.push_back({{"name", name},
                        {"bytes", to_hex(encode_register(entry))},
                        {"signer", value_of(entry.key.signer)},
                        {"kind", entry.key.kind},
                        {"subject", to_hex(entry.key.subject)},
                        {"ordinal", entry.version.incarnation.ordinal},
                        {"counter", entry.version.counter},
                        {"at", entry.at.seconds},
                        {"payload", to_hex(entry.payload)},
                        {"signed", sign},
                        {"hash", to_hex(crypto::register_hash(network.id(), entry).view())}});
    };
    Register entry;
    entry.version = {{1, 0xc0ffee}, 12};
    entry.at = founded_at.plus(7200);

    Receipt receipt;
    ReceiptLog log;
    log.incarnation = {1, 5};
    log.record_class = RecordClass::normal;
    log.top_id = short_hash(crypto::hash("test", network.id(), {}));
    log.received = {{1, 40}, {42, 42}};
    log.unreadable = {{41, 41}};
    log.refused = {{1, {{43, 44}}}, {5, {{50, 50}}}};
    receipt.logs = {log};
    entry.key = {office.index, static_cast<std::uint8_t>(RegisterKind::receipt),
                 receipt_subject(OfficeId{0})};
    entry.payload = encode_receipt(receipt);
    add("receipt", entry, true);

    OfficeStatement statement;
    statement.prekeys = {crypto::sign_prekey(office.mail.signing, network.id(), office.index, 1,
                                             office.mail.prekeys.at(1).public_key)};
    statement.lifetime_seconds_max = 90 * 86400;
    statement.endpoints = {"tcp://10.8.0.2:6743"};
    statement.software = "fieldpost 0.1.0";
    statement.logs = {{{1, 0xc0ffee}, RecordClass::normal, 9, log.top_id, {{1, 4}}, {{2, 2}}}};
    statement.roster_version = 4;
    entry.key = {office.index, static_cast<std::uint8_t>(RegisterKind::office), {}};
    entry.payload = encode_office_statement(statement);
    add("office", entry, true);

    const auto proof = [&](Number number, std::uint8_t count, std::uint8_t salt) {
        RecordProof side;
        side.key = {
            record_version, {office.index, {1, 0xc0ffee}, RecordClass::normal}, number, count};
        side.body.bytes[0] = std::byte{salt};
        side.signature = crypto::sign_record(office.machine.identity, network.id(),
                                             crypto::record_id(network.id(), side));
        return side;
    };
    add("fork", crypto::make_fork(network.id(), proof(5, 3, 1), proof(7, 1, 2)), false);

    Custody custody;
    custody.signer = office.index;
    custody.version = {{1, 0xc0ffee}, 13};
    custody.author = OfficeId{0};
    custody.at = founded_at.plus(7200);
    custody.logs = {{{1, 5}, RecordClass::bulk, log.top_id, {{1, 3}}}};
    crypto::sign_custody(office.machine.identity, network.id(), custody);
    return {{"network", to_hex(network.id().view())},
            {"identity", to_hex(office.machine.identity.public_key().view())},
            {"mail", to_hex(office.mail.signing.public_key().view())},
            {"registers", list},
            {"custody", to_hex(encode_custody(custody))}};
}

json make_roster(Network& network) {
    const auto seed = crypto::InviteSeed::random();
    Invitation invitation;
    invitation.index = network.roster.next_index();
    invitation.role = Role::field;
    invitation.one_time_signing = crypto::one_time_signing_key(seed).public_key();
    invitation.one_time_box = crypto::one_time_box_key(seed).public_key;
    invitation.expires = founded_at.plus(30 * 86400);
    invitation.name = "camp";
    network.change({invitation}, founded_at.plus(100));
    CutOff cut_off;
    cut_off.logs = {{{1, 3}, RecordClass::normal, 40, {}}};
    cut_off.register_incarnation = {1, 3};
    cut_off.register_counter = 99;
    network.change({Revoke{network.offices[3].index, cut_off, "도난"}}, founded_at.plus(200));

    const auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
    const auto mail = crypto::MailKeys::random();
    const auto enrolment = crypto::make_enrolment(
        crypto::one_time_signing_key(seed), machine, mail.signing.public_key(), network.id(),
        invitation.index, {{1, 9}, 1}, founded_at.plus(150));

    crypto::Invite invite;
    invite.seed = seed.duplicate();
    invite.founding_key = network.founding_key();
    invite.index = invitation.index;
    invite.registers = {enrolment};
    invite.founding = network.roster.founding();
    invite.roster = network.changes;
    json changes = json::array();
    for (const auto& change : network.changes) {
        changes.push_back(
            {{"bytes", to_hex(encode_roster_change(change))},
             {"hash", to_hex(crypto::roster_change_hash(network.id(), change).view())}});
    }
    json offices = json::array();
    for (const auto& [index, office] : network.roster.offices()) {
        offices.push_back({{"index", value_of(index)},
                           {"name", office.name},
                           {"state", static_cast<int>(office.state)}});
    }
    const auto& hq = network.offices[0];
    return {
        {"founding", to_hex(encode_founding(network.roster.founding()))},
        {"network", to_hex(network.id().view())},
        {"changes", changes},
        {"offices", offices},
        {"enrolment", to_hex(encode_register(enrolment))},
        {"invitation_key", to_hex(invitation.one_time_signing.view())},
        {"invite_with_code",
         to_hex(crypto::seal_invite(invite, "7KQ2M-R4XWD", {2, 64 * 1024}).value())},
        {"invite_code", "7kq2m r4xwd"},
        {"invite_without_code", to_hex(crypto::seal_invite(invite, "").value())},
        {"invite_seed", to_hex(seed.view())},
        {"fingerprint",
         {{"identity", to_hex(hq.machine.identity.public_key().view())},
          {"link", to_hex(hq.machine.link.public_key.view())},
          {"mail", to_hex(hq.mail.signing.public_key().view())},
          {"text", crypto::fingerprint(network.id(), hq.machine.identity.public_key(),
                                       hq.machine.link.public_key, hq.mail.signing.public_key())}}},
    };
}

void write_all() {
    const SeededRandom random(20261121);
    auto network = make_network({"hq", "hyesan", "pyongyang", "wonsan"});
    write_vectors("interval_sets", make_interval_sets());
    write_vectors("records", make_records(network));
    write_vectors("registers", make_registers(network));
    write_vectors("roster", make_roster(network));
}

const bool written = [] {
    const bool wanted = std::getenv("FIELDPOST_WRITE_VECTORS") != nullptr;
    if (wanted) {
        crypto::start();
        write_all();
    }
    return wanted;
}();

}  // namespace

// --- reading -------------------------------------------------------------------------------------

TEST_CASE("interval sets and containers mean what they meant", "[vectors]") {
    for (const auto& vector : read_vectors("interval_sets")) {
        const auto set = set_of(vector["intervals"]);
        const auto bytes = unhex(vector["set"]);
        const auto container = unhex(vector["container"]);
        ByteReader in(bytes);
        ByteReader container_in(container);
        CHECK(read_interval_set(in).value() == set);
        CHECK(read_container(container_in).value() == set);
        CHECK(hex_of([&](ByteWriter& out) { write(out, set); }) == vector["set"]);
        CHECK(hex_of([&](ByteWriter& out) { write_container(out, set); }) == vector["container"]);
    }
}

TEST_CASE("records mean what they meant", "[vectors]") {
    const auto file = read_vectors("records");
    const auto network = array_of<NetworkId>(file["network"]);
    const auto author = array_of<SigningPublic>(file["author_identity"]);
    std::map<LogKey, Neighbour> logs;
    for (const auto& vector : file["records"]) {
        CAPTURE(vector["name"].get<std::string>());
        const auto header_bytes = unhex(vector["header"]);
        const auto header = decode_header(header_bytes).value();
        CHECK(encode_header(header) == header_bytes);
        const auto body = unhex(vector["body"]);
        const BodyShape shape{header.body_bytes};
        const auto hashed =
            crypto::body_hash(network, shape, crypto::piece_hashes(network, shape, body));
        const auto id = crypto::record_id(network, header, hashed);
        CHECK(to_hex(id.view()) == vector["id"]);
        CHECK(crypto::verify_record(author, network, id, array_of<Signature>(vector["signature"])));

        const auto first = unhex(vector["elided_first"]);
        CHECK(elide_header(header, nullptr) == first);
        ByteReader first_in(first);
        CHECK(restore_header(first_in, nullptr).value() == header);
        if (vector.contains("elided_after_its_predecessor")) {
            const auto& before = logs.at(header.log);
            const auto elided = unhex(vector["elided_after_its_predecessor"]);
            CHECK(elide_header(header, &before) == elided);
            ByteReader in(elided);
            CHECK(restore_header(in, &before).value() == header);
        }
        logs.insert_or_assign(header.log, Neighbour{header, id});

        const auto secret = unhex(vector["reader_prekey_secret"]);
        const auto prekey = crypto::BoxKeyPair::from_secret(crypto::BoxSecret::from(secret));
        const auto file_key = crypto::unwrap_file_key(
            network, author, header, OfficeId{vector["reader"].get<std::uint16_t>()},
            vector["reader_epoch"], prekey);
        REQUIRE(file_key.has_value());
        CHECK(to_hex(file_key->view()) == vector["file_key"]);
        const auto opened = crypto::open_body(network, author, header, *file_key, body).value();
        CHECK(to_hex(crypto::hash("attachment", network, {opened.attachments}).view()) ==
              vector["attachments_hash"]);
        REQUIRE(opened.units.size() == vector["reports"].size());
        for (std::size_t i = 0; i < opened.units.size(); ++i) {
            const auto& expected = vector["reports"][i];
            CHECK(to_hex(opened.units[i].report) == expected["bytes"]);
            CHECK(decode_report(opened.units[i].report).value().text == expected["text"]);
        }
    }
}

TEST_CASE("registers and custody mean what they meant", "[vectors]") {
    const auto file = read_vectors("registers");
    const auto network = array_of<NetworkId>(file["network"]);
    const auto identity = array_of<SigningPublic>(file["identity"]);
    for (const auto& vector : file["registers"]) {
        CAPTURE(vector["name"].get<std::string>());
        const auto bytes = unhex(vector["bytes"]);
        ByteReader in(bytes);
        const auto entry = read_register(in).value();
        CHECK(encode_register(entry) == bytes);
        CHECK(to_hex(crypto::register_hash(network, entry).view()) == vector["hash"]);
        if (vector["signed"]) {
            CHECK(crypto::verify_register(identity, network, entry));
        }
        switch (static_cast<RegisterKind>(entry.key.kind)) {
            case RegisterKind::receipt:
                CHECK(encode_receipt(decode_receipt(entry.payload).value()) == entry.payload);
                break;
            case RegisterKind::office: {
                const auto statement = decode_office_statement(entry.payload).value();
                CHECK(statement.endpoints == std::vector<std::string>{"tcp://10.8.0.2:6743"});
                CHECK(crypto::verify_prekey(array_of<SigningPublic>(file["mail"]), network,
                                            entry.key.signer, statement.prekeys.at(0)));
                break;
            }
            case RegisterKind::fork:
                CHECK(crypto::verify_fork(identity, network, entry).has_value());
                break;
            default:
                FAIL("a vector of a kind that is not checked");
        }
    }
    const auto custody_bytes = unhex(file["custody"]);
    ByteReader in(custody_bytes);
    const auto custody = read_custody(in).value();
    CHECK(encode_custody(custody) == custody_bytes);
    CHECK(crypto::verify_custody(identity, network, custody));
}

TEST_CASE("roster, enrolment and invitation mean what they meant", "[vectors]") {
    const auto file = read_vectors("roster");
    const auto founding = decode_founding(unhex(file["founding"])).value();
    auto roster = crypto::Roster::found(founding).value();
    CHECK(to_hex(roster.network().view()) == file["network"]);
    for (const auto& vector : file["changes"]) {
        const auto bytes = unhex(vector["bytes"]);
        ByteReader in(bytes);
        const auto change = read_roster_change(in).value();
        CHECK(encode_roster_change(change) == bytes);
        REQUIRE(roster.apply(change).has_value());
        CHECK(to_hex(roster.head().view()) == vector["hash"]);
    }
    for (const auto& office : file["offices"]) {
        const auto* found = roster.find(OfficeId{office["index"].get<std::uint16_t>()});
        REQUIRE(found != nullptr);
        CHECK(found->name == office["name"]);
        CHECK(static_cast<int>(found->state) == office["state"]);
    }
    const auto enrolment_bytes = unhex(file["enrolment"]);
    ByteReader in(enrolment_bytes);
    CHECK(crypto::verify_enrolment(array_of<SigningPublic>(file["invitation_key"]),
                                   roster.network(), read_register(in).value())
              .has_value());
    const auto coded = crypto::open_invite(unhex(file["invite_with_code"]),
                                           file["invite_code"].get<std::string>());
    const auto open = crypto::open_invite(unhex(file["invite_without_code"]), "");
    REQUIRE(coded.has_value());
    REQUIRE(open.has_value());
    CHECK(to_hex(coded->seed.view()) == file["invite_seed"]);
    CHECK(open->roster == coded->roster);
    const auto& print = file["fingerprint"];
    CHECK(crypto::fingerprint(roster.network(), array_of<SigningPublic>(print["identity"]),
                              array_of<BoxPublic>(print["link"]),
                              array_of<SigningPublic>(print["mail"])) == print["text"]);
}
