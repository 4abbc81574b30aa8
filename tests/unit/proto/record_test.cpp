// Goal: headers are exact: an encoded header decodes to the same, an elided one is restored, and a
// header that breaks a rule of WIRE.md is refused.
// Method: random headers for the round trips; one mutation for each rule.
#include "proto/record.h"
#include "proto/limits.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <functional>

using namespace fieldpost;

namespace {

template <class Array>
rc::Gen<Array> arrays() {
    return rc::gen::map(rc::gen::container<std::vector<std::uint8_t>>(
                            Array::size, rc::gen::arbitrary<std::uint8_t>()),
                        [](const std::vector<std::uint8_t>& raw) {
                            Array array;
                            std::ranges::transform(raw, array.bytes.begin(),
                                                   [](std::uint8_t b) { return std::byte{b}; });
                            return array;
                        });
}

Header random_header() {
    Header header;
    header.log.author = OfficeId{*rc::gen::inRange<std::uint16_t>(0, 500)};
    header.log.incarnation = {*rc::gen::inRange<std::uint16_t>(1, 4),
                              *rc::gen::arbitrary<std::uint32_t>()};
    header.log.record_class = static_cast<RecordClass>(*rc::gen::inRange(0, 4));
    header.number = *rc::gen::inRange<Number>(1, 1'000'000);
    header.count = *rc::gen::inRange<std::uint8_t>(1, 65);
    header.flags = *rc::gen::arbitrary<std::uint8_t>();
    header.kind = *rc::gen::arbitrary<std::uint8_t>();
    header.prev = *arrays<PrevId>();
    header.created = {*rc::gen::arbitrary<std::uint32_t>()};
    header.lifetime_seconds = *rc::gen::inRange<std::uint32_t>(1, limits::lifetime_seconds_max + 1);
    header.body_bytes = *rc::gen::inRange<std::uint32_t>(17, 8000);
    header.ephemeral = *arrays<BoxPublic>();
    header.commitment = *arrays<KeyCommitment>();
    for (const auto recipient :
         std::initializer_list<std::uint16_t>{1, 2, 3, 40, 500, 0xff00, 0xff02}) {
        if (recipient == 500 ? header.stanzas.empty() : *rc::gen::arbitrary<bool>()) {
            header.stanzas.push_back(
                {OfficeId{recipient}, *rc::gen::arbitrary<std::uint16_t>(), *arrays<WrappedKey>()});
        }
    }
    if (is_group(header.stanzas.back().recipient)) {
        header.group_roster_version = *rc::gen::arbitrary<std::uint32_t>();
    }
    if (*rc::gen::arbitrary<bool>()) {
        header.extension = {std::byte{0x0a}, std::byte{1},
                            *rc::gen::map(rc::gen::arbitrary<std::uint8_t>(),
                                          [](std::uint8_t b) { return std::byte{b}; })};
    }
    return header;
}

Header plain_header() {
    Header header;
    header.log = {OfficeId{3}, {1, 77}, RecordClass::normal};
    header.number = 5;
    header.lifetime_seconds = 86400;
    header.body_bytes = 400;
    header.stanzas = {{OfficeId{1}, 1, {}}, {OfficeId{2}, 1, {}}};
    return header;
}

Result<Header> decoded(const Header& header) {
    return decode_header(encode_header(header));
}

}  // namespace

TEST_CASE("a header decodes to what was encoded", "[proto]") {
    CHECK(rc::check([] {
        const auto header = random_header();
        RC_ASSERT(decoded(header).value() == header);
    }));
}

TEST_CASE("a header has the size that the design counts with", "[proto]") {
    auto header = plain_header();
    CHECK(encode_header(header).size() == 112 + 20 * 2);
    header.stanzas.pop_back();
    CHECK(encode_header(header).size() == 112 + 20);
}

TEST_CASE("an elided header is restored exactly, whatever stood before it", "[proto]") {
    CHECK(rc::check([] {
        const auto before = random_header();
        auto header = random_header();
        const Neighbour neighbour{before, *arrays<RecordId>()};
        // Neighbours mostly agree; make each field do so or not.
        if (*rc::gen::arbitrary<bool>()) {
            header.log = before.log;
            header.number = before.number + before.count;
        }
        if (*rc::gen::arbitrary<bool>()) {
            header.prev = prev_of(neighbour.id);
        }
        if (*rc::gen::arbitrary<bool>()) {
            header.stanzas = before.stanzas;
            header.group_roster_version = before.group_roster_version;
        }
        for (const auto* context : {&neighbour, static_cast<const Neighbour*>(nullptr)}) {
            const auto elided = elide_header(header, context);
            ByteReader in(elided);
            RC_ASSERT(restore_header(in, context).value() == header);
            RC_ASSERT(in.at_end());
        }
    }));
}

TEST_CASE("an elided header may not rely on a neighbour that is not there", "[proto]") {
    auto first = plain_header();
    auto second = first;
    second.number = 6;
    const Neighbour neighbour{first, {}};
    const auto elided = elide_header(second, &neighbour);
    ByteReader in(elided);
    CHECK_FALSE(restore_header(in, nullptr).has_value());
}

TEST_CASE("a header that breaks a rule is refused", "[proto]") {
    const auto refused = [](const std::function<void(Header&)>& damage) {
        auto header = plain_header();
        REQUIRE(decoded(header).has_value());
        damage(header);
        return !decoded(header).has_value();
    };
    CHECK(refused([](Header& h) { h.number = 0; }));
    CHECK(refused([](Header& h) { h.count = 0; }));
    CHECK(refused([](Header& h) { h.count = 65; }));
    CHECK(refused([](Header& h) {
        h.number = UINT32_MAX - 1;
        h.count = 2;
    }));
    CHECK(refused([](Header& h) { h.log.author = authority_signer; }));
    CHECK(refused([](Header& h) { h.log.author = OfficeId{0xff01}; }));
    CHECK(refused([](Header& h) { h.log.incarnation.ordinal = 0; }));
    CHECK(refused([](Header& h) { h.log.record_class = static_cast<RecordClass>(4); }));
    CHECK(refused([](Header& h) { h.lifetime_seconds = 0; }));
    CHECK(refused([](Header& h) { h.lifetime_seconds = limits::lifetime_seconds_max + 1; }));
    CHECK(refused([](Header& h) { h.body_bytes = 16; }));
    CHECK(refused([](Header& h) { h.body_bytes = limits::record_bytes_max + 1; }));
    CHECK(refused([](Header& h) {
        h.body_bytes = 2 * limits::segment_bytes + 16;
        h.body_bytes = 3 * limits::segment_bytes + 16;
    }));
    CHECK(refused([](Header& h) {
        h.log.record_class = RecordClass::urgent;
        h.body_bytes = 300'000;
    }));
    CHECK(refused([](Header& h) {
        h.count = 2;
        h.body_bytes = 9000;
    }));
    CHECK(refused([](Header& h) { h.stanzas.clear(); }));
    CHECK(refused([](Header& h) { std::swap(h.stanzas[0], h.stanzas[1]); }));
    CHECK(refused([](Header& h) { h.stanzas[1] = h.stanzas[0]; }));
    CHECK(refused([](Header& h) { h.stanzas[1].recipient = authority_signer; }));
    CHECK(refused([](Header& h) { h.group_roster_version = 1; }));
    CHECK(refused([](Header& h) { h.extension = {std::byte{0x08}}; }));  // cut short
    CHECK(refused([](Header& h) {
        h.extension = Bytes{std::byte{0x08}, std::byte{1}, std::byte{0x08}, std::byte{1}};
    }));
    CHECK(refused([](Header& h) { h.extension = Bytes(4000, std::byte{0}); }));
    CHECK(refused([](Header& h) { h.extension = {std::byte{0x0b}}; }));  // a group
}

TEST_CASE("extension fields of later releases may repeat from number 128 on", "[proto]") {
    auto header = plain_header();
    // Field 128, varint 1, twice.
    header.extension = {std::byte{0x80}, std::byte{0x08}, std::byte{1},
                        std::byte{0x80}, std::byte{0x08}, std::byte{1}};
    CHECK(decoded(header).value() == header);
}

TEST_CASE("a header of another version is refused as such, and its numbers can be read",
          "[proto]") {
    auto bytes = encode_header(plain_header());
    bytes[0] = std::byte{2};
    CHECK(decode_header(bytes).error().code == Errc::unsupported);
    ByteReader in(bytes);
    const auto part = read_key_part(in).value();
    CHECK(part.version == 2);
    CHECK(part.log == plain_header().log);
    CHECK(part.run() == Interval{5, 5});

    Bytes elided{std::byte{1}, std::byte{0}};
    elided.insert(elided.end(), bytes.begin(), bytes.end());
    ByteReader elided_in(elided);
    CHECK(restore_header(elided_in, nullptr).error().code == Errc::unsupported);
}

TEST_CASE("every size that a plaintext seals to is cut into pieces that hold it", "[proto]") {
    CHECK(rc::check([](std::uint32_t seed) {
        const auto plain = 1 + seed % (300 * 1024);
        const auto shape = sealed_shape(plain);
        RC_ASSERT(check_body_bytes(shape.body_bytes, RecordClass::bulk).has_value());
        std::uint64_t total = 0;
        for (std::uint32_t i = 0; i < shape.segment_count(); ++i) {
            RC_ASSERT(shape.segment_offset(i) == total);
            RC_ASSERT(shape.segment_size(i) > tag_bytes);
            RC_ASSERT(shape.is_one_piece() || shape.segment_size(i) <= limits::segment_bytes);
            total += shape.segment_size(i);
        }
        RC_ASSERT(total == shape.body_bytes);
        RC_ASSERT(total - std::uint64_t{shape.segment_count()} * tag_bytes == plain);
    }));
}

TEST_CASE("Padme sizes are those of the paper", "[proto]") {
    CHECK(padme_size(0) == 0);
    CHECK(padme_size(9) == 10);
    CHECK(padme_size(100) == 104);
    CHECK(padme_size(500) == 512);
    CHECK(padme_size(5000) == 5120);
    CHECK(rc::check([](std::uint32_t size) {
        const auto padded = padme_size(size);
        RC_ASSERT(padded >= size);
        RC_ASSERT(padded <= std::size_t{size} + size / 8 + 1);
        RC_ASSERT(padme_size(padded) == padded);
    }));
}
