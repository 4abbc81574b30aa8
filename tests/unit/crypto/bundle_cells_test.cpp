// Goal: to a stranger a bundle is noise, other noise each time; to a member damage costs the cell
// it lies in. Method: bundles of known content, all their ends and many of their bits.
#include "crypto/bundle_cells.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "crypto/epoch_chain.h"
#include "proto/epoch_slots.h"
#include "proto/record.h"

using namespace fieldpost;
using namespace fieldpost::crypto;

namespace {

struct Scene {
    FoundingKey key = FoundingKey::random();
    NetworkId network;
    std::vector<Bytes> contents;

    Scene() {
        for (const std::size_t size : {100, 1000, 3, 20'000, 600}) {
            contents.emplace_back(size, std::byte{7});
        }
    }
    [[nodiscard]] Bytes bundle() const {
        BundleSealer sealer({key, network});
        Bytes bytes;
        const auto append = [&](const Bytes& more) {
            bytes.insert(bytes.end(), more.begin(), more.end());
        };
        for (const auto& content : contents) {
            append(sealer.cell(bytes.empty() ? BundlePart::roster : BundlePart::rest, content));
        }
        for (auto more = sealer.end(); !more.empty(); more = sealer.end()) {
            append(more);
        }
        CHECK(sealer.bytes() == bytes.size());
        return bytes;
    }
    // Reads `bytes` some at a time. Returns the sizes of the cells that open.
    [[nodiscard]] std::vector<std::size_t> read(BytesView bytes, std::size_t at_once,
                                                bool* is_whole = nullptr) const {
        BundleOpener opener({key, network});
        std::vector<std::size_t> sizes;
        const auto read_on = [&] {
            while (const auto cell = opener.next()) {
                sizes.push_back(cell->content.size());
            }
        };
        for (std::size_t at = 0; at < bytes.size(); at += at_once) {
            opener.add(bytes.subspan(at, std::min(at_once, bytes.size() - at)));
            read_on();
        }
        opener.finish();
        read_on();
        if (is_whole != nullptr) {
            *is_whole = opener.is_whole();
        }
        return sizes;
    }
};

const std::vector<std::size_t> frame_sizes{100, 1000, 3, 20'000, 600};

}  // namespace

namespace {

constexpr std::uint16_t newest_epoch = 40;
constexpr std::array<std::uint16_t, 6> epochs_tried = {0, 1, 19, 20, 39, 40};

struct Epochs {
    Scene scene;
    BoxSecret transport = BoxSecret::random();

    [[nodiscard]] BundleKeys keys_of(std::uint16_t epoch) const {
        BundleKeys keys(scene.key, scene.network);
        if (epoch > 0) {
            keys.add_epochs(earlier_epoch_secret(transport, scene.network, transport_group,
                                                 newest_epoch, epoch),
                            epoch, scene.network);
        }
        return keys;
    }
    // One cell of each part.
    [[nodiscard]] Bytes written_in(std::uint16_t epoch) const {
        BundleSealer sealer(keys_of(epoch));
        auto bytes = sealer.cell(BundlePart::roster, Bytes(10, std::byte{1}));
        for (auto more = sealer.cell(BundlePart::rest, Bytes(500, std::byte{2})); !more.empty();
             more = sealer.end()) {
            bytes.insert(bytes.end(), more.begin(), more.end());
        }
        return bytes;
    }
};

}  // namespace

TEST_CASE(
    "a stick of any epoch is read by who knows a later one, and is noise to who knows an "
    "earlier one",
    "[crypto]") {
    const Epochs epochs;
    for (const auto written : epochs_tried) {
        const auto bytes = epochs.written_in(written);
        for (const auto known : epochs_tried) {
            CAPTURE(written, known);
            BundleOpener opener(epochs.keys_of(known));
            opener.add(bytes);
            opener.finish();
            const auto roster = opener.next();
            REQUIRE(roster.has_value());
            CHECK(roster->part == BundlePart::roster);
            const auto rest = opener.next();
            CHECK(rest.has_value() == (known >= written));
            CHECK(opener.is_whole() == false);
            CHECK_FALSE(opener.next());
            CHECK(opener.is_whole() == (known >= written));
        }
    }
}

TEST_CASE("the first part of a stick brings the epoch of the second", "[crypto]") {
    const Epochs epochs;
    const auto bytes = epochs.written_in(newest_epoch);
    BundleOpener opener(epochs.keys_of(3));
    opener.add(bytes);
    opener.finish();
    REQUIRE(opener.next().has_value());
    opener.add_epochs(epochs.transport, newest_epoch, epochs.scene.network);
    const auto rest = opener.next();
    REQUIRE(rest.has_value());
    CHECK(rest->content == Bytes(500, std::byte{2}));
    CHECK_FALSE(opener.next());
    CHECK(opener.is_whole());
}

TEST_CASE("a bundle is read back, however it comes", "[crypto]") {
    const Scene scene;
    const auto bundle = scene.bundle();
    for (const std::size_t at_once : {1, 255, 4096, 1 << 20}) {
        bool is_whole = false;
        CHECK(scene.read(bundle, at_once, &is_whole) == frame_sizes);
        CHECK(is_whole);
    }
    CHECK(padme_size(bundle.size()) == bundle.size());
}

TEST_CASE("two bundles of the same content have nothing in common", "[crypto]") {
    const Scene scene;
    const auto one = scene.bundle();
    const auto other = scene.bundle();
    std::set<std::string_view> windows;
    for (std::size_t at = 0; at + 16 <= one.size(); ++at) {
        // Not within one either: there is no magic, and no field that repeats.
        CHECK(windows.insert(as_text(BytesView(one).subspan(at, 16))).second);
    }
    for (std::size_t at = 0; at + 16 <= other.size(); ++at) {
        CHECK_FALSE(windows.contains(as_text(BytesView(other).subspan(at, 16))));
    }
    const Scene stranger;
    CHECK(stranger.read(one, 4096).empty());
}

TEST_CASE("of a bundle that ends anywhere all before the end opens", "[crypto]") {
    const Scene scene;
    const auto bundle = scene.bundle();
    std::size_t most = 0;
    for (std::size_t size = 0; size < bundle.size(); ++size) {
        bool is_whole = false;
        const auto sizes = scene.read(BytesView(bundle).first(size), 1 << 20, &is_whole);
        REQUIRE(sizes.size() >= most);
        REQUIRE(std::equal(sizes.begin(), sizes.end(), frame_sizes.begin()));
        most = sizes.size();
        // Only noise is missing once the end was read.
        REQUIRE((!is_whole || sizes == frame_sizes));
    }
    CHECK(most == frame_sizes.size());
}

TEST_CASE("a bit that is wrong costs one cell", "[crypto]") {
    const Scene scene;
    const auto bundle = scene.bundle();
    std::mt19937_64 dice(1);
    for (int i = 0; i < 1000; ++i) {
        auto damaged = bundle;
        damaged[dice() % damaged.size()] ^= std::byte{static_cast<std::uint8_t>(1U << dice() % 8)};
        REQUIRE(scene.read(damaged, 1 << 20).size() >= frame_sizes.size() - 1);
    }
}

TEST_CASE("what pretends to be large is not read for long", "[crypto]") {
    const Scene scene;
    BundleOpener foreign({scene.key, scene.network});
    const Bytes nothing(1 << 20);
    foreign.add(nothing);
    CHECK_FALSE(foreign.next());
    CHECK(foreign.is_over());
    CHECK_FALSE(foreign.is_bundle());
    BundleOpener spoiled({scene.key, scene.network});
    spoiled.add(BytesView(scene.bundle()).first(512));
    CHECK(spoiled.next());
    int pieces = 0;
    for (; !spoiled.is_over() && pieces < 100; ++pieces) {
        spoiled.add(nothing);
        CHECK_FALSE(spoiled.next());
    }
    CHECK(pieces <= 17);
}

TEST_CASE("a cell here and there does not keep a reader for long", "[crypto]") {
    const Scene scene;
    BundleOpener opener({scene.key, scene.network});
    // Two cells of some bundle at every megabyte, as anybody can copy them.
    Bytes megabyte(1 << 20);
    const auto bundle = scene.bundle();
    std::ranges::copy(BytesView(bundle).first(4096), megabyte.begin());
    int cells = 0;
    int pieces = 0;
    for (; !opener.is_over() && pieces < 100; ++pieces) {
        opener.add(megabyte);
        while (opener.next()) {
            ++cells;
        }
    }
    CHECK(pieces <= 17);
    CHECK(cells == 3);
}

TEST_CASE("a file that is one cell again and again is over, and not whole", "[crypto]") {
    const Scene scene;
    const auto bundle = scene.bundle();
    const auto cell = BytesView(bundle).first(256);
    BundleOpener opener({scene.key, scene.network});
    int cells = 0;
    std::size_t bytes = 0;
    for (; !opener.is_over() && bytes < (64U << 20); bytes += cell.size()) {
        opener.add(cell);
        cells += opener.next() ? 1 : 0;
    }
    CHECK(cells == 1);
    CHECK(bytes <= (17U << 20));
    // Another cell replaces the second cell of 512 bytes: the count of cells is right, and one is
    // missing.
    Scene two;
    two.contents = {Bytes(100), Bytes(100)};
    auto spoiled = two.bundle();
    std::copy_n(spoiled.begin(), 256, spoiled.begin() + 256);
    bool is_whole = true;
    CHECK(two.read(spoiled, 4096, &is_whole).size() == 1);
    CHECK_FALSE(is_whole);
}

TEST_CASE("of a large bundle four fifths may be damaged, and the rest is read", "[crypto]") {
    Scene scene;
    scene.contents.assign(400, Bytes(100'000));
    auto bundle = scene.bundle();
    constexpr std::size_t cell = 100'096;
    for (std::size_t number = 0; number < scene.contents.size(); ++number) {
        if (number % 5 != 0) {
            std::fill_n(bundle.begin() + static_cast<std::ptrdiff_t>(number * cell), cell,
                        std::byte{1});
        }
    }
    CHECK(scene.read(bundle, 1 << 20).size() == scene.contents.size() / 5);
}

TEST_CASE("a file stays within the size that it was given", "[crypto]") {
    const Scene scene;
    std::mt19937_64 dice(2);
    for (const std::uint64_t most : {100, 1000, 5000, 70'000, 1'000'000}) {
        BundleSealer sealer({scene.key, scene.network});
        for (auto room = sealer.room(most); room.cell > 0; room = sealer.room(most)) {
            CHECK(room.file <= most);
            sealer.cell(BundlePart::rest, Bytes(1 + dice() % room.cell));
        }
        while (!sealer.end().empty()) {
        }
        CHECK(sealer.bytes() <= most);
    }
}
