// Goal: a follower that starts again knows the row of files that it left, and takes no other files
// for it.
// Method: bookmarks with made-up contents, under the names that the daemon would give.
#include "daemon/runtime/bookmark.h"

#include <catch2/catch.hpp>

using namespace fieldpost;
using namespace fieldpost::runtime;

namespace {

Bytes text(const std::string& words) {
    return to_bytes(as_bytes(words));
}

// The files of one row, in its order.
std::vector<NamedTail> row_of(const std::string& writing, std::size_t files) {
    std::vector<NamedTail> row;
    for (std::size_t i = 0; i < files; ++i) {
        const auto said = text(writing + std::to_string(i));
        const auto name = i == 0 ? "first.bin" : name_after(row.back().tail.said, 7);
        row.push_back({name, {said, static_cast<std::uint8_t>(i)}});
    }
    return row;
}

using Indexes = std::vector<std::size_t>;

}  // namespace

TEST_CASE("a tail comes back as it was, and nothing is read from other bytes", "[bookmark]") {
    const Tail tail{text("said"), std::uint8_t{31}};
    CHECK(decode_tail(encode(tail)) == tail);
    CHECK(encode(Tail{}).empty());
    const auto bytes = encode(tail);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        CHECK(decode_tail(BytesView(bytes).first(size)) == Tail{});
    }
}

TEST_CASE("a row is known by the places and the names of its files", "[bookmark]") {
    auto files = row_of("a", 3);
    CHECK(row_among(files) == Indexes{0, 1, 2});
    SECTION("a newer row replaces it") {
        const auto newer = row_of("b", 2);
        files.insert(files.end(), newer.begin(), newer.end());
        CHECK(row_among(files) == Indexes{3, 4});
    }
    SECTION("the beginning of one and the end of another are no row") {
        const auto other = row_of("b", 3);
        files = {files[0], other[1], other[2]};
        CHECK(row_among(files).empty());
    }
    SECTION("a row with a hole, or without its beginning, is none") {
        files.erase(files.begin() + GENERATE(0, 1));
        CHECK(row_among(files).empty());
    }
    SECTION("a file under another name does not follow") {
        files[2].name = GENERATE("third.bin", "", ".bin", "0007");
        CHECK(row_among(files).empty());
    }
    SECTION("files of no row do not count") {
        files.insert(files.begin() + 1, {"export.bin", {text("export"), {}}});
        files.push_back({"damaged.bin", {}});
        CHECK(row_among(files) == Indexes{0, 2, 3});
    }
    SECTION("nothing follows a file whose summary was too large to be told") {
        files.push_back({name_after(files[2].tail.said, 7), {{}, std::uint8_t{3}}});
        CHECK(row_among(files).empty());
    }
}
