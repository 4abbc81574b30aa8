// Pairs of numbers, sets, headers, reports and bodies.
#include "proto/compression.h"
#include "proto/limits.h"
#include "tests/vectors/refused.h"

namespace fieldpost::tests {

void add_small_refusals(Refusals& out) {
    out.add("varint", "not in its shortest form", "7f", "ff00");
    out.add("varint", "zero in two bytes", "00", "8000");
    out.add("varint", "more than 64 bits", "ffffffffffffffffff01", "ffffffffffffffffff02");
    out.add("varint", "eleven bytes", "ffffffffffffffffff01", "ffffffffffffffffff8100");
    out.add("varint", "ends early", "8001", "80");

    out.add("interval set", "intervals touch", "0200020100", "0200020000");
    out.add("interval set", "a number over 2^32 - 1", "01feffffff0f00", "01ffffffff0f00");
    out.add("interval set", "a length beyond 2^32 - 1", "0100feffffff0f", "0101feffffff0f");
    out.add("interval set", "a count not in its shortest form", "010000", "81000000");
    out.add("interval set", "a gap not in its shortest form", "010100", "01810000");
    out.add("interval set", "fewer intervals than counted", "0200020300", "0300020300");
    out.add("interval set", "ends early", "0200020300", "02000203");

    out.add("container", "n over 2^32 - 1", "14ffffffff0f", "148080808010");
    out.add("container", "something behind n", "0428", "082800");
    out.add("container", "something behind the set", "0d010002", "1101000200");
    out.add("container", "a set that is not canonical", "150200020100", "150200020000");
    out.add("container", "a bitmap whose first bit is clear", "0e040305", "0e040304");
    out.add("container", "a bitmap whose last bit is clear", "0e040305", "0e040301");
    out.add("container", "a bitmap with a bit beyond its end", "0e040305", "0e04030d");
    out.add("container", "a bitmap of no bits", "0e040101", "0a0400");
    out.add("container", "a bitmap over 2^32 - 1", "1efdffffff0f0203", "1efeffffff0f0203");
    out.add("container", "something behind the bitmap", "0e040305", "1204030500");
    out.add("container", "more counted than there is", "0e040305", "12040305");
}

namespace {

Header plain_header() {
    Header header;
    header.log = {OfficeId{1}, {1, 0xc0ffee}, RecordClass::normal};
    header.number = 7;
    header.count = 2;
    header.created = {1000};
    header.lifetime_seconds = 3600;
    header.body_bytes = 100;
    header.stanzas = {{OfficeId{0}, 1, {}}, {OfficeId{2}, 1, {}}};
    return header;
}

struct HeaderPairs {
    Refusals& out;

    // As a header and, where elision can say it, restored.
    void add(const char* why, const Header& good, const Header& bad) {
        out.add("header", why, encode_header(good), encode_header(bad));
        out.add("elided header", why, elide_header(good, nullptr), elide_header(bad, nullptr));
    }
    template <class Damage>
    void add(const char* why, const Damage& damage) {
        auto bad = plain_header();
        damage(bad);
        add(why, plain_header(), bad);
    }
    template <class Prepare, class Damage>
    void add(const char* why, const Prepare& prepare, const Damage& damage) {
        auto good = plain_header();
        prepare(good);
        auto bad = good;
        damage(bad);
        add(why, good, bad);
    }
};

Bytes field_of(std::uint32_t number, std::size_t size) {
    return written_by([&](ByteWriter& out) {
        out.varint(number << 3 | 2);
        out.sized(Bytes(size));
    });
}

void add_key_part_refusals(HeaderPairs& pairs) {
    pairs.add(
        "the author is the authority", [](Header& h) { h.log.author = OfficeId{0xfefe}; },
        [](Header& h) { h.log.author = OfficeId{0xfeff}; });
    pairs.add("incarnation 0", [](Header& h) { h.log.incarnation.ordinal = 0; });
    pairs.add("class 4", [](Header& h) { h.log.record_class = static_cast<RecordClass>(4); });
    pairs.add("number 0", [](Header& h) { h.number = 0; });
    pairs.add("count 0", [](Header& h) { h.count = 0; });
    pairs.add("count 65", [](Header& h) { h.count = 64; }, [](Header& h) { h.count = 65; });
    pairs.add(
        "the number 2^32 - 1", [](Header& h) { h.number = UINT32_MAX - 2; },
        [](Header& h) { h.number = UINT32_MAX - 1; });
}

void add_size_refusals(HeaderPairs& pairs) {
    const auto one = [](std::uint32_t size, RecordClass record_class) {
        return [=](Header& h) {
            h.count = 1;
            h.log.record_class = record_class;
            h.body_bytes = size;
        };
    };
    const auto normal = RecordClass::normal;
    pairs.add("lifetime 0", [](Header& h) { h.lifetime_seconds = 0; });
    pairs.add(
        "a lifetime over a year", [](Header& h) { h.lifetime_seconds = 31'536'000; },
        [](Header& h) { h.lifetime_seconds = 31'536'001; });
    pairs.add("a body of a tag alone", one(17, normal), one(16, normal));
    pairs.add("a last segment of a tag alone", one(49'169, normal), one(49'168, normal));
    pairs.add("a body over 64 MiB", one(64U << 20, normal), one((64U << 20) + 17, normal));
    pairs.add("an urgent body over 256 KiB", one(256U << 10, RecordClass::urgent),
              one((256U << 10) + 17, RecordClass::urgent));
    pairs.add("a reply over 256 KiB", one(256U << 10, RecordClass::reply),
              one((256U << 10) + 17, RecordClass::reply));
    pairs.add(
        "the body of a run over 8,208 bytes", [](Header& h) { h.body_bytes = 8208; },
        [](Header& h) { h.body_bytes = 8209; });
}

void add_recipient_refusals(HeaderPairs& pairs) {
    pairs.add("no recipient", [](Header& h) { h.stanzas.clear(); });
    pairs.add(
        "65 recipients",
        [](Header& h) {
            h.stanzas.clear();
            for (std::uint16_t i = 0; i < 64; ++i) {
                h.stanzas.push_back({OfficeId{i}, 1, {}});
            }
        },
        [](Header& h) { h.stanzas.push_back({OfficeId{64}, 1, {}}); });
    pairs.add("recipients out of order", [](Header& h) { std::swap(h.stanzas[0], h.stanzas[1]); });
    pairs.add("a recipient twice", [](Header& h) { h.stanzas[0] = h.stanzas[1]; });
    pairs.add(
        "the authority as a recipient",
        [](Header& h) { h.stanzas[1].recipient = OfficeId{0xfefe}; },
        [](Header& h) { h.stanzas[1].recipient = OfficeId{0xfeff}; });
    pairs.add(
        "a recipient that is none",
        [](Header& h) {
            h.stanzas[1].recipient = OfficeId{0xfffe};
            h.group_roster_version = 4;
        },
        [](Header& h) { h.stanzas[1].recipient = OfficeId{0xffff}; });
    pairs.add(
        "a group without a roster version",
        [](Header& h) {
            h.stanzas[1].recipient = OfficeId{0xff00};
            h.group_roster_version = 4;
        },
        [](Header& h) { h.group_roster_version.reset(); });
    pairs.add("a roster version without a group", [](Header& h) { h.group_roster_version = 4; });
}

void add_extension_refusals(HeaderPairs& pairs) {
    const auto extended = [](std::string_view hex_text) {
        return [=](Header& h) { h.extension = from_hex(hex_text).value(); };
    };
    pairs.add("an unknown field below 128 twice", extended("0a0178120179"),
              extended("0a01780a0179"));
    pairs.add("field 0", extended("0801"), extended("0001"));
    pairs.add("a group", extended("0a00"), extended("0b0c"));
    pairs.add("a length not in its shortest form", extended("0a0178"), extended("0a810078"));
    pairs.add("a tag not in its shortest form", extended("0a0178"), extended("8a000178"));
    pairs.add("a field that ends early", extended("0a0178"), extended("0a0278"));
    pairs.add(
        "over 4,096 bytes", [](Header& h) { h.extension = field_of(1, 3941); },
        [](Header& h) { h.extension = field_of(1, 3942); });
}

void add_elision_refusals(Refusals& out) {
    auto header = plain_header();
    header.count = 1;
    const auto good = elide_header(header, nullptr);
    const auto mask = static_cast<unsigned>(good[0]) | static_cast<unsigned>(good[1]) << 8U;
    for (const unsigned bit : {13U, 14U, 15U}) {
        const auto changed = written_by(
            [&](ByteWriter& to) { to.u16(static_cast<std::uint16_t>(mask | 1U << bit)); });
        out.add("elided header", "a mask with a bit from 13 on", good,
                joined(changed, BytesView(good).subspan(2)));
    }
    out.add(
        "elided header", "nothing before it, and no author", good,
        joined(written_by([&](ByteWriter& to) { to.u16(static_cast<std::uint16_t>(mask & ~2U)); }),
               BytesView(good).subspan(4)));
    // Author 2, incarnation 6, number 4 stand before the time.
    const std::size_t time_at = 2 + 2 + 6 + 1 + 4;
    const auto with_difference = [&](std::string_view zigzagged) {
        const auto head = written_by([&](ByteWriter& to) {
            to.u16(static_cast<std::uint16_t>(mask & ~(1U << 9U)));
            to.raw(BytesView(good).subspan(2, time_at - 2));
            to.raw(from_hex(zigzagged).value());
        });
        return joined(head, BytesView(good).subspan(time_at + 4));
    };
    out.add("elided header", "a time before 0", with_difference("02"), with_difference("01"));
    out.add("elided header", "a time over 2^32 - 1", with_difference("feffffff1f"),
            with_difference("8080808020"));
    auto version_1 = joined(written_by([](ByteWriter& to) { to.u16(1); }), encode_header(header));
    out.add("elided header", "version 1 by its key part", good, version_1);
    version_1[2] = std::byte{2};
    out.add("elided header", "version 2", good, version_1);
    out.add("elided header", "something behind it", good, one_more(good));
}

}  // namespace

void add_header_refusals(Refusals& out) {
    HeaderPairs pairs{out};
    add_key_part_refusals(pairs);
    add_size_refusals(pairs);
    add_recipient_refusals(pairs);
    add_extension_refusals(pairs);
    add_elision_refusals(out);
    const auto good = encode_header(plain_header());
    out.add("header", "version 0", good, with(good, 0, "00"));
    out.add("header", "version 2", good, with(good, 0, "02"));
    out.add("header", "ends early", good, one_less(good));
    out.add("header", "something behind it", good, one_more(good));
}

namespace {

std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    for (std::size_t i = 0; i < times; ++i) {
        all += text;
    }
    return all;
}

// One field of Protocol Buffers that is bytes.
Bytes bytes_field(std::uint32_t number, BytesView content) {
    return written_by([&](ByteWriter& out) {
        out.varint(number << 3 | 2);
        out.sized(content);
    });
}
Bytes text_field(std::uint32_t number, std::string_view content) {
    return bytes_field(number, as_bytes(content));
}
Bytes number_field(std::uint32_t number, std::uint64_t value) {
    return written_by([&](ByteWriter& out) {
        out.varint(number << 3);
        out.varint(value);
    });
}
Bytes form_field(std::string_view key, std::string_view value) {
    return bytes_field(5, joined(text_field(1, key), text_field(2, value)));
}
Bytes attachment(std::string_view name, std::uint64_t size) {
    return bytes_field(11, joined(text_field(1, name), number_field(2, size)));
}

void add_text_refusals(Refusals& out) {
    out.add("report", "text that is not UTF-8", text_field(1, "ok"), text_field(1, "\xff\xfe"));
    out.add("report", "an overlong form", text_field(1, "/"), text_field(1, "\xc0\xaf"));
    out.add("report", "a surrogate", text_field(1, "\xed\x9f\xbf"), text_field(1, "\xed\xa0\x80"));
    const std::string_view nul("\0", 1);
    out.add("report", "text with U+0000", text_field(1, "\x01"), text_field(1, nul));
    out.add("report", "a field's value with U+0000", form_field("k", "\x01"), form_field("k", nul));
    out.add("report", "an attachment's name with U+0000", attachment("\x01", 1),
            attachment(nul, 1));
    out.add("report", "a code point over U+10FFFF", text_field(1, "\xf4\x8f\xbf\xbf"),
            text_field(1, "\xf4\x90\x80\x80"));
    out.add("report", "a subject with a line break", text_field(3, "a b"), text_field(3, "a\nb"));
    out.add("report", "a subject with U+007F", text_field(3, "a"), text_field(3, "\x7f"));
    out.add("report", "a subject of 257 code points", text_field(3, repeated("긴", 256)),
            text_field(3, repeated("긴", 257)));
    out.add("report", "staff of 65 code points", text_field(6, repeated("é", 64)),
            text_field(6, repeated("é", 65)));
    out.add("report", "a type of 65 bytes", text_field(4, repeated("t", 64)),
            text_field(4, repeated("t", 65)));
    out.add("report", "a type with a tab", text_field(4, "a b"), text_field(4, "a\tb"));
    out.add_long("report", "text over 1 MiB", "0a808040", 1U << 20, "0a818040", (1U << 20) + 1);
    const auto note = [](std::size_t size) {
        return joined(number_field(7, 1), text_field(1, repeated("n", size)));
    };
    out.add("report", "a note of an acknowledgement over 4 KiB", note(4096), note(4097));
}

void add_form_refusals(Refusals& out) {
    out.add("report", "a field with an empty key", form_field("k", ""), form_field("", ""));
    out.add("report", "a field's key of 65 bytes", form_field(repeated("k", 64), "v"),
            form_field(repeated("k", 65), "v"));
    out.add("report", "a field's key with a control character", form_field("a b", "v"),
            form_field("a\x01", "v"));
    out.add("report", "a field's value over 4 KiB", form_field("k", repeated("v", 4096)),
            form_field("k", repeated("v", 4097)));
    out.add("report", "one key twice", joined(form_field("a", "1"), form_field("b", "2")),
            joined(form_field("a", "1"), form_field("a", "2")));
    Bytes fields;
    for (int i = 0; i < 256; ++i) {
        fields = joined(fields, form_field(std::to_string(i), ""));
    }
    out.add("report", "257 fields", fields, joined(fields, form_field("256", "")));
    out.add("report", "a group's name of 33 code points", text_field(10, repeated("g", 32)),
            text_field(10, repeated("g", 33)));
    Bytes groups;
    Bytes attachments;
    for (int i = 0; i < 64; ++i) {
        groups = joined(groups, text_field(10, "@g"));
        attachments = joined(attachments, attachment("a", 0));
    }
    out.add("report", "65 groups", groups, joined(groups, text_field(10, "@g")));
    out.add("report", "65 attachments", attachments, joined(attachments, attachment("a", 0)));
    out.add("report", "an attachment without a name", attachment("a", 1), attachment("", 1));
    out.add("report", "an attachment's name of 256 bytes", attachment(repeated("a", 255), 1),
            attachment(repeated("a", 256), 1));
    out.add("report", "attachments over 64 MiB",
            joined(attachment("a", 1), attachment("b", (64U << 20) - 1)),
            joined(attachment("a", 1), attachment("b", 64U << 20)));
    out.add("report", "outcome 4", number_field(7, 3), number_field(7, 4));
    out.add("report", "an offset from UTC of a day", number_field(14, 2879),
            number_field(14, 2880));
    out.add("report", "a form version over 2^32 - 1", number_field(15, UINT32_MAX),
            number_field(15, std::uint64_t{1} << 32));
}

void add_reference_refusals(Refusals& out) {
    const auto good = written_by([](ByteWriter& to) {
        to.u16(1);
        write(to, Origin{{1, 2}, RecordClass::bulk, 3});
        to.raw(Bytes(16));
    });
    out.add("report", "a reference of 30 bytes", bytes_field(8, good),
            bytes_field(8, one_more(good)));
    // A correction: `replaces`, `version`, and from the second on `first_version`.
    const auto correction = [&](BytesView replaces, std::optional<std::uint32_t> version,
                                BytesView first = {}) {
        return written_by([&](ByteWriter& to) {
            if (!replaces.empty()) {
                to.raw(bytes_field(9, replaces));
            }
            if (version) {
                to.varint(16U << 3);
                to.varint(*version);
            }
            if (!first.empty()) {
                to.raw(bytes_field(17, first));
            }
        });
    };
    out.add("report", "a reference of 28 bytes", correction(good, 1),
            correction(one_less(good), 1));
    out.add("report", "a correction without its version", correction(good, 1),
            correction(good, std::nullopt));
    out.add("report", "the version of no correction", correction(good, 1), correction({}, 1));
    out.add("report", "a second correction without the first version", correction(good, 2, good),
            correction(good, 2));
    out.add("report", "a first correction with a first version", correction(good, 2, good),
            correction(good, 1, good));
    const auto withdrawal = [&](std::size_t reason_bytes) {
        return joined(text_field(1, repeated("r", reason_bytes)), bytes_field(12, good));
    };
    out.add("report", "a reason over 4 KiB", withdrawal(4096), withdrawal(4097));
    out.add("report", "a reference to no office", bytes_field(12, good),
            bytes_field(12, with(good, 0, "fffe")));
    out.add("report", "a reference to incarnation 0", bytes_field(8, good),
            bytes_field(8, with(good, 2, "0000")));
    out.add("report", "a reference to class 4", bytes_field(8, good),
            bytes_field(8, with(good, 8, "04")));
    out.add("report", "a reference to number 0", bytes_field(8, good),
            bytes_field(8, with(good, 9, "00000000")));
}

void add_wire_refusals(Refusals& out) {
    const auto text = text_field(1, "a");
    const auto twice = [&](std::string_view field) {
        const auto once = from_hex(field).value();
        return std::pair(joined(text, once), joined(joined(text, once), once));
    };
    const auto add_twice = [&](const char* why, std::string_view field) {
        const auto [good, bad] = twice(field);
        out.add("report", why, good, bad);
    };
    add_twice("the staff twice", "320161");
    add_twice("an unknown field below 128 twice", "f80701");
    // An unknown wire type makes a known field unknown, but it is still the same field.
    add_twice("a known field of another wire type twice", "3001");
    out.add("report", "a field's key twice", bytes_field(5, text_field(1, "a")),
            bytes_field(5, joined(text_field(1, "a"), text_field(1, "b"))));
    out.add("report", "a group", text, joined(text, *from_hex("f307f407")));
    out.add("report", "a group in a field", bytes_field(5, text_field(1, "a")),
            bytes_field(5, joined(text_field(1, "a"), *from_hex("f307f407"))));
    out.add("report", "field 0", text, joined(text, *from_hex("0200")));
    out.add("report", "a field over 2^29 - 1", joined(text, *from_hex("faffffff0f00")),
            joined(text, *from_hex("828080801000")));
    out.add("report", "a length not in its shortest form", text, *from_hex("0a810061"));
    out.add("report", "an outcome over 2^32 - 1", number_field(7, 1),
            number_field(7, (std::uint64_t{1} << 32) + 1));
    out.add("report", "a size in an attachment over 2^32 - 1", attachment("a", 5),
            attachment("a", (std::uint64_t{1} << 32) + 5));
    out.add("report", "ends early", text, one_less(text));
}

}  // namespace

void add_report_refusals(Refusals& out) {
    add_text_refusals(out);
    add_form_refusals(out);
    add_reference_refusals(out);
    add_wire_refusals(out);
}

namespace {

struct Body {
    std::uint64_t plain_bytes = 0;
    std::uint8_t codec = 0;
    Bytes compressed{};
    Bytes attachments{};
    std::size_t less_padding = 0;
    std::size_t more_padding = 0;
};

Bytes plaintext(const Body& body) {
    auto bytes = written_by([&](ByteWriter& out) {
        out.varint(body.plain_bytes);
        out.u8(body.codec);
        out.sized(body.compressed);
        out.raw(body.attachments);
    });
    bytes.resize(padme_size(bytes.size()) - body.less_padding + body.more_padding);
    return bytes;
}

Bytes unit_of(BytesView report, std::string_view origin = "00") {
    return joined(from_hex(origin).value(),
                  written_by([&](ByteWriter& out) { out.sized(report); }));
}

Body raw_body(const Bytes& units) {
    return {units.size(), 0, units};
}

// A frame of one raw block, behind `head`.
Bytes zstd_frame(std::string_view head, const Bytes& content) {
    auto frame = from_hex(head).value();
    const auto block = written_by([&](ByteWriter& out) {
        const auto header = content.size() << 3 | 1;
        out.u16(static_cast<std::uint16_t>(header));
        out.u8(static_cast<std::uint8_t>(header >> 16));
        out.raw(content);
    });
    return joined(frame, block);
}

void add_codec_refusals(Refusals& out, const Bytes& unit) {
    const auto good = raw_body(unit);
    const auto changed = [&](auto&& change) {
        auto body = good;
        change(body);
        return plaintext(body);
    };
    out.add("body", "codec 3", plaintext(good), changed([](Body& b) { b.codec = 3; }));
    out.add("body", "raw, and of another size", plaintext(good),
            changed([](Body& b) { ++b.plain_bytes; }));
    out.add("body", "over 3 MiB", plaintext(good),
            changed([](Body& b) { b.plain_bytes = (3U << 20) + 1; }));
    const auto packed = compress(unit);
    ensure(packed.codec == Codec::brotli, "a text for brotli");
    const Body brotli{unit.size(), 2, packed.bytes};
    out.add("body", "brotli, and something behind the stream", plaintext(brotli),
            plaintext({unit.size(), 2, one_more(packed.bytes)}));
    out.add("body", "brotli that ends early", plaintext(brotli),
            plaintext({unit.size(), 2, one_less(packed.bytes)}));
    out.add("body", "brotli of less than declared", plaintext(brotli),
            plaintext({unit.size() + 1, 2, packed.bytes}));
    out.add("body", "brotli of more than declared", plaintext(brotli),
            plaintext({unit.size() - 1, 2, packed.bytes}));
    // Single segment with its size in one byte; the same and a dictionary's number.
    const auto size =
        hex_of([&](ByteWriter& to) { to.u8(static_cast<std::uint8_t>(unit.size())); });
    const auto frame = zstd_frame("28b52ffd20" + size, unit);
    const Body zstd{unit.size(), 1, frame};
    out.add("body", "zstd, and something behind the frame", plaintext(zstd),
            plaintext({unit.size(), 1, one_more(frame)}));
    out.add("body", "zstd, and an empty frame behind it", plaintext(zstd),
            plaintext({unit.size(), 1, joined(frame, zstd_frame("28b52ffd2000", {}))}));
    out.add("body", "zstd with a dictionary", plaintext(zstd),
            plaintext({unit.size(), 1, zstd_frame("28b52ffd2107" + size, unit)}));
    out.add("body", "zstd that ends early", plaintext(zstd),
            plaintext({unit.size(), 1, one_less(frame)}));
}

}  // namespace

void add_body_refusals(Refusals& out) {
    const auto report = text_field(1, "well 7 needs chlorine, well 8 needs chlorine, well 9");
    const auto unit = unit_of(report);
    const auto good = plaintext(raw_body(unit));
    add_codec_refusals(out, unit);

    auto body = raw_body(unit);
    body.more_padding = 100;
    const auto longer = plaintext(body);
    body.more_padding = 0;
    body.less_padding = 1;
    out.add("body", "too little padding", longer, plaintext(body));
    out.add("body", "something in the padding", good, with(good, good.size() - 1, "01"));
    out.add("body", "an origin of 5 bytes", good,
            plaintext(raw_body(unit_of(report, "050100000000"))));
    const std::string_view origin =
        "0b"
        "0100"
        "efbeadde"
        "02"
        "07000000";
    out.add("body", "an origin of class 4", plaintext(raw_body(unit_of(report, origin))),
            plaintext(raw_body(unit_of(report, "0b0100efbeadde0407000000"))));
    out.add("body", "an origin of number 0", plaintext(raw_body(unit_of(report, origin))),
            plaintext(raw_body(unit_of(report, "0b0100efbeadde0200000000"))));
    out.add("body", "an origin of incarnation 0", plaintext(raw_body(unit_of(report, origin))),
            plaintext(raw_body(unit_of(report, "0b0000efbeadde0207000000"))));
    out.add("body", "more reports than counted", good, plaintext(raw_body(joined(unit, unit))));
    out.add("body", "fewer reports than counted", good, plaintext(raw_body({})));
    out.add("body", "a report against its rules", good,
            plaintext(raw_body(unit_of(text_field(1, "\xff")))));
    auto attached = raw_body(unit_of(attachment("a", 3)));
    attached.attachments = bytes_of("abc");
    auto missing = raw_body(unit_of(attachment("a", 30)));
    missing.attachments = bytes_of("abc");
    out.add("body", "shorter than its attachments", plaintext(attached), plaintext(missing));
}

namespace {

Bytes unit_in(RecordClass record_class, RecordKind kind, const Report& report,
              std::optional<Origin> origin = {}) {
    return written_by([&](ByteWriter& out) {
        out.u8(static_cast<std::uint8_t>(record_class));
        out.u8(static_cast<std::uint8_t>(kind));
        out.raw(encode_units({{origin, encode_report(report)}}));
    });
}

}  // namespace

void add_kind_refusals(Refusals& out) {
    using enum RecordClass;
    using enum RecordKind;
    const Origin first{{1, 0xc0ffee}, normal, 7};
    const Origin first_reply{{1, 0xc0ffee}, reply, 7};
    Report plain;
    plain.text = "well 7 needs chlorine";
    auto answer = plain;
    answer.outcome = ReplyOutcome::accepted;
    answer.reply_to = ReportRef{OfficeId{2}, first, {}};
    auto taken_back = plain;
    taken_back.withdraws = answer.reply_to;
    auto asking = plain;
    asking.resend = bytes_of("again");
    const auto without = [](Report report, auto Report::* part) {
        report.*part = {};
        return report;
    };

    const auto good = unit_in(normal, report, plain, first);
    out.add("kind", "a report in class reply", good, unit_in(reply, report, plain));
    out.add("kind", "a report whose origin is in class reply", good,
            unit_in(normal, report, plain, first_reply));
    out.add("kind", "a report with an outcome", good, unit_in(normal, report, answer));
    out.add("kind", "a report that withdraws", good, unit_in(normal, report, taken_back));
    out.add("kind", "a report that asks to resend", good, unit_in(normal, report, asking));

    const auto good_answer = unit_in(reply, acknowledgement, answer, first_reply);
    out.add("kind", "an acknowledgement in class urgent", good_answer,
            unit_in(urgent, acknowledgement, answer));
    out.add("kind", "an acknowledgement whose origin is in class normal", good_answer,
            unit_in(reply, acknowledgement, answer, first));
    out.add("kind", "an acknowledgement without an outcome", good_answer,
            unit_in(reply, acknowledgement, without(answer, &Report::outcome)));
    out.add("kind", "an acknowledgement of no report", good_answer,
            unit_in(reply, acknowledgement, without(answer, &Report::reply_to)));

    const auto good_withdrawal = unit_in(reply, withdrawal, taken_back);
    out.add("kind", "a withdrawal in class bulk", good_withdrawal,
            unit_in(bulk, withdrawal, taken_back));
    out.add("kind", "a withdrawal of no report", good_withdrawal,
            unit_in(reply, withdrawal, plain));
    out.add("kind", "a resend request that asks nothing", unit_in(reply, resend, asking),
            unit_in(reply, resend, plain));
}

}  // namespace fieldpost::tests
