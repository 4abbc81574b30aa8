#include "proto/sync_frames.h"

#include <fmt/format.h>

#include "proto/bytes_field.h"
#include "proto/limits.h"
#include "proto/sync.pb.h"
#include "proto/wire_format.h"

namespace fieldpost {

std::uint32_t record_bytes_taken() {
    return limits::record_bytes_max;
}

namespace {

// The order is that of the alternatives in Frame, plus one.
enum class FrameType : std::uint8_t {
    hello = 1,
    roster = 2,
    summary = 3,
    registers = 4,
    records = 5,
    stream_opened = 6,
    stream_resumed = 7,
    chunk = 8,
    skip = 9,
    acknowledged = 10,
    settled = 11,
    custody = 12,
    prove = 13,
    proof = 14,
    leaf_fingerprints = 15,
    bundle_head = 16,
};

// The list of segment hashes of the largest body is the largest part.
constexpr std::size_t part_bytes_max =
    (limits::record_bytes_max / limits::segment_bytes + 1) * Hash::size;

Bytes encode_hello(const Hello& hello) {
    wire::Hello message;
    message.set_version_min(hello.version_min);
    message.set_version_max(hello.version_max);
    message.set_roster_version(hello.roster_version);
    message.set_roster_head(field_of(hello.roster_head.view()));
    message.set_digest(field_of(hello.digest.view()));
    message.set_fingerprint_number(hello.fingerprint_number);
    for (const auto& fingerprint : hello.leaf_fingerprints) {
        message.mutable_leaf_fingerprints()->append(as_text(fingerprint.view()));
    }
    for (const auto& fingerprint : hello.bucket_fingerprints) {
        message.mutable_bucket_fingerprints()->append(as_text(fingerprint.view()));
    }
    message.set_numbers_known(hello.numbers_known);
    message.set_credit_bytes(hello.credit_bytes);
    message.set_clock(hello.clock.seconds);
    message.set_clock_doubtful(hello.clock_doubtful);
    message.set_no_carrying(!hello.carries);
    message.set_record_bytes_max(
        hello.record_bytes_max == limits::record_bytes_max ? 0 : hello.record_bytes_max);
    message.set_life(hello.life);
    message.set_is_doubled(hello.is_doubled);
    return to_bytes(as_bytes(message.SerializeAsString()));
}

Result<Hello> decode_hello(BytesView bytes) {
    static const MessageRules rules{{
        {wire::Hello::kVersionMinFieldNumber, uint32_field},
        {wire::Hello::kVersionMaxFieldNumber, uint32_field},
        {wire::Hello::kRosterVersionFieldNumber, uint32_field},
        {wire::Hello::kFingerprintNumberFieldNumber, uint32_field},
        {wire::Hello::kCreditBytesFieldNumber, uint32_field},
        {wire::Hello::kClockDoubtfulFieldNumber, bool_field},
        {wire::Hello::kNoCarryingFieldNumber, bool_field},
        {wire::Hello::kRecordBytesMaxFieldNumber, uint32_field},
        {wire::Hello::kNumbersKnownFieldNumber, uint32_field},
        {wire::Hello::kIsDoubledFieldNumber, bool_field},
    }};
    TRY(check_fields("hello", bytes, rules));
    wire::Hello message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return fail(Errc::malformed, "hello: not Protocol Buffers");
    }
    Hello hello;
    hello.version_min = message.version_min();
    hello.version_max = message.version_max();
    hello.roster_version = message.roster_version();
    hello.roster_head = TRY(array_of_field<ShortHash>(message.roster_head(), "hello"));
    hello.digest = TRY(array_of_field<Digest>(message.digest(), "hello"));
    hello.fingerprint_number = message.fingerprint_number();
    ByteReader fingerprints(as_bytes(message.leaf_fingerprints()));
    while (!fingerprints.at_end()) {
        hello.leaf_fingerprints.push_back(TRY(fingerprints.read_array<LeafFingerprint>()));
    }
    ByteReader buckets(as_bytes(message.bucket_fingerprints()));
    if (buckets.left() != 0 && buckets.left() != bucket_count * LeafFingerprint::size) {
        return fail(Errc::malformed, "hello: not so many buckets");
    }
    while (!buckets.at_end()) {
        hello.bucket_fingerprints.push_back(TRY(buckets.read_array<LeafFingerprint>()));
    }
    hello.numbers_known = message.numbers_known();
    hello.credit_bytes = message.credit_bytes();
    hello.clock = WallTime{message.clock()};
    hello.clock_doubtful = message.clock_doubtful();
    hello.carries = !message.no_carrying();
    hello.record_bytes_max = message.record_bytes_max() == 0
                                 ? static_cast<std::uint32_t>(limits::record_bytes_max)
                                 : std::min(message.record_bytes_max(),
                                            static_cast<std::uint32_t>(limits::record_bytes_max));
    hello.life = message.life();
    hello.is_doubled = message.is_doubled();
    return hello;
}

void write_version(ByteWriter& out, const RegisterVersion& version) {
    write(out, version.incarnation);
    out.u48(version.counter);
}

Result<RegisterVersion> read_version(ByteReader& in) {
    const auto incarnation = TRY(read_incarnation_or_none(in));
    const auto counter = TRY(in.read_u48());
    return RegisterVersion{incarnation, counter};
}

// The form in which a leaf tells its registers, in the second and third bit of its head.
enum class ListForm : std::uint8_t { all = 0, hash = 1, newest = 2 };

ListForm form_of(const LeafSummary& leaf) {
    return !leaf.all_registers      ? ListForm::all
           : leaf.registers.empty() ? ListForm::hash
                                    : ListForm::newest;
}

void write_leaf(ByteWriter& out, const LeafSummary& leaf) {
    const auto form = form_of(leaf);
    out.varint(8 * leaf.logs.size() + std::size_t{2} * static_cast<unsigned>(form) +
               (leaf.is_closed ? 1 : 0));
    for (const auto& log : leaf.logs) {
        write(out, log.incarnation);
        // The byte of the class has bits to spare, so a rare thing costs no byte of its own.
        out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(log.record_class) |
                                         (log.partials.empty() ? 0U : 0x80U)));
        write_container(out, log.not_wanted);
        if (log.partials.empty()) {
            continue;
        }
        out.varint(log.partials.size());
        for (const auto& partial : log.partials) {
            out.u32(partial.number);
            out.raw(partial.id.view());
            write_container(out, partial.checked);
            out.varint(partial.prefix_part);
            out.varint(partial.prefix_bytes);
        }
    }
    if (form != ListForm::hash) {
        out.varint(leaf.registers.size());
    }
    for (const auto& entry : leaf.registers) {
        out.u8(entry.kind);
        out.sized(entry.subject);
        write_version(out, entry.version);
        out.raw(entry.hash.view());
    }
    if (leaf.all_registers) {
        out.raw(leaf.all_registers->view());
    }
}

Result<PartialSummary> read_partial(ByteReader& in) {
    PartialSummary partial;
    partial.number = TRY(in.read_u32());
    partial.id = TRY(in.read_array<ShortHash>());
    partial.checked = TRY(read_container(in));
    const auto part = TRY(in.read_varint());
    const auto bytes = TRY(in.read_varint());
    if (part > UINT32_MAX || bytes > part_bytes_max) {
        return fail(Errc::malformed, "summary: a prefix that cannot be");
    }
    partial.prefix_part = static_cast<std::uint32_t>(part);
    partial.prefix_bytes = static_cast<std::uint32_t>(bytes);
    return partial;
}

Result<LogSummary> read_log(ByteReader& in) {
    LogSummary log;
    log.incarnation = TRY(read_incarnation(in));
    const auto class_byte = TRY(in.read_u8());
    if ((class_byte & 0x7f) >= record_classes) {
        return fail(Errc::malformed, "summary: an unknown class");
    }
    log.record_class = static_cast<RecordClass>(class_byte & 0x7f);
    log.not_wanted = TRY(read_container(in));
    if (log.not_wanted.intervals().size() > limits::log_runs_max) {
        return fail(Errc::limit_exceeded, "summary: a log of too many intervals");
    }
    if ((class_byte & 0x80) != 0) {
        const auto count = TRY(in.read_varint());
        for (std::uint64_t i = 0; i < count; ++i) {
            log.partials.push_back(TRY(read_partial(in)));
        }
    }
    return log;
}

Result<LeafSummary> read_leaf(ByteReader& in) {
    LeafSummary leaf;
    const auto head = TRY(in.read_varint());
    leaf.is_closed = head % 2 == 1;
    const auto form = static_cast<ListForm>(head / 2 % 4);
    const auto logs = head / 8;
    if (form > ListForm::newest || logs > limits::logs_per_office_max) {
        return fail(Errc::malformed, "summary: a leaf of too many logs, or of another form");
    }
    for (std::uint64_t i = 0; i < logs; ++i) {
        leaf.logs.push_back(TRY(read_log(in)));
    }
    const auto registers = form == ListForm::hash ? 0 : TRY(in.read_varint());
    for (std::uint64_t i = 0; i < registers; ++i) {
        RegisterSummary entry;
        entry.kind = TRY(in.read_u8());
        entry.subject = to_bytes(TRY(in.read_sized(limits::register_subject_bytes_max)));
        entry.version = TRY(read_version(in));
        entry.hash = TRY(in.read_array<ShortHash>());
        leaf.registers.push_back(std::move(entry));
    }
    if (form != ListForm::all) {
        leaf.all_registers = TRY(in.read_array<RegistersHash>());
    }
    // A later release wrote the bytes behind this. They are skipped.
    return leaf;
}

// A bit in the first byte of a summary, above the two lowest bits.
constexpr std::uint8_t part_bit = 4;
constexpr std::uint8_t last_part_bit = 8;

}  // namespace

LogKey closed_below(const LeafSummary& leaf) {
    if (leaf.is_closed) {
        return {OfficeId{static_cast<std::uint16_t>(value_of(leaf.office) + 1)}, {}, {}};
    }
    if (leaf.logs.size() < limits::logs_per_office_max) {
        return {leaf.office, {}, {}};
    }
    LogKey lowest{leaf.office, leaf.logs.front().incarnation, leaf.logs.front().record_class};
    for (const auto& log : leaf.logs) {
        lowest = std::min(lowest, {leaf.office, log.incarnation, log.record_class});
    }
    return lowest;
}

Bytes encode_leaf(const LeafSummary& leaf) {
    ByteWriter out;
    write_leaf(out, leaf);
    return out.take();
}

Result<LeafSummary> decode_leaf(OfficeId office, BytesView bytes) {
    ByteReader in(bytes);
    auto leaf = TRY(read_leaf(in));
    leaf.office = office;
    return leaf;
}

namespace {

struct FrameWriter {
    ByteWriter& out;

    void operator()(const Hello& hello) { out.raw(encode_hello(hello)); }
    void operator()(const RosterNews& news) {
        for (const auto& change : news.changes) {
            out.raw(encode_roster_change(change));
        }
    }
    void operator()(const Summary& summary) {
        const auto form = summary.more ? 2U : summary.whole ? 1U : 0U;
        if (const auto& part = summary.part) {
            out.u8(static_cast<std::uint8_t>(form | (part->is_last ? last_part_bit : part_bit)));
            out.u16(value_of(part->office));
            out.raw(part->bytes);
            return;
        }
        out.u8(static_cast<std::uint8_t>(form));
        std::uint32_t next = 0;
        for (const auto& leaf : summary.leaves) {
            out.varint(value_of(leaf.office) - next);
            next = value_of(leaf.office) + 1U;
            out.sized(encode_leaf(leaf));
        }
    }
    void operator()(const RegisterNews& news) {
        for (const auto& entry : news.registers) {
            out.raw(encode_register(entry));
        }
    }
    void operator()(const RecordNews& news) {
        for (const auto& record : news.records) {
            out.sized(record);
        }
    }
    void operator()(const StreamOpened& opened) {
        out.varint(opened.stream);
        out.sized(opened.elided_header);
        out.raw(opened.signature.view());
        out.raw(opened.body_hash.view());
    }
    void operator()(const StreamResumed& resumed) {
        out.varint(resumed.stream);
        out.raw(resumed.id.view());
    }
    void operator()(const Chunk& chunk) {
        out.varint(chunk.stream);
        out.varint(chunk.part);
        out.varint(chunk.offset);
        out.raw(chunk.bytes);
    }
    void operator()(const Skip& skip) {
        out.varint(skip.stream);
        out.u8(static_cast<std::uint8_t>(skip.reason));
    }
    void operator()(const Acknowledged& acknowledged) { out.varint(acknowledged.bytes); }
    void operator()(const Settled& settled) { out.raw(settled.digest.view()); }
    void operator()(const Custody& custody) { out.raw(encode_custody(custody)); }
    void operator()(const Prove& prove) {
        out.u16(value_of(prove.log.author));
        write(out, prove.log.incarnation);
        out.u8(static_cast<std::uint8_t>(prove.log.record_class));
        out.u32(prove.number);
    }
    void operator()(const RecordProof& proof) { write(out, proof); }
    void operator()(const BundleHead& head) { out.raw(encode_bundle_head(head)); }
    void operator()(const LeafFingerprints& told) {
        out.u64(told.buckets);
        for (const auto& fingerprint : told.fingerprints) {
            out.raw(fingerprint.view());
        }
    }
};

Result<std::uint32_t> read_u32_varint(ByteReader& in) {
    const auto value = TRY(in.read_varint());
    if (value > UINT32_MAX) {
        return fail(Errc::malformed, "frame: a number over 2^32 - 1");
    }
    return static_cast<std::uint32_t>(value);
}

Result<Frame> read_roster_news(ByteReader& in) {
    RosterNews news;
    while (!in.at_end()) {
        news.changes.push_back(TRY(read_roster_change(in)));
    }
    return news;
}

Result<Frame> read_summary(ByteReader& in) {
    Summary summary;
    const auto first = TRY(in.read_u8());
    const auto form = first & 3;
    const auto part = first & (part_bit | last_part_bit);
    if (form > 2 || first > (last_part_bit | 2) || (part == part_bit && form != 2)) {
        return fail(Errc::malformed, "summary: neither whole nor not");
    }
    summary.whole = form == 1;
    summary.more = form == 2;
    if (part != 0) {
        const OfficeId office{TRY(in.read_u16())};
        summary.part = LeafPart{office, to_bytes(TRY(in.read(in.left()))), part == last_part_bit};
        return summary;
    }
    std::uint64_t next = 0;
    while (!in.at_end()) {
        const auto gap = TRY(in.read_varint());
        if (gap > UINT16_MAX || next + gap > UINT16_MAX) {
            return fail(Errc::malformed, "summary: of no office");
        }
        const OfficeId office{static_cast<std::uint16_t>(next + gap)};
        next += gap + 1;
        auto leaf = decode_leaf(office, TRY(in.read_sized(limits::frame_bytes_max)));
        if (leaf) {
            summary.leaves.push_back(std::move(*leaf));
        } else {
            summary.damaged.push_back(office);
        }
    }
    return summary;
}

Result<Frame> read_register_news(ByteReader& in) {
    RegisterNews news;
    while (!in.at_end()) {
        news.registers.push_back(TRY(read_register(in)));
    }
    return news;
}

Result<Frame> read_record_news(ByteReader& in) {
    RecordNews news;
    while (!in.at_end()) {
        news.records.push_back(to_bytes(TRY(in.read_sized(limits::frame_bytes_max))));
    }
    return news;
}

Result<Frame> read_stream_opened(ByteReader& in) {
    StreamOpened opened;
    opened.stream = TRY(read_u32_varint(in));
    opened.elided_header = to_bytes(TRY(in.read_sized(limits::header_bytes_max)));
    opened.signature = TRY(in.read_array<Signature>());
    opened.body_hash = TRY(in.read_array<Hash>());
    return opened;
}

Result<Frame> read_chunk(ByteReader& in) {
    Chunk chunk;
    chunk.stream = TRY(read_u32_varint(in));
    chunk.part = TRY(read_u32_varint(in));
    chunk.offset = TRY(read_u32_varint(in));
    chunk.bytes = to_bytes(TRY(in.read(in.left())));
    if (chunk.bytes.empty() || chunk.part == 0) {
        return fail(Errc::malformed, "chunk: of nothing");
    }
    return chunk;
}

Result<Frame> read_skip(ByteReader& in) {
    Skip skip;
    skip.stream = TRY(read_u32_varint(in));
    // An unknown reason still asks us not to send this.
    skip.reason = static_cast<SkipReason>(TRY(in.read_u8()));
    return skip;
}

Result<Frame> read_frame(FrameType type, ByteReader& in) {
    switch (type) {
        case FrameType::hello:
            return TRY(decode_hello(TRY(in.read(in.left()))));
        case FrameType::roster:
            return read_roster_news(in);
        case FrameType::summary:
            return read_summary(in);
        case FrameType::registers:
            return read_register_news(in);
        case FrameType::records:
            return read_record_news(in);
        case FrameType::stream_opened:
            return read_stream_opened(in);
        case FrameType::stream_resumed: {
            StreamResumed resumed;
            resumed.stream = TRY(read_u32_varint(in));
            resumed.id = TRY(in.read_array<RecordId>());
            return resumed;
        }
        case FrameType::chunk:
            return read_chunk(in);
        case FrameType::skip:
            return read_skip(in);
        case FrameType::acknowledged:
            return Acknowledged{TRY(in.read_varint())};
        case FrameType::settled:
            return Settled{TRY(in.read_array<Digest>())};
        case FrameType::custody:
            return TRY(read_custody(in));
        case FrameType::prove: {
            Prove prove;
            prove.log.author = OfficeId{TRY(in.read_u16())};
            prove.log.incarnation = TRY(read_incarnation(in));
            prove.log.record_class = TRY(read_record_class(in));
            prove.number = TRY(in.read_u32());
            return prove;
        }
        case FrameType::proof:
            return TRY(read_record_proof(in));
        case FrameType::bundle_head:
            return TRY(read_bundle_head(in));
        case FrameType::leaf_fingerprints: {
            LeafFingerprints told;
            told.buckets = TRY(in.read_u64());
            while (!in.at_end()) {
                told.fingerprints.push_back(TRY(in.read_array<ShortFingerprint>()));
            }
            return told;
        }
    }
    return fail(Errc::unsupported, fmt::format("frame: type {}", static_cast<unsigned>(type)));
}

}  // namespace

std::uint32_t part_count(BodyShape shape) {
    return shape.is_one_piece() ? 1 : shape.segment_count() + 1;
}

std::uint32_t part_size(BodyShape shape, std::uint32_t part) {
    if (shape.is_one_piece()) {
        return shape.body_bytes;
    }
    return part == 1 ? static_cast<std::uint32_t>(shape.segment_count() * Hash::size)
                     : shape.segment_size(part - 2);
}

bool is_data(const Frame& frame) {
    return std::holds_alternative<RegisterNews>(frame) ||
           std::holds_alternative<RecordNews>(frame) ||
           std::holds_alternative<StreamOpened>(frame) ||
           std::holds_alternative<StreamResumed>(frame) || std::holds_alternative<Chunk>(frame);
}

Bytes encode_frame(const Frame& frame) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(frame.index() + 1));
    std::visit(FrameWriter{out}, frame);
    return out.take();
}

Result<Frame> decode_frame(BytesView bytes) {
    if (bytes.size() > limits::frame_bytes_max) {
        return fail(Errc::limit_exceeded, fmt::format("frame: {} bytes", bytes.size()));
    }
    ByteReader in(bytes);
    const auto type = static_cast<FrameType>(TRY(in.read_u8()));
    auto frame = TRY(read_frame(type, in));
    TRY(in.expect_end("frame"));
    return frame;
}

}  // namespace fieldpost
