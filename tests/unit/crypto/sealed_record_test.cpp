// Goal: a record opens for its recipients, for nobody else, and not at all once a bit has changed.
// Method: real keys; every truncation and every single-bit flip of twenty records; attacks by name.
#include "crypto/sealed_record.h"

#include <catch2/catch.hpp>

#include "proto/limits.h"
#include "tests/support/network.h"

using namespace fieldpost;
using namespace fieldpost::tests;

namespace {

Report report_of(std::string text) {
    Report report;
    report.text = std::move(text);
    report.created = founded_at;
    return report;
}

struct Sent {
    Header header;
    Bytes body;
    RecordId id;
    Signature signature;
};

struct Letter {
    RecordClass record_class = RecordClass::normal;
    std::vector<Report> reports{};
    Bytes attachments{};
};

Sent send(const Network& network, const Office& author, const std::vector<const Office*>& to,
          const Letter& letter) {
    Header draft;
    draft.log = {author.index, {1, 99}, letter.record_class};
    draft.count = static_cast<std::uint8_t>(letter.reports.size());
    draft.created = founded_at;
    draft.lifetime_seconds = limits::lifetime_seconds_default;
    std::vector<crypto::Recipient> recipients;
    recipients.reserve(to.size());
    for (const auto* office : to) {
        recipients.push_back(office->recipient());
    }
    std::vector<ReportUnit> units;
    units.reserve(letter.reports.size());
    for (const auto& report : letter.reports) {
        units.push_back({std::nullopt, encode_report(report)});
    }
    auto sealed = crypto::seal_record(network.id(), author.machine.identity.public_key(), draft,
                                      recipients, units, letter.attachments)
                      .value();
    sealed.header.prev = prev_of(RecordId{});
    const BodyShape shape{sealed.header.body_bytes};
    const auto body = crypto::body_hash(network.id(), shape,
                                        crypto::piece_hashes(network.id(), shape, sealed.body));
    const auto id = crypto::record_id(network.id(), sealed.header, body);
    return {sealed.header, sealed.body, id,
            crypto::sign_record(author.machine.identity, network.id(), id)};
}

// All that a recipient does with a record that arrived: decode, check size, hash, verify, unwrap,
// open.
Result<crypto::OpenedBody> receive(const Network& network, const Office& author,
                                   const Office& reader, BytesView record) {
    ByteReader in(record);
    const auto header_size = TRY(in.read_u16());
    const auto header = TRY(decode_header(TRY(in.read(header_size))));
    const auto signature = TRY(in.read_array<Signature>());
    const auto body = TRY(in.read(header.body_bytes));
    TRY(in.expect_end("record"));
    const BodyShape shape{header.body_bytes};
    const auto hashed =
        crypto::body_hash(network.id(), shape, crypto::piece_hashes(network.id(), shape, body));
    const auto id = crypto::record_id(network.id(), header, hashed);
    const auto& key = author.machine.identity.public_key();
    if (!crypto::verify_record(key, network.id(), id, signature)) {
        return fail(Errc::untrusted, "signature");
    }
    const auto file_key = TRY(crypto::unwrap_file_key(network.id(), key, header, reader.index, 1,
                                                      reader.mail.prekeys.at(1)));
    return crypto::open_body(network.id(), key, header, file_key, body);
}

Bytes flat(const Sent& sent) {
    const auto header = encode_header(sent.header);
    ByteWriter out;
    out.u16(static_cast<std::uint16_t>(header.size()));
    out.raw(header);
    out.raw(sent.signature.view());
    out.raw(sent.body);
    return out.take();
}

}  // namespace

TEST_CASE("every recipient opens a record, and nobody else does", "[crypto]") {
    const auto network = make_network({"hq", "hyesan", "pyongyang", "wonsan"});
    const auto& author = network.offices[1];
    const auto sent = send(network, author, {&network.offices[0], &network.offices[3]},
                           {.reports = {report_of("의지 장착 3건, 석고 재고 없음")}});
    for (const auto reader : {0U, 3U}) {
        const auto opened = receive(network, author, network.offices[reader], flat(sent)).value();
        REQUIRE(opened.units.size() == 1);
        CHECK(decode_report(opened.units[0].report).value().text ==
              "의지 장착 3건, 석고 재고 없음");
    }
    CHECK_FALSE(receive(network, author, network.offices[2], flat(sent)).has_value());
    // The author itself keeps the file key; it is no recipient.
    CHECK_FALSE(receive(network, author, author, flat(sent)).has_value());
}

TEST_CASE("every truncation and every flipped bit of twenty records is refused", "[crypto]") {
    const auto network = make_network({"hq", "hyesan", "wonsan"});
    const auto& author = network.offices[1];
    for (unsigned i = 0; i < 20; ++i) {
        Letter letter;
        letter.record_class = static_cast<RecordClass>(i % record_classes);
        for (unsigned n = 0; n < 1 + i % 3; ++n) {
            letter.reports.push_back(report_of(std::string(i, 'x') + " rapport"));
        }
        std::vector<const Office*> to{&network.offices[0]};
        if (i % 2 != 0) {
            to.push_back(&network.offices[2]);
        }
        const auto record = flat(send(network, author, to, letter));
        REQUIRE(receive(network, author, network.offices[0], record).has_value());
        std::size_t accepted = 0;
        for (std::size_t size = 0; size < record.size(); ++size) {
            accepted += receive(network, author, network.offices[0], BytesView(record).first(size))
                            .has_value();
        }
        for (std::size_t bit = 0; bit < record.size() * 8; ++bit) {
            auto damaged = record;
            damaged[bit / 8] ^= std::byte{1} << (bit % 8);
            accepted += receive(network, author, network.offices[0], damaged).has_value();
        }
        CAPTURE(i);
        CHECK(accepted == 0);
    }
}

TEST_CASE("overheads stay within the design's", "[crypto]") {
    const auto network = make_network({"hq", "hyesan", "pyongyang", "wonsan"});
    const auto& author = network.offices[1];
    // Incompressible enough that the codec is raw, and of a size that Padme leaves alone once the
    // bytes inside are counted. The remaining bytes are overhead.
    const auto text = to_hex(crypto::hash("test", network.id(), {}).view());
    const auto overhead = [&](const std::vector<const Office*>& to) {
        const auto sent = send(network, author, to, {.reports = {report_of(text)}});
        const auto report = encode_report(report_of(text)).size();
        const auto inside = sent.body.size() - tag_bytes;
        INFO("padding " << inside - report);
        CHECK(inside - report <= 8 + report / 8);  // padding is not overhead, and is bounded
        return encode_header(sent.header).size() + Signature::size + tag_bytes + 5;
    };
    CHECK(overhead({&network.offices[0]}) == 217);
    CHECK(overhead({&network.offices[0], &network.offices[2], &network.offices[3]}) == 257);
}

TEST_CASE("on the wire a neighbour in its log costs at most 180 bytes over its text", "[crypto]") {
    const auto network = make_network({"hq", "hyesan"});
    const auto& author = network.offices[1];
    const auto first = send(network, author, {&network.offices[0]}, {.reports = {report_of("a")}});
    auto second = send(network, author, {&network.offices[0]}, {.reports = {report_of("b")}});
    second.header.number = 2;
    second.header.created = first.header.created.plus(600);
    second.header.prev = prev_of(first.id);
    const Neighbour before{first.header, first.id};
    CHECK(elide_header(second.header, &before).size() + Signature::size + tag_bytes + 5 <= 180);
}

TEST_CASE("a record re-signed by another author is refused even with that author's key",
          "[crypto]") {
    const auto network = make_network({"hq", "hyesan", "thief"});
    auto sent = send(network, network.offices[1], {&network.offices[0]},
                     {.reports = {report_of("signed by hyesan")}});
    const auto& thief = network.offices[2];
    sent.header.log.author = thief.index;
    const BodyShape shape{sent.header.body_bytes};
    const auto body = crypto::body_hash(network.id(), shape,
                                        crypto::piece_hashes(network.id(), shape, sent.body));
    sent.id = crypto::record_id(network.id(), sent.header, body);
    sent.signature = crypto::sign_record(thief.machine.identity, network.id(), sent.id);
    const auto opened = receive(network, thief, network.offices[0], flat(sent));
    REQUIRE_FALSE(opened.has_value());
    CHECK(opened.error().detail.find("wrapped key") != std::string::npos);
}

TEST_CASE("a record of another network is refused", "[crypto]") {
    auto ours = make_network({"hq", "hyesan"});
    const auto sent =
        send(ours, ours.offices[1], {&ours.offices[0]}, {.reports = {report_of("x")}});
    auto theirs = make_network({"hq", "hyesan"});
    theirs.offices = std::move(ours.offices);
    CHECK_FALSE(receive(theirs, theirs.offices[1], theirs.offices[0], flat(sent)).has_value());
}

TEST_CASE("a large body is sealed in segments and opens whole", "[crypto]") {
    const auto network = make_network({"hq", "hyesan"});
    Bytes scan(300'000);
    crypto::fill_random(scan);
    auto report = report_of("첨부 파일");
    report.attachments = {{"스캔.pdf", 300'000}, {"empty.txt", 0}};
    const auto sent =
        send(network, network.offices[1], {&network.offices[0]},
             {.record_class = RecordClass::bulk, .reports = {report}, .attachments = scan});
    CHECK(BodyShape{sent.header.body_bytes}.segment_count() > 18);
    const auto opened =
        receive(network, network.offices[1], network.offices[0], flat(sent)).value();
    CHECK(opened.attachments == scan);

    // A segment in another's place opens nowhere.
    auto swapped = sent;
    std::swap_ranges(swapped.body.begin(), swapped.body.begin() + limits::segment_bytes,
                     swapped.body.begin() + limits::segment_bytes);
    CHECK_FALSE(
        receive(network, network.offices[1], network.offices[0], flat(swapped)).has_value());
}

TEST_CASE("texts compress together in a run", "[crypto]") {
    const auto network = make_network({"hq", "hyesan"});
    Letter run;
    std::size_t alone = 0;
    for (int i = 0; i < 8; ++i) {
        const auto report = report_of("Le dispensaire a reçu " + std::to_string(40 + i) +
                                      " malades aujourd'hui, dont neuf enfants.");
        run.reports.push_back(report);
        alone += send(network, network.offices[1], {&network.offices[0]}, {.reports = {report}})
                     .body.size();
    }
    const auto packed = send(network, network.offices[1], {&network.offices[0]}, run);
    CHECK(packed.header.run() == Interval{1, 8});
    CHECK(packed.body.size() * 3 < alone);
    CHECK(receive(network, network.offices[1], network.offices[0], flat(packed))
              .value()
              .units.size() == 8);
}

TEST_CASE("a report's hash depends on all of it and on where it was first written", "[crypto]") {
    const auto network = make_network({"hq"});
    const Origin origin{{1, 7}, RecordClass::normal, 1};
    const auto report = encode_report(report_of("x"));
    const auto one = bytes_of("one");
    const auto two = bytes_of("two");
    const auto base = crypto::report_hash(network.id(), OfficeId{1}, origin, report, {one, two});
    CHECK(base == crypto::report_hash(network.id(), OfficeId{1}, origin, report, {one, two}));
    CHECK(base != crypto::report_hash(network.id(), OfficeId{2}, origin, report, {one, two}));
    CHECK(base != crypto::report_hash(network.id(), OfficeId{1}, {{2, 7}, RecordClass::normal, 1},
                                      report, {one, two}));
    CHECK(base != crypto::report_hash(network.id(), OfficeId{1}, origin, report, {two, one}));
    CHECK(base != crypto::report_hash(network.id(), OfficeId{1}, origin, report, {one}));
}

TEST_CASE("a body that is checked piece by piece is the one that opens whole", "[crypto]") {
    const auto network = make_network({"hq", "hyesan"});
    const auto& author = network.offices[1];
    const auto& reader = network.offices[0];
    const auto& key = author.machine.identity.public_key();
    for (const std::size_t words : {10U, 40'000U, 200'000U}) {
        // Nothing that compresses away: the reports alone take several pieces.
        std::string text;
        for (std::uint32_t i = 0; text.size() < words; ++i) {
            const auto some = crypto::hash("words", network.id(), {as_bytes(std::to_string(i))});
            text += to_hex(some.view());
        }
        for (const std::uint32_t size : {0U, 16'000U, 90'000U}) {
            CAPTURE(words, size);
            auto report = report_of(text);
            report.attachments = {{"none", 0}, {"some", size}, {"nothing", 0}, {"last", 3}};
            Letter letter{.reports = {report}, .attachments = Bytes(size, std::byte{7})};
            letter.attachments.resize(size + 3, std::byte{9});
            const auto sent = send(network, author, {&reader}, letter);
            const auto file_key =
                crypto::unwrap_file_key(network.id(), key, sent.header, reader.index, 1,
                                        reader.mail.prekeys.at(1))
                    .value();
            const BodyShape shape{sent.header.body_bytes};
            std::optional<std::uint32_t> spoiled;
            const auto check = [&] {
                return crypto::check_body(
                    network.id(), key, sent.header, file_key,
                    [&](std::uint32_t piece) -> Result<Bytes> {
                        auto bytes = to_bytes(BytesView(sent.body).subspan(
                            shape.segment_offset(piece), shape.segment_size(piece)));
                        if (spoiled == piece) {
                            bytes.back() ^= std::byte{1};
                        }
                        return bytes;
                    });
            };
            const auto whole =
                crypto::open_body(network.id(), key, sent.header, file_key, sent.body).value();
            CHECK(whole.attachments == letter.attachments);
            const auto checked = check().value();
            REQUIRE(checked.units.size() == 1);
            CHECK(checked.units[0].report == whole.units[0].report);
            const auto all = BytesView(letter.attachments);
            CHECK(checked.attachments ==
                  std::vector{crypto::attachment_hash(network.id(), {}),
                              crypto::attachment_hash(network.id(), all.first(size)),
                              crypto::attachment_hash(network.id(), {}),
                              crypto::attachment_hash(network.id(), all.subspan(size))});
            for (std::uint32_t piece = 0; piece < shape.segment_count(); ++piece) {
                spoiled = piece;
                CHECK(check().error().code == Errc::untrusted);
            }
        }
    }
}
