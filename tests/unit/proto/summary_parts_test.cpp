// Goal: a summary of any size comes over whole, and a bad leaf of one office costs no other
// office's leaf.
#include "proto/summary_parts.h"

#include <catch2/catch.hpp>

#include "proto/limits.h"

using namespace fieldpost;

namespace {

LeafSummary leaf_of(std::uint16_t office, std::size_t registers, Number runs = 1) {
    LeafSummary leaf;
    leaf.office = OfficeId{office};
    leaf.logs = {{{1, 7}, RecordClass::normal, {}, {}}};
    for (Number i = 0; i < runs; ++i) {
        leaf.logs[0].not_wanted.add(1000 * i + 1);
    }
    for (std::size_t i = 0; i < registers; ++i) {
        ByteWriter subject;
        subject.u16(static_cast<std::uint16_t>(i));
        leaf.registers.push_back({1, subject.take(), {{1, 7}, i}, {}});
    }
    return leaf;
}

// The leaves that come over, frame by frame, each frame decoded as a reader does.
SummaryReader::Heard told(const std::vector<LeafSummary>& leaves, std::size_t frame_bytes) {
    SummaryReader reader;
    SummaryReader::Heard all;
    bool is_last = false;
    SummaryWriter writer(frame_bytes, [&](const Summary& frame) {
        const auto bytes = encode_frame(frame);
        CHECK(bytes.size() <= limits::frame_bytes_max);
        const auto decoded = decode_frame(bytes);
        REQUIRE(decoded.has_value());
        const auto& read = std::get<Summary>(*decoded);
        is_last = !read.more;
        CHECK(read.whole == is_last);
        const auto heard = reader.take(read);
        std::ranges::copy(heard.leaves, std::back_inserter(all.leaves));
        std::ranges::copy(heard.damaged, std::back_inserter(all.damaged));
    });
    for (const auto& leaf : leaves) {
        writer.add(leaf);
    }
    writer.end(true);
    CHECK(is_last);
    return all;
}

}  // namespace

TEST_CASE("a summary comes over whole, however large its leaves are", "[proto]") {
    const auto frame_bytes = GENERATE(4096U, 32'768U);
    std::vector<LeafSummary> leaves;
    for (std::uint16_t office = 0; office < 400; ++office) {
        leaves.push_back(leaf_of(office, office % 3));
    }
    leaves[7] = leaf_of(7, 3000);
    leaves[9] = leaf_of(9, 2, limits::log_runs_max);
    leaves[399] = leaf_of(399, 6000);
    auto heard = told(leaves, frame_bytes);
    CHECK(heard.damaged.empty());
    // Large leaves stand last.
    CHECK(heard.leaves.at(397).office == OfficeId{7});
    CHECK(heard.leaves.at(399).office == OfficeId{399});
    std::ranges::sort(heard.leaves, {}, &LeafSummary::office);
    CHECK(heard.leaves == leaves);
}

TEST_CASE("a leaf that breaks a rule costs itself", "[proto]") {
    const Summary summary{.whole = true, .leaves = {leaf_of(1, 1), leaf_of(2, 1), leaf_of(3, 1)}};
    auto bytes = encode_frame(summary);
    // The class in the second leaf; all are of the same size.
    const auto size = encode_leaf(summary.leaves[0]).size();
    bytes.at(2 + (2 + size) + 2 + 1 + 6) = std::byte{9};
    const auto read = std::get<Summary>(decode_frame(bytes).value());
    CHECK(read.damaged == std::vector{OfficeId{2}});
    REQUIRE(read.leaves.size() == 2);
    CHECK(read.leaves[0] == summary.leaves[0]);
    CHECK(read.leaves[1] == summary.leaves[2]);
}

TEST_CASE("what a later release writes behind a leaf is left alone", "[proto]") {
    auto content = encode_leaf(leaf_of(1, 2));
    content.resize(content.size() + 9);
    CHECK(decode_leaf(OfficeId{1}, content).value() == leaf_of(1, 2));
}

TEST_CASE("parts that do not fit together, or never end, are no leaf", "[proto]") {
    SummaryReader reader;
    const auto part = [](std::uint16_t office, std::size_t bytes, bool is_last) {
        return Summary{.more = true, .part = LeafPart{OfficeId{office}, Bytes(bytes), is_last}};
    };
    SECTION("something comes between") {
        CHECK(reader.take(part(1, 100, false)).damaged.empty());
        CHECK(reader.take({.more = true}).damaged == std::vector{OfficeId{1}});
    }
    SECTION("another office comes between") {
        CHECK(reader.take(part(1, 100, false)).damaged.empty());
        CHECK(reader.take(part(2, 100, false)).damaged == std::vector{OfficeId{1}});
    }
    SECTION("without end") {
        std::size_t damaged = 0;
        for (int i = 0; i < 100; ++i) {
            damaged += reader.take(part(1, 60'000, false)).damaged.size();
        }
        CHECK(damaged == 20);
    }
}
