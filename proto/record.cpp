#include "proto/record.h"

#include <fmt/format.h>

#include <bit>

#include "proto/limits.h"
#include "proto/wire_format.h"

namespace fieldpost {

bool Header::has_stanza_for(OfficeId recipient) const {
    return std::ranges::any_of(stanzas, [&](const Stanza& s) { return s.recipient == recipient; });
}

void write(ByteWriter& out, const KeyPart& part) {
    out.u8(part.version);
    out.u16(value_of(part.log.author));
    write(out, part.log.incarnation);
    out.u8(static_cast<std::uint8_t>(part.log.record_class));
    out.u32(part.number);
    out.u8(part.count);
}

namespace {

Result<void> check_run(Number number, std::uint8_t count) {
    if (number == 0 || count == 0 || count > limits::run_count_max ||
        std::uint64_t{number} + count - 1 > record_number_max) {
        return fail(Errc::malformed, fmt::format("header: {} numbers from {}", count, number));
    }
    return ok();
}

Result<void> check_log(const LogKey& log) {
    if (log.author >= authority_signer) {
        return fail(Errc::malformed, "header: the author is no office");
    }
    if (log.incarnation.ordinal == 0) {
        return fail(Errc::malformed, "header: incarnations are counted from 1");
    }
    return ok();
}

}  // namespace

Result<KeyPart> read_key_part(ByteReader& in) {
    KeyPart part;
    part.version = TRY(in.read_u8());
    part.log.author = OfficeId{TRY(in.read_u16())};
    part.log.incarnation = TRY(read_incarnation(in));
    part.log.record_class = TRY(read_record_class(in));
    part.number = TRY(in.read_u32());
    part.count = TRY(in.read_u8());
    TRY(check_log(part.log));
    TRY(check_run(part.number, part.count));
    return part;
}

namespace {

void write_shape(ByteWriter& out, const Header& header) {
    out.u8(static_cast<std::uint8_t>(header.stanzas.size()));
    for (const auto& stanza : header.stanzas) {
        out.u16(value_of(stanza.recipient));
        out.u16(stanza.epoch);
    }
    if (header.group_roster_version) {
        out.u32(*header.group_roster_version);
    }
}

// Recipients without the wrapped keys, as elision sends them.
Result<void> read_shape(ByteReader& in, Header& header) {
    const auto count = TRY(in.read_u8());
    header.stanzas.resize(count);
    for (auto& stanza : header.stanzas) {
        stanza.recipient = OfficeId{TRY(in.read_u16())};
        stanza.epoch = TRY(in.read_u16());
    }
    if (!header.stanzas.empty() && is_group(header.stanzas.back().recipient)) {
        header.group_roster_version = TRY(in.read_u32());
    }
    return ok();
}

}  // namespace

namespace {

std::size_t header_bytes(const Header& header) {
    constexpr std::size_t without_recipients = 112;
    constexpr std::size_t recipient = 2 + 2 + WrappedKey::size;
    return without_recipients + header.stanzas.size() * recipient +
           (header.group_roster_version ? 4U : 0U) + header.extension.size();
}

}  // namespace

Result<void> check_header(const Header& header) {
    TRY(check_log(header.log));
    TRY(check_run(header.number, header.count));
    if (header.lifetime_seconds == 0 || header.lifetime_seconds > limits::lifetime_seconds_max) {
        return fail(Errc::malformed,
                    fmt::format("header: a lifetime of {} s", header.lifetime_seconds));
    }
    TRY(check_body_bytes(header.body_bytes, header.log.record_class));
    if (header.count > 1 && header.body_bytes > limits::pack_body_bytes_max + tag_bytes) {
        return fail(Errc::limit_exceeded, "header: the body of a run over its limit");
    }
    if (header.stanzas.empty() || header.stanzas.size() > limits::recipients_max) {
        return fail(Errc::malformed, fmt::format("header: {} recipients", header.stanzas.size()));
    }
    const auto out_of_order = [](const Stanza& a, const Stanza& b) {
        return a.recipient >= b.recipient;
    };
    if (std::ranges::adjacent_find(header.stanzas, out_of_order) != header.stanzas.end()) {
        return fail(Errc::malformed, "header: recipients not ascending, or one twice");
    }
    for (const auto& stanza : header.stanzas) {
        if (stanza.recipient == authority_signer || stanza.recipient == OfficeId{0xffff}) {
            return fail(Errc::malformed, "header: a recipient is no office and no group");
        }
    }
    if (header.group_roster_version.has_value() != is_group(header.stanzas.back().recipient)) {
        return fail(Errc::malformed, "header: a roster version without a group, or none with one");
    }
    // The restored header may be larger than its elided form.
    if (header_bytes(header) > limits::header_bytes_max) {
        return fail(Errc::limit_exceeded, fmt::format("header: {} bytes", header_bytes(header)));
    }
    return check_extension(header.extension);
}

Bytes encode_header(const Header& header) {
    ByteWriter out;
    write(out, key_part_of(header));
    out.u8(header.flags);
    out.u8(header.kind);
    out.raw(header.prev.view());
    out.u32(header.created.seconds);
    out.u32(header.lifetime_seconds);
    out.u32(header.body_bytes);
    out.raw(header.ephemeral.view());
    out.raw(header.commitment.view());
    out.u8(static_cast<std::uint8_t>(header.stanzas.size()));
    for (const auto& stanza : header.stanzas) {
        out.u16(value_of(stanza.recipient));
        out.u16(stanza.epoch);
        out.raw(stanza.wrapped.view());
    }
    if (header.group_roster_version) {
        out.u32(*header.group_roster_version);
    }
    out.u16(static_cast<std::uint16_t>(header.extension.size()));
    out.raw(header.extension);
    return out.take();
}

Result<Header> decode_header(BytesView bytes) {
    if (bytes.size() > limits::header_bytes_max) {
        return fail(Errc::limit_exceeded, fmt::format("header: {} bytes", bytes.size()));
    }
    ByteReader in(bytes);
    const auto part = TRY(read_key_part(in));
    if (part.version != record_version) {
        return fail(Errc::unsupported, fmt::format("header: version {}", part.version));
    }
    Header header;
    header.log = part.log;
    header.number = part.number;
    header.count = part.count;
    header.flags = TRY(in.read_u8());
    header.kind = TRY(in.read_u8());
    header.prev = TRY(in.read_array<PrevId>());
    header.created = WallTime{TRY(in.read_u32())};
    header.lifetime_seconds = TRY(in.read_u32());
    header.body_bytes = TRY(in.read_u32());
    header.ephemeral = TRY(in.read_array<BoxPublic>());
    header.commitment = TRY(in.read_array<KeyCommitment>());
    const auto count = TRY(in.read_u8());
    if (count > limits::recipients_max) {
        return fail(Errc::limit_exceeded, fmt::format("header: {} recipients", count));
    }
    for (unsigned i = 0; i < count; ++i) {
        Stanza stanza;
        stanza.recipient = OfficeId{TRY(in.read_u16())};
        stanza.epoch = TRY(in.read_u16());
        stanza.wrapped = TRY(in.read_array<WrappedKey>());
        header.stanzas.push_back(stanza);
    }
    if (!header.stanzas.empty() && is_group(header.stanzas.back().recipient)) {
        header.group_roster_version = TRY(in.read_u32());
    }
    const auto extension_bytes = TRY(in.read_u16());
    header.extension = to_bytes(TRY(in.read(extension_bytes)));
    TRY(in.expect_end("header"));
    TRY(check_header(header));
    return header;
}

bool BodyShape::is_one_piece() const {
    return body_bytes <= limits::one_piece_bytes_max;
}

std::uint32_t BodyShape::segment_count() const {
    if (is_one_piece()) {
        return 1;
    }
    return static_cast<std::uint32_t>((body_bytes + limits::segment_bytes - 1) /
                                      limits::segment_bytes);
}

std::uint32_t BodyShape::segment_offset(std::uint32_t index) const {
    return static_cast<std::uint32_t>(index * limits::segment_bytes);
}

std::uint32_t BodyShape::segment_size(std::uint32_t index) const {
    if (is_one_piece()) {
        return body_bytes;
    }
    return std::min(static_cast<std::uint32_t>(limits::segment_bytes),
                    body_bytes - segment_offset(index));
}

BodyShape sealed_shape(std::size_t plaintext_bytes) {
    const auto one_piece = plaintext_bytes + tag_bytes;
    if (one_piece <= limits::one_piece_bytes_max) {
        return {static_cast<std::uint32_t>(one_piece)};
    }
    const auto piece = limits::segment_bytes - tag_bytes;
    const auto segments = (plaintext_bytes + piece - 1) / piece;
    return {static_cast<std::uint32_t>(plaintext_bytes + segments * tag_bytes)};
}

Result<void> check_body_bytes(std::uint32_t body_bytes, RecordClass record_class) {
    const auto max = record_class == RecordClass::bulk || record_class == RecordClass::normal
                         ? limits::record_bytes_max
                         : limits::urgent_record_bytes_max;
    if (body_bytes > max) {
        return fail(Errc::limit_exceeded, fmt::format("header: a body of {} bytes", body_bytes));
    }
    const BodyShape shape{body_bytes};
    if (shape.segment_size(shape.segment_count() - 1) <= tag_bytes) {
        return fail(Errc::malformed, "header: a body with nothing in its last piece");
    }
    return ok();
}

namespace {

// A mask of the low bits that are zero in the Padmé size of `bytes`.
std::size_t padme_mask(std::size_t bytes) {
    if (bytes < 2) {
        return 0;
    }
    const auto exponent = std::bit_width(bytes) - 1;
    const auto exponent_bits = std::bit_width(static_cast<unsigned>(exponent));
    const auto zero_bits = static_cast<int>(exponent) - static_cast<int>(exponent_bits);
    return zero_bits <= 0 ? 0 : (std::size_t{1} << zero_bits) - 1;
}

}  // namespace

std::size_t padme_size(std::size_t bytes) {
    const auto mask = padme_mask(bytes);
    return (bytes + mask) & ~mask;
}

std::size_t padme_size_within(std::size_t bytes) {
    return bytes & ~padme_mask(bytes);
}

namespace {

// A set bit says that the field is sent. A clear bit says that the field is as expected. WIRE.md
// "Elision".
enum Sent : std::uint16_t {
    sent_version =
        1 << 0,  // another version: the 15 bytes of the key part follow, the rest is its own
    sent_author = 1 << 1,
    sent_incarnation = 1 << 2,
    sent_class = 1 << 3,
    sent_number = 1 << 4,
    sent_count = 1 << 5,
    sent_flags = 1 << 6,
    sent_kind = 1 << 7,
    sent_prev = 1 << 8,
    sent_created = 1 << 9,
    sent_lifetime = 1 << 10,
    sent_recipients = 1 << 11,
    sent_extension = 1 << 12,
    sent_all_known = (1 << 13) - 1,
};

// The header that the receiver expects after the header before in this frame. Without one, all
// fields are zero. In no valid header are the author's incarnation, the number or the recipients
// zero, so those are then sent.
Header expected_after(const Neighbour* before) {
    Header expected;
    expected.number = 0;
    expected.lifetime_seconds = limits::lifetime_seconds_default;
    if (before != nullptr) {
        expected = before->header;
        expected.number = static_cast<Number>(before->header.number + before->header.count);
        expected.prev = prev_of(before->id);
    }
    expected.count = 1;
    return expected;
}

bool same_recipients(const Header& a, const Header& b) {
    return a.group_roster_version == b.group_roster_version &&
           std::ranges::equal(a.stanzas, b.stanzas, [](const Stanza& x, const Stanza& y) {
               return x.recipient == y.recipient && x.epoch == y.epoch;
           });
}

}  // namespace

Bytes elide_header(const Header& header, const Neighbour* before) {
    const auto expected = expected_after(before);
    std::uint16_t mask = 0;
    const auto send_if = [&](bool differs, Sent field) {
        mask = static_cast<std::uint16_t>(mask | (differs ? field : 0));
    };
    send_if(header.log.author != expected.log.author || before == nullptr, sent_author);
    send_if(header.log.incarnation != expected.log.incarnation, sent_incarnation);
    send_if(header.log.record_class != expected.log.record_class, sent_class);
    send_if(header.number != expected.number, sent_number);
    send_if(header.count != expected.count, sent_count);
    send_if(header.flags != expected.flags, sent_flags);
    send_if(header.kind != expected.kind, sent_kind);
    send_if(header.prev != expected.prev, sent_prev);
    send_if(before == nullptr, sent_created);
    send_if(header.lifetime_seconds != expected.lifetime_seconds, sent_lifetime);
    send_if(!same_recipients(header, expected), sent_recipients);
    send_if(header.extension != expected.extension, sent_extension);

    ByteWriter out;
    out.u16(mask);
    if ((mask & sent_author) != 0) {
        out.u16(value_of(header.log.author));
    }
    if ((mask & sent_incarnation) != 0) {
        write(out, header.log.incarnation);
    }
    if ((mask & sent_class) != 0) {
        out.u8(static_cast<std::uint8_t>(header.log.record_class));
    }
    if ((mask & sent_number) != 0) {
        out.u32(header.number);
    }
    if ((mask & sent_count) != 0) {
        out.u8(header.count);
    }
    if ((mask & sent_flags) != 0) {
        out.u8(header.flags);
    }
    if ((mask & sent_kind) != 0) {
        out.u8(header.kind);
    }
    if ((mask & sent_prev) != 0) {
        out.raw(header.prev.view());
    }
    if ((mask & sent_created) != 0) {
        out.u32(header.created.seconds);
    } else {
        out.varint(zigzag(std::int64_t{header.created.seconds} - expected.created.seconds));
    }
    if ((mask & sent_lifetime) != 0) {
        out.u32(header.lifetime_seconds);
    }
    out.varint(header.body_bytes);
    out.raw(header.ephemeral.view());
    out.raw(header.commitment.view());
    if ((mask & sent_recipients) != 0) {
        write_shape(out, header);
    }
    for (const auto& stanza : header.stanzas) {
        out.raw(stanza.wrapped.view());
    }
    if ((mask & sent_extension) != 0) {
        out.sized(header.extension);
    }
    return out.take();
}

Result<Header> restore_header(ByteReader& in, const Neighbour* before) {
    const auto mask = TRY(in.read_u16());
    if ((mask & ~sent_all_known) != 0) {
        return fail(Errc::unsupported, "elided header: a mask this release does not know");
    }
    if ((mask & sent_version) != 0) {
        return fail(Errc::unsupported, "elided header: of another version");
    }
    auto header = expected_after(before);
    if ((mask & sent_author) != 0) {
        header.log.author = OfficeId{TRY(in.read_u16())};
    } else if (before == nullptr) {
        return fail(Errc::malformed, "elided header: nothing before it in this frame");
    }
    if ((mask & sent_incarnation) != 0) {
        header.log.incarnation = TRY(read_incarnation(in));
    }
    if ((mask & sent_class) != 0) {
        header.log.record_class = TRY(read_record_class(in));
    }
    if ((mask & sent_number) != 0) {
        header.number = TRY(in.read_u32());
    }
    if ((mask & sent_count) != 0) {
        header.count = TRY(in.read_u8());
    }
    if ((mask & sent_flags) != 0) {
        header.flags = TRY(in.read_u8());
    }
    if ((mask & sent_kind) != 0) {
        header.kind = TRY(in.read_u8());
    }
    if ((mask & sent_prev) != 0) {
        header.prev = TRY(in.read_array<PrevId>());
    }
    if ((mask & sent_created) != 0) {
        header.created = WallTime{TRY(in.read_u32())};
    } else {
        const auto delta = unzigzag(TRY(in.read_varint()));
        if (delta < -std::int64_t{UINT32_MAX} || delta > std::int64_t{UINT32_MAX} ||
            header.created.seconds + delta < 0 || header.created.seconds + delta > UINT32_MAX) {
            return fail(Errc::malformed, "elided header: a time out of range");
        }
        header.created.seconds = static_cast<std::uint32_t>(header.created.seconds + delta);
    }
    if ((mask & sent_lifetime) != 0) {
        header.lifetime_seconds = TRY(in.read_u32());
    }
    const auto body_bytes = TRY(in.read_varint());
    if (body_bytes > limits::record_bytes_max) {
        return fail(Errc::limit_exceeded,
                    fmt::format("elided header: a body of {} bytes", body_bytes));
    }
    header.body_bytes = static_cast<std::uint32_t>(body_bytes);
    header.ephemeral = TRY(in.read_array<BoxPublic>());
    header.commitment = TRY(in.read_array<KeyCommitment>());
    if ((mask & sent_recipients) != 0) {
        header.group_roster_version.reset();
        TRY(read_shape(in, header));
    }
    for (auto& stanza : header.stanzas) {
        stanza.wrapped = TRY(in.read_array<WrappedKey>());
    }
    if ((mask & sent_extension) != 0) {
        header.extension = to_bytes(TRY(in.read_sized(limits::header_bytes_max)));
    }
    TRY(check_log(header.log));
    TRY(check_run(header.number, header.count));
    return header;
}

Result<void> check_extension(BytesView extension) {
    static const MessageRules none_known;
    return check_fields("header extension", extension, none_known);
}

}  // namespace fieldpost
