// Goal: two releases that meet understand each other's frames.
// Method: frames.json holds a frame of every type and its meaning.
#include <catch2/catch.hpp>

#include <set>

#include "crypto/sealed_record.h"
#include "proto/limits.h"
#include "proto/link_message.h"
#include "proto/sync_frames.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

json meaning(const RecordProof& proof) {
    return {{"version", proof.key.version},
            {"log", tests::meaning(proof.key.log)},
            {"number", proof.key.number},
            {"count", proof.key.count},
            {"header_rest", hex(proof.header_rest)},
            {"body_hash", hex(proof.body)},
            {"signature", hex(proof.signature)}};
}

json meaning(const LeafSummary& leaf) {
    json means = {{"office", value_of(leaf.office)},
                  {"closed", leaf.is_closed},
                  {"logs", json::array()},
                  {"registers", json::array()}};
    for (const auto& log : leaf.logs) {
        json partials = json::array();
        for (const auto& partial : log.partials) {
            partials.push_back({{"number", partial.number},
                                {"id", hex(partial.id)},
                                {"checked", tests::meaning(partial.checked)},
                                {"part", partial.prefix_part},
                                {"part_bytes", partial.prefix_bytes}});
        }
        means["logs"].push_back({{"incarnation", tests::meaning(log.incarnation)},
                                 {"class", static_cast<int>(log.record_class)},
                                 {"numbers", tests::meaning(log.not_wanted)},
                                 {"partials", partials}});
    }
    for (const auto& entry : leaf.registers) {
        means["registers"].push_back({{"kind", entry.kind},
                                      {"subject", hex(entry.subject)},
                                      {"incarnation", tests::meaning(entry.version.incarnation)},
                                      {"counter", entry.version.counter},
                                      {"hash", hex(entry.hash)}});
    }
    means["all_registers"] = leaf.all_registers ? json(hex(*leaf.all_registers)) : json();
    return means;
}

// The meaning of a frame of records: restores one header after the other.
json meaning(const RecordNews& news, const NetworkId& network) {
    json records = json::array();
    std::optional<Neighbour> before;
    for (const auto& record : news.records) {
        ByteReader in(record);
        const auto header = restore_header(in, before ? &*before : nullptr).value();
        check_header(header).value();
        const auto signature = in.read_array<Signature>().value();
        const BodyShape shape{header.body_bytes};
        const auto body =
            crypto::body_hash(network, shape, {crypto::piece_hash(network, shape, in.rest())});
        const auto id = crypto::record_id(network, header, body);
        records.push_back({{"header", hex(encode_header(header))},
                           {"signature", hex(signature)},
                           {"id", hex(id)}});
        before = Neighbour{header, id};
    }
    return records;
}

struct Meaning {
    const NetworkId& network;

    json operator()(const Hello& hello) const {
        const auto all = [](const auto& fingerprints) {
            json list = json::array();
            for (const auto& fingerprint : fingerprints) {
                list.push_back(hex(fingerprint));
            }
            return list;
        };
        return {{"version_min", hello.version_min},
                {"version_max", hello.version_max},
                {"roster_version", hello.roster_version},
                {"roster_head", hex(hello.roster_head)},
                {"digest", hex(hello.digest)},
                {"fingerprint_number", hello.fingerprint_number},
                {"numbers_known", hello.numbers_known},
                {"leaf_fingerprints", all(hello.leaf_fingerprints)},
                {"bucket_fingerprints", all(hello.bucket_fingerprints)},
                {"credit_bytes", hello.credit_bytes},
                {"clock", hello.clock.seconds},
                {"clock_doubtful", hello.clock_doubtful},
                {"carries", hello.carries},
                {"record_bytes_max", hello.record_bytes_max},
                {"life", hello.life},
                {"is_doubled", hello.is_doubled}};
    }
    json operator()(const RosterNews& news) const {
        json versions = json::array();
        for (const auto& change : news.changes) {
            versions.push_back({{"version", change.version},
                                {"hash", hex(crypto::roster_change_hash(network, change))}});
        }
        return versions;
    }
    json operator()(const Summary& summary) const {
        json leaves = json::array();
        for (const auto& leaf : summary.leaves) {
            leaves.push_back(meaning(leaf));
        }
        const auto part = summary.part ? json{{"office", value_of(summary.part->office)},
                                              {"is_last", summary.part->is_last},
                                              {"bytes", hex(summary.part->bytes)}}
                                       : json();
        return {
            {"whole", summary.whole}, {"more", summary.more}, {"leaves", leaves}, {"part", part}};
    }
    json operator()(const RegisterNews& news) const {
        json registers = json::array();
        for (const auto& entry : news.registers) {
            registers.push_back(
                {{"kind", entry.key.kind}, {"hash", hex(crypto::register_hash(network, entry))}});
        }
        return registers;
    }
    json operator()(const RecordNews& news) const { return meaning(news, network); }
    json operator()(const StreamOpened& opened) const {
        ByteReader in(opened.elided_header);
        const auto header = restore_header(in, nullptr).value();
        in.expect_end("header").value();
        return {{"stream", opened.stream},
                {"header", hex(encode_header(header))},
                {"signature", hex(opened.signature)},
                {"body_hash", hex(opened.body_hash)}};
    }
    json operator()(const StreamResumed& resumed) const {
        return {{"stream", resumed.stream}, {"id", hex(resumed.id)}};
    }
    json operator()(const Chunk& chunk) const {
        return {{"stream", chunk.stream},
                {"part", chunk.part},
                {"offset", chunk.offset},
                {"bytes", hex(chunk.bytes)}};
    }
    json operator()(const Skip& skip) const {
        return {{"stream", skip.stream}, {"reason", static_cast<int>(skip.reason)}};
    }
    json operator()(const Acknowledged& acknowledged) const { return acknowledged.bytes; }
    json operator()(const Settled& settled) const { return hex(settled.digest); }
    json operator()(const Custody& custody) const { return tests::meaning(custody); }
    json operator()(const Prove& prove) const {
        return {{"log", tests::meaning(prove.log)}, {"number", prove.number}};
    }
    json operator()(const RecordProof& proof) const { return meaning(proof); }
    json operator()(const BundleHead& head) const {
        json targets = json::array();
        for (const auto target : head.targets) {
            targets.push_back(value_of(target));
        }
        return {
            {"writer", value_of(head.writer)},
            {"incarnation", {head.version.incarnation.ordinal, head.version.incarnation.random}},
            {"counter", head.version.counter},
            {"at", head.at.seconds},
            {"roster_version", head.roster_version},
            {"carries", head.carries},
            {"place", head.place ? json(*head.place) : json(nullptr)},
            {"targets", targets},
            {"summary", hex(head.summary)}};
    }
    json operator()(const LeafFingerprints& told) const {
        json prints = json::array();
        for (const auto& fingerprint : told.fingerprints) {
            prints.push_back(hex(fingerprint));
        }
        return {{"buckets", told.buckets}, {"fingerprints", prints}};
    }
};

// --- writing -------------------------------------------------------------------------------------

struct FrameWriter {
    const Network& network;
    json list = json::array();

    void add(const char* name, const Frame& frame) {
        list.push_back({{"name", name},
                        {"type", frame.index() + 1},
                        {"bytes", hex(encode_frame(frame))},
                        {"means", std::visit(Meaning{network.id()}, frame)}});
    }
};

SealedForVector record_of(const Network& network, const Office& author, Number number,
                          const Neighbour* before, std::string words) {
    Header draft;
    draft.log = {author.index, {1, 0xc0ffee}, RecordClass::normal};
    draft.number = number;
    draft.created = founded_at.plus(3600 + number);
    draft.lifetime_seconds = limits::lifetime_seconds_default;
    Report report;
    report.text = std::move(words);
    auto sealed = crypto::seal_record(network.id(), author.machine.identity.public_key(), draft,
                                      {network.offices[0].recipient()},
                                      {{std::nullopt, encode_report(report)}}, {})
                      .value();
    if (before != nullptr) {
        sealed.header.prev = prev_of(before->id);
    }
    return signed_for_vector(network, author, sealed.header, sealed.body);
}

Bytes entry_of(const SealedForVector& record, const Neighbour* before) {
    return written_by([&](ByteWriter& out) {
        out.raw(elide_header(record.header, before));
        out.raw(record.signature.view());
        out.raw(record.body);
    });
}

LeafSummary some_leaf() {
    LeafSummary leaf;
    leaf.office = OfficeId{1};
    leaf.logs = {{{1, 0xc0ffee}, RecordClass::reply, {{1, 40}}, {}},
                 {{1, 0xc0ffee}, RecordClass::normal, {{1, 2}, {90'000, 90'001}}, {}},
                 {{2, 5}, RecordClass::bulk, {}, {}}};
    IntervalSet holes;
    for (Number n = 3; n < 90; n += 1 + n % 3) {
        holes.add(n);
    }
    leaf.logs[2].not_wanted = holes;
    PartialSummary begun;
    begun.number = 4;
    crypto::fill_random(begun.id.mutable_view());
    begun.checked = {{1, 3}};
    begun.prefix_part = 4;
    begun.prefix_bytes = 1000;
    PartialSummary waiting;
    waiting.number = 6;
    crypto::fill_random(waiting.id.mutable_view());
    leaf.logs[2].partials = {begun, waiting};
    auto& only_begun = leaf.logs.emplace_back();
    only_begun.incarnation = {2, 6};
    only_begun.partials = {waiting};
    RegisterSummary receipt;
    receipt.kind = static_cast<std::uint8_t>(RegisterKind::receipt);
    receipt.subject = receipt_subject(OfficeId{0});
    receipt.version = {{1, 0xc0ffee}, 12};
    crypto::fill_random(receipt.hash.mutable_view());
    auto office = receipt;
    office.kind = static_cast<std::uint8_t>(RegisterKind::office);
    office.subject.clear();
    leaf.registers = {receipt, office};
    return leaf;
}

LeafSummary authority_leaf() {
    LeafSummary leaf;
    leaf.office = OfficeId{0};
    RegisterSummary slots;
    slots.kind = static_cast<std::uint8_t>(RegisterKind::epoch_slots);
    slots.subject = *from_hex("00ff01");
    slots.version.counter = 6;
    crypto::fill_random(slots.hash.mutable_view());
    leaf.registers = {slots};
    return leaf;
}

void add_meeting(FrameWriter& writer) {
    Hello hello;
    hello.roster_version = 4;
    hello.roster_head = short_hash(writer.network.roster.head());
    crypto::fill_random(hello.digest.mutable_view());
    hello.fingerprint_number = 17;
    hello.leaf_fingerprints.resize(3);
    crypto::fill_random(hello.leaf_fingerprints[0].mutable_view());
    crypto::fill_random(hello.leaf_fingerprints[2].mutable_view());
    hello.credit_bytes = 262'144;
    hello.clock = founded_at.plus(3600);
    writer.add("hello", hello);
    hello.version_max = 3;
    hello.leaf_fingerprints.clear();
    hello.clock_doubtful = true;
    hello.carries = false;
    hello.record_bytes_max = 1 << 20;
    hello.life = 0xfeedbeef;
    hello.is_doubled = true;
    writer.add("hello of a small office that settled before", hello);
    hello.bucket_fingerprints.resize(bucket_count);
    for (auto& fingerprint : hello.bucket_fingerprints) {
        crypto::fill_random(fingerprint.mutable_view());
    }
    hello.numbers_known = 3'000'000;
    writer.add("hello where there are many offices", hello);
    LeafFingerprints fingerprints{1ULL << 63 | 6, {}};
    fingerprints.fingerprints.resize(3);
    for (auto& fingerprint : fingerprints.fingerprints) {
        crypto::fill_random(fingerprint.mutable_view());
    }
    writer.add("leaf fingerprints", fingerprints);
    writer.add("roster", RosterNews{writer.network.changes});
    writer.add("summary", Summary{true, {authority_leaf(), some_leaf()}});
    writer.add("summary of nothing", Summary{false, {}});
    writer.add("summary that goes on", Summary{false, {authority_leaf()}, true});
    auto of_some = some_leaf();
    of_some.registers.pop_back();
    of_some.all_registers.emplace();
    crypto::fill_random(of_some.all_registers->mutable_view());
    auto of_none = authority_leaf();
    of_none.registers.clear();
    of_none.all_registers = of_some.all_registers;
    of_some.is_closed = true;
    writer.add("summary of some registers, and of none", Summary{false, {of_none, of_some}});
    const auto content = encode_leaf(of_some);
    const auto half = content.size() / 2;
    const auto first = to_bytes(BytesView(content).first(half));
    const auto last = to_bytes(BytesView(content).subspan(half));
    writer.add("first part of a leaf",
               Summary{.more = true, .part = LeafPart{OfficeId{1}, first, false}});
    writer.add("last part of it",
               Summary{.whole = true, .part = LeafPart{OfficeId{1}, last, true}});
    writer.add("settled", Settled{hello.digest});
}

void add_records(FrameWriter& writer) {
    const auto& network = writer.network;
    const auto& author = network.offices[1];
    const auto first = record_of(network, author, 1, nullptr, "well 7 needs chlorine");
    const auto first_known = first.neighbour();
    const auto second = record_of(network, author, 2, &first_known, "it came");
    const auto second_known = second.neighbour();
    const auto other = record_of(network, network.offices[2], 1, nullptr, "elsewhere");
    writer.add("records", RecordNews{{entry_of(first, nullptr), entry_of(second, &first_known),
                                      entry_of(other, &second_known)}});
    writer.add("stream opened", StreamOpened{300, elide_header(second.header, nullptr),
                                             second.signature, second.body_hash});
    writer.add("stream resumed", StreamResumed{301, first.id});
    writer.add("chunk", Chunk{300, 3, 16'000, bytes_of("some bytes of a segment")});
    writer.add("skip", Skip{300, SkipReason::elsewhere});
    writer.add("skip until there is room", Skip{302, SkipReason::later});
    writer.add("skip for a reason of a later release", Skip{1, static_cast<SkipReason>(9)});
    writer.add("acknowledged", Acknowledged{5'000'000'000});
    writer.add("prove", Prove{first.header.log, 1});
    writer.add("proof",
               RecordProof{key_part_of(first.header),
                           crypto::header_rest_hash(network.id(), encode_header(first.header)),
                           first.body_hash, first.signature});
}

void add_registers(FrameWriter& writer) {
    const auto& network = writer.network;
    const auto& office = network.offices[1];
    Register entry;
    entry.key = {office.index, 77, bytes_of("s")};
    entry.version = {{1, 0xc0ffee}, 1};
    entry.payload = bytes_of("of a later release");
    crypto::sign_register(office.machine.identity, network.id(), entry);
    auto receipt = entry;
    receipt.key = {office.index, 1, receipt_subject(OfficeId{0})};
    receipt.payload = encode_receipt({});
    crypto::sign_register(office.machine.identity, network.id(), receipt);
    writer.add("registers", RegisterNews{{entry, receipt}});
    Custody custody;
    custody.signer = office.index;
    custody.version = {{1, 0xc0ffee}, 2};
    custody.logs = {{{1, 5}, RecordClass::bulk, short_hash(Hash{}), {{1, 3}}}};
    crypto::sign_custody(office.machine.identity, network.id(), custody);
    writer.add("custody", custody);
    BundleHead head;
    head.writer = office.index;
    head.version = {{1, 0xc0ffee}, 3};
    head.at = founded_at.plus(7200);
    head.roster_version = 4;
    crypto::fill_random(head.summary.mutable_view());
    crypto::sign_bundle_head(office.machine.identity, network.id(), head);
    writer.add("bundle head for everybody", head);
    head.carries = false;
    head.targets = {OfficeId{0}, OfficeId{3}};
    crypto::sign_bundle_head(office.machine.identity, network.id(), head);
    writer.add("bundle head of who carries nothing, for two", head);
    head.place = 17;
    head.other_flags = 0x04;
    crypto::sign_bundle_head(office.machine.identity, network.id(), head);
    writer.add("bundle head of the eighteenth in a row, with a flag of a later release", head);
}

// A summary as no writer of ours makes it: readers accept any container.
json odd_containers() {
    LeafSummary leaf;
    leaf.office = OfficeId{1};
    leaf.logs = {{{1, 1}, RecordClass::normal, {{1, 3}}, {}},
                 {{1, 1}, RecordClass::bulk, {{5, 5}, {7, 7}}, {}},
                 {{1, 2}, RecordClass::reply, {}, {}}};
    const auto content = written_by([&](ByteWriter& out) {
        out.varint(std::uint64_t{8} * 3);
        write(out, Incarnation{1, 1});
        out.u8(2);
        out.raw(*from_hex("0d010002"));  // 1..3 as a set
        write(out, Incarnation{1, 1});
        out.u8(3);
        out.raw(*from_hex("0e040305"));  // 5 and 7 as a bitmap
        write(out, Incarnation{1, 2});
        out.u8(0);
        out.raw(*from_hex("0bffff"));  // a kind of a later release
        out.varint(0);
        out.raw(*from_hex("0102"));  // bytes that a later release adds behind it
    });
    const auto bytes = written_by([&](ByteWriter& out) {
        out.u8(3);
        out.u8(0);
        out.varint(1);
        out.sized(content);
    });
    return {{"name", "summary with containers in other forms"},
            {"type", 3},
            {"bytes", hex(bytes)},
            {"means",
             {{"whole", false}, {"more", false}, {"leaves", {meaning(leaf)}}, {"part", json()}}},
            {"other_form", true}};
}

}  // namespace

json make_frames(const Network& network) {
    FrameWriter writer{network};
    add_meeting(writer);
    add_records(writer);
    add_registers(writer);
    writer.list.push_back(odd_containers());
    const std::vector<Bytes> together = {encode_frame(Acknowledged{700}), encode_frame(Settled{}),
                                         *from_hex("c8010203")};
    auto message = together.front();
    ensure(join_frame(message, together[1]) && join_frame(message, together[2]), "they are small");
    return {
        {"network", hex(network.id())},
        {"frames", writer.list},
        {"message",
         {{"bytes", to_hex(message)},
          {"frames", {to_hex(together[0]), to_hex(together[1]), to_hex(together[2])}}}},
        {"unknown_frame", "c8010203"},
        {"differences",
         make_differences(
             network, {true, {authority_leaf(), some_leaf(), LeafSummary{OfficeId{2}, {}, {}}}})}};
}

TEST_CASE("frames mean what they meant", "[vectors]") {
    const auto file = read_vectors("frames");
    const auto network = array_of<NetworkId>(file["network"]);
    for (const auto& vector : file["frames"]) {
        CAPTURE(vector["name"].get<std::string>());
        const auto bytes = unhex(vector["bytes"]);
        const auto frame = decode_frame(bytes).value();
        CHECK(frame.index() + 1 == vector["type"]);
        CHECK(std::visit(Meaning{network}, frame) == vector["means"]);
        if (!vector.contains("other_form")) {
            CHECK(encode_frame(frame) == bytes);
        }
    }
    CHECK(decode_frame(unhex(file["unknown_frame"])).error().code == Errc::unsupported);
}

TEST_CASE("a message of several frames holds what it held", "[vectors]") {
    const auto vector = read_vectors("frames")["message"];
    const auto bytes = unhex(vector["bytes"]);
    const auto frames = frames_of(bytes).value();
    json held = json::array();
    for (const auto frame : frames) {
        held.push_back(to_hex(frame));
    }
    CHECK(held == vector["frames"]);
    // A frame by itself is a message too.
    CHECK(frames_of(frames.front()).value().size() == 1);
    auto joined = to_bytes(frames.front());
    CHECK(join_frame(joined, frames[1]));
    CHECK(join_frame(joined, frames[2]));
    CHECK(joined == bytes);
}

TEST_CASE("every type of frame is among the vectors", "[vectors]") {
    std::set<int> types;
    const auto file = read_vectors("frames");
    for (const auto& vector : file["frames"]) {
        types.insert(vector["type"].get<int>());
    }
    CHECK(types.size() == std::variant_size_v<Frame>);
}

}  // namespace fieldpost::tests
