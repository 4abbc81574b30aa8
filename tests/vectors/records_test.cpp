// Goal: a record sealed by any release opens in every later one, to the same reports.
// Method: records.json holds records of every kind, with the keys that open them.
#include <catch2/catch.hpp>

#include <map>
#include <set>

#include "crypto/sealed_record.h"
#include "proto/compression.h"
#include "proto/limits.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

struct Draft {
    const char* name;
    RecordClass record_class;
    std::vector<unsigned> to;
    std::vector<Report> reports;
    Bytes attachments{};
    std::vector<std::optional<Origin>> origins{};
    RecordKind kind = RecordKind::report;
    Bytes extension{};
    unsigned author = 1;
    Incarnation incarnation{1, 0xc0ffee};
    std::uint8_t flags = 0;
    std::uint32_t lifetime_seconds = limits::lifetime_seconds_default;
    // Beside the offices of `to`.
    std::vector<OfficeId> groups{};
    // Unknown fields of a report, behind the fields that this release knows.
    Bytes appended{};
};

Report text(std::string words) {
    Report report;
    report.text = std::move(words);
    report.created = founded_at.plus(3600);
    return report;
}

// Kilobytes in which zstd finds more than brotli at the settings of compression.cpp.
std::string long_list() {
    std::string list;
    std::uint32_t state = 7;
    const auto draw = [&](std::uint32_t below) {
        state = state * 1664525 + 1013904223;
        return std::to_string((state >> 16) % below);
    };
    for (int room = 0; room < 1100; ++room) {
        list += std::to_string(room) + "호실 석고 " + draw(5) + "kg 붕대 ";
        list += draw(9) + "개\n";
    }
    return list;
}

// WIRE.md "Report": the request of an office that lost its store to an author.
Bytes resend_request(const Network& network, const Office& requester) {
    auto request = written_by([&](ByteWriter& out) {
        out.u16(value_of(requester.index));
        write(out, Incarnation{2, 0xdecade});
        out.u16(3);
        out.u32(founded_at.plus(3000).seconds);
        out.varint(1);
        write(out, Incarnation{1, 0xc0ffee});
        out.u8(static_cast<std::uint8_t>(RecordClass::normal));
        write(out, IntervalSet{{1, 3}, {7, 9}});
    });
    const auto signature = requester.mail.signing.sign("resend", network.id(), request);
    request.insert(request.end(), signature.bytes.begin(), signature.bytes.end());
    return request;
}

std::vector<Draft> first_drafts() {
    auto full = text("석고 재고가 없습니다. 다음 수송대 편에 보내 주십시오.\n");
    full.subject = "긴급: 석고";
    full.type = "stock";
    full.fields = {{"plaster_kg", "0"}, {"물리치료", "3건"}};
    full.staff = "김은희";
    full.addressed = {"@hq"};
    full.utc_offset_minutes = 540;
    full.form_version = 3;
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

std::vector<Draft> further_drafts(const Network& network) {
    ReportRef earlier{OfficeId{1}, {{1, 0xc0ffee}, RecordClass::normal, 2}, {}};
    earlier.hash.bytes.fill(std::byte{0xab});
    auto correction = text("plaster: 3 kg, not 0");
    correction.replaces = earlier;
    correction.version = 1;
    auto again = text("plaster: 4 kg");
    again.replaces = ReportRef{OfficeId{1}, {{1, 0xc0ffee}, RecordClass::urgent, 9}, {}};
    again.version = 2;
    again.first_version = earlier;
    auto withdrawal = text("sent to the wrong office");
    withdrawal.withdraws = earlier;
    auto request = text("");
    request.resend = resend_request(network, network.offices[1]);
    auto refusal = text("");
    refusal.outcome = ReplyOutcome::refused;
    refusal.reply_to = earlier;
    auto photographed = text("photograph");
    photographed.attachments = {{"a.jpg", 3}};
    auto twice = text("two sheets");
    twice.attachments = {{"b.pdf", 4}, {"c.pdf", 2}};
    const auto extension = written_by([](ByteWriter& out) {
        out.varint(100 << 3);  // a number, below 128: once
        out.varint(5);
        for (const char c : {'a', 'b'}) {
            out.varint(130 << 3 | 2);  // bytes, from 128 on: may repeat
            out.sized(as_bytes(std::string_view(&c, 1)));
        }
    });
    const auto unknown_fields = written_by([](ByteWriter& out) {
        out.varint(77 << 3 | 5);  // fixed32
        out.u32(4711);
        out.varint(200 << 3 | 1);  // fixed64, twice
        out.u64(1);
        out.varint(200 << 3 | 1);
        out.u64(2);
    });
    return {
        {"too short to compress", RecordClass::urgent, {0}, {text("ok")}},
        {"zstd", RecordClass::normal, {0}, {text(long_list())}},
        {"a correction, doubtful clock",
         RecordClass::normal,
         {0},
         {correction},
         {},
         {},
         RecordKind::report,
         {},
         1,
         {1, 0xc0ffee},
         flag_doubtful},
        {"a correction of a correction", RecordClass::normal, {0}, {again}},
        {"a withdrawal", RecordClass::reply, {0}, {withdrawal}, {}, {}, RecordKind::withdrawal},
        {"a resend request", RecordClass::reply, {3}, {request}, {}, {}, RecordKind::resend},
        {"an acknowledgement that refuses",
         RecordClass::reply,
         {2},
         {refusal},
         {},
         {},
         RecordKind::acknowledgement},
        {"a run with attachments and origins",
         RecordClass::bulk,
         {0, 3},
         {photographed, text("none"), twice},
         bytes_of("jpgpdf!ok"),
         {std::nullopt, Origin{{1, 0xc0ffee}, RecordClass::bulk, 77},
          Origin{{3, 9}, RecordClass::normal, 1}}},
        {"a kind, flags and fields of a later release",
         RecordClass::normal,
         {0},
         {text("from later")},
         {},
         {},
         static_cast<RecordKind>(9),
         extension,
         1,
         {1, 0xc0ffee},
         0xf0,
         3600,
         {},
         unknown_fields},
        {"another author, another incarnation",
         RecordClass::normal,
         {0, 1},
         {text("pyongyang")},
         {},
         {},
         RecordKind::report,
         {},
         2,
         {4, 0xbeef}},
        {"groups",
         RecordClass::normal,
         {0},
         {text("to everybody")},
         {},
         {},
         RecordKind::report,
         {},
         2,
         {4, 0xbeef},
         0,
         limits::lifetime_seconds_max,
         {OfficeId{0xff00}, OfficeId{0xff02}}},
    };
}

struct RecordWriter {
    const Network& network;
    std::map<LogKey, Neighbour> logs;
    std::optional<Neighbour> last;

    Header header_of(const Draft& draft) const {
        Header header;
        header.log = {network.offices[draft.author].index, draft.incarnation, draft.record_class};
        const auto before = logs.find(header.log);
        header.number =
            before == logs.end() ? 1 : before->second.header.number + before->second.header.count;
        header.count = static_cast<std::uint8_t>(draft.reports.size());
        header.flags = draft.flags;
        header.kind = static_cast<std::uint8_t>(draft.kind);
        header.created = founded_at.plus(3600);
        header.lifetime_seconds = draft.lifetime_seconds;
        header.extension = draft.extension;
        return header;
    }

    crypto::SealedRecord seal(const Draft& draft, Header header,
                              const std::vector<ReportUnit>& units, json& record) const {
        const auto& author = network.offices[draft.author].machine.identity.public_key();
        std::vector<crypto::Recipient> recipients;
        for (const auto to : draft.to) {
            recipients.push_back(network.offices[to].recipient());
        }
        for (const auto group : draft.groups) {
            const auto pair = crypto::BoxKeyPair::random();
            recipients.push_back({group, 6, pair.public_key});
            record["groups"].push_back(
                {{"index", value_of(group)}, {"epoch", 6}, {"key", hex(pair.secret.view())}});
            header.group_roster_version = network.roster.version();
        }
        return crypto::seal_record(network.id(), author, header, recipients, units,
                                   draft.attachments)
            .value();
    }

    json write(const Draft& draft) {
        std::vector<ReportUnit> units;
        for (std::size_t i = 0; i < draft.reports.size(); ++i) {
            auto report = encode_report(draft.reports[i]);
            report.insert(report.end(), draft.appended.begin(), draft.appended.end());
            units.push_back({i < draft.origins.size() ? draft.origins[i] : std::nullopt, report});
        }
        json record = {{"name", draft.name}};
        auto fresh = seal(draft, header_of(draft), units, record);
        const auto& author = network.offices[draft.author];
        const auto before = logs.find(fresh.header.log);
        if (before != logs.end()) {
            fresh.header.prev = prev_of(before->second.id);
        }
        const auto sealed = signed_for_vector(network, author, fresh.header, std::move(fresh.body));
        const auto& header = sealed.header;
        const auto& reader = network.offices[draft.to.front()];
        record.update(json{
            {"author_identity", hex(author.machine.identity.public_key())},
            {"author_mail", hex(author.mail.signing.public_key())},
            {"header", hex(encode_header(header))},
            {"signature", hex(sealed.signature)},
            {"body", hex(sealed.body)},
            {"body_hash", hex(sealed.body_hash)},
            {"id", hex(sealed.id)},
            {"elided_first", hex(elide_header(header, nullptr))},
            {"reader", value_of(reader.index)},
            {"reader_epoch", 1},
            {"reader_prekey_secret", hex(reader.mail.prekeys.at(1).secret.view())},
            {"file_key", hex(fresh.file_key.view())},
            {"codec", static_cast<int>(compress(encode_units(units)).codec)},
            {"reports", reports_of(draft, header, units)},
            {"attachments_hash",
             hex(crypto::hash("attachment", network.id(), {draft.attachments}))},
        });
        for (const auto& piece : sealed.pieces) {
            record["piece_hashes"].push_back(hex(piece));
        }
        if (before != logs.end()) {
            record["elided_after_its_predecessor"] = hex(elide_header(header, &before->second));
        }
        if (last) {
            record["elided_after_the_record_above"] = hex(elide_header(header, &*last));
        }
        logs.insert_or_assign(header.log, sealed.neighbour());
        last = sealed.neighbour();
        return record;
    }

    json reports_of(const Draft& draft, const Header& header,
                    const std::vector<ReportUnit>& units) const {
        constexpr std::size_t shown_bytes_max = 4096;
        json reports = json::array();
        std::size_t attached = 0;
        for (std::size_t i = 0; i < units.size(); ++i) {
            const Origin origin =
                units[i].origin.value_or(Origin{header.log.incarnation, header.log.record_class,
                                                static_cast<Number>(header.number + i)});
            std::vector<BytesView> attachments;
            for (const auto& attachment : draft.reports[i].attachments) {
                attachments.push_back(
                    BytesView(draft.attachments).subspan(attached, attachment.size));
                attached += attachment.size;
            }
            json report = {
                {"origin", hex_of([&](ByteWriter& out) { fieldpost::write(out, origin); })},
                {"hash", hex(crypto::report_hash(network.id(), header.log.author, origin,
                                                 units[i].report, attachments))}};
            // For a very long report the hash is enough.
            if (units[i].report.size() <= shown_bytes_max) {
                report["bytes"] = hex(units[i].report);
                report["text"] = draft.reports[i].text;
            }
            reports.push_back(report);
        }
        return reports;
    }
};

// Version 2: the key part and the id are as ever, the rest is its own.
json record_of_version_2(const Network& network) {
    const auto& author = network.offices[1];
    const auto header = written_by([&](ByteWriter& out) {
        write(out, KeyPart{2, {author.index, {1, 0xc0ffee}, RecordClass::bulk}, 9, 3});
        out.raw(as_bytes("whatever version 2 says"));
    });
    RecordProof proof;
    proof.key = {2, {author.index, {1, 0xc0ffee}, RecordClass::bulk}, 9, 3};
    proof.header_rest = crypto::header_rest_hash(network.id(), header);
    proof.body = crypto::hash("body", network.id(), {as_bytes("sealed")});
    const auto id = crypto::record_id(network.id(), proof);
    const auto entry = written_by([&](ByteWriter& out) {
        out.u16(1);
        write(out, proof.key);
        out.raw(as_bytes("its own way of eliding, signing and sealing"));
    });
    return {{"header", hex(header)},
            {"body_hash", hex(proof.body)},
            {"id", hex(id)},
            {"author_identity", hex(author.machine.identity.public_key())},
            {"signature", hex(crypto::sign_record(author.machine.identity, network.id(), id))},
            {"in_a_frame", hex(entry)},
            {"first_number", 9},
            {"last_number", 11}};
}

}  // namespace

json make_records(const Network& network) {
    json file = {{"network", hex(network.id())}};
    RecordWriter writer{network, {}, {}};
    for (const auto& drafts : {first_drafts(), further_drafts(network)}) {
        for (const auto& draft : drafts) {
            file["records"].push_back(writer.write(draft));
        }
    }
    file["version_2"] = record_of_version_2(network);
    return file;
}

namespace {

void check_opens(const json& vector, const NetworkId& network, const Header& header,
                 BytesView body) {
    const auto author = array_of<SigningPublic>(vector["author_identity"]);
    const auto secret = unhex(vector["reader_prekey_secret"]);
    const auto prekey = crypto::BoxKeyPair::from_secret(crypto::BoxSecret::from(secret));
    const auto file_key = crypto::unwrap_file_key(network, author, header,
                                                  OfficeId{vector["reader"].get<std::uint16_t>()},
                                                  vector["reader_epoch"], prekey);
    REQUIRE(file_key.has_value());
    CHECK(hex(file_key->view()) == text_of(vector["file_key"]));
    const auto opened = crypto::open_body(network, author, header, *file_key, body).value();
    CHECK(hex(crypto::hash("attachment", network, {opened.attachments})) ==
          text_of(vector["attachments_hash"]));
    REQUIRE(opened.units.size() == vector["reports"].size());
    std::size_t attached = 0;
    for (std::size_t i = 0; i < opened.units.size(); ++i) {
        const auto& unit = opened.units[i];
        const auto& expected = vector["reports"][i];
        const auto report = decode_report(unit.report).value();
        if (expected.contains("bytes")) {
            CHECK(hex(unit.report) == text_of(expected["bytes"]));
            CHECK(report.text == text_of(expected["text"]));
        }
        const Origin origin =
            unit.origin.value_or(Origin{header.log.incarnation, header.log.record_class,
                                        static_cast<Number>(header.number + i)});
        CHECK(hex_of([&](ByteWriter& out) { write(out, origin); }) == text_of(expected["origin"]));
        std::vector<BytesView> attachments;
        for (const auto& attachment : report.attachments) {
            attachments.push_back(BytesView(opened.attachments).subspan(attached, attachment.size));
            attached += attachment.size;
        }
        CHECK(hex(crypto::report_hash(network, header.log.author, origin, unit.report,
                                      attachments)) == text_of(expected["hash"]));
    }
}

// `before` may be null.
void check_elided(const json& vector, const char* name, const Header& header,
                  const Neighbour* before) {
    const auto elided = unhex(vector[name]);
    CHECK(elide_header(header, before) == elided);
    ByteReader in(elided);
    CHECK(restore_header(in, before).value() == header);
    CHECK(in.at_end());
}

}  // namespace

TEST_CASE("records mean what they meant", "[vectors]") {
    const auto file = read_vectors("records");
    const auto network = array_of<NetworkId>(file["network"]);
    std::map<LogKey, Neighbour> logs;
    std::optional<Neighbour> last;
    for (const auto& vector : file["records"]) {
        CAPTURE(vector["name"].get<std::string>());
        const auto author = array_of<SigningPublic>(vector["author_identity"]);
        const auto header_bytes = unhex(vector["header"]);
        const auto header = decode_header(header_bytes).value();
        CHECK(encode_header(header) == header_bytes);
        const auto body = unhex(vector["body"]);
        const BodyShape shape{header.body_bytes};
        const auto hashed =
            crypto::body_hash(network, shape, crypto::piece_hashes(network, shape, body));
        CHECK(hex(hashed) == text_of(vector["body_hash"]));
        const auto id = crypto::record_id(network, header, hashed);
        CHECK(hex(id) == text_of(vector["id"]));
        CHECK(crypto::verify_record(author, network, id, array_of<Signature>(vector["signature"])));

        check_elided(vector, "elided_first", header, nullptr);
        if (vector.contains("elided_after_its_predecessor")) {
            check_elided(vector, "elided_after_its_predecessor", header, &logs.at(header.log));
        }
        if (last) {
            check_elided(vector, "elided_after_the_record_above", header, &*last);
        }
        last = Neighbour{header, id};
        logs.insert_or_assign(header.log, *last);
        check_opens(vector, network, header, body);
    }
}

TEST_CASE("every codec and a body in segments are among the records", "[vectors]") {
    std::set<int> codecs;
    std::size_t pieces = 0;
    const auto file = read_vectors("records");
    for (const auto& vector : file["records"]) {
        codecs.insert(vector["codec"].get<int>());
        pieces = std::max(pieces, vector["piece_hashes"].size());
    }
    CHECK(codecs == std::set{0, 1, 2});
    CHECK(pieces > 2);
}

TEST_CASE("of a record of another version the numbers, the id and the signature are known",
          "[vectors]") {
    const auto file = read_vectors("records");
    const auto network = array_of<NetworkId>(file["network"]);
    const auto& vector = file["version_2"];
    const auto header = unhex(vector["header"]);
    CHECK(decode_header(header).error().code == Errc::unsupported);
    ByteReader in(header);
    const auto key = read_key_part(in).value();
    CHECK(key.version == 2);
    CHECK(key.run() == Interval{vector["first_number"], vector["last_number"]});
    const auto id = crypto::record_id(network, BytesView(header).first(key_part_bytes),
                                      crypto::header_rest_hash(network, header),
                                      array_of<Hash>(vector["body_hash"]));
    CHECK(hex(id) == text_of(vector["id"]));
    CHECK(crypto::verify_record(array_of<SigningPublic>(vector["author_identity"]), network, id,
                                array_of<Signature>(vector["signature"])));
    const auto entry = unhex(vector["in_a_frame"]);
    ByteReader entry_in(entry);
    CHECK(restore_header(entry_in, nullptr).error().code == Errc::unsupported);
    // The key part stands behind the mask in every version.
    ByteReader behind_mask(BytesView(entry).subspan(2));
    CHECK(read_key_part(behind_mask).value() == key);
}

}  // namespace fieldpost::tests
