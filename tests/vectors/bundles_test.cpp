// Goal: a stick that a later release wrote can be read here, and the other way round.
// Method: bundles.json holds the bytes of sticks of three epochs, and the content of their cells.
#include <catch2/catch.hpp>

#include "crypto/bundle_cells.h"
#include "crypto/epoch_chain.h"
#include "proto/epoch_slots.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

using crypto::BundlePart;

constexpr std::uint16_t newest_transport = 3;

json bundle_of(crypto::BundleKeys keys, const std::vector<std::pair<BundlePart, Bytes>>& cells) {
    crypto::BundleSealer sealer(std::move(keys));
    Bytes bytes;
    json means = json::array();
    const auto append = [&](const Bytes& more) {
        bytes.insert(bytes.end(), more.begin(), more.end());
    };
    for (const auto& [part, content] : cells) {
        append(sealer.cell(part, content));
        means.push_back(
            {{"part", part == BundlePart::roster ? "roster" : "rest"}, {"content", hex(content)}});
    }
    for (auto more = sealer.end(); !more.empty(); more = sealer.end()) {
        append(more);
    }
    return {{"bytes", hex(bytes)}, {"cells", means}};
}

}  // namespace

json make_bundles(const Network& network) {
    const auto key = crypto::FoundingKey::random();
    const auto transport = crypto::BoxSecret::random();
    const std::vector<std::pair<BundlePart, Bytes>> cells = {
        {BundlePart::roster, bytes_of("roster")},
        {BundlePart::rest, Bytes(200, std::byte{7})},
        {BundlePart::rest, bytes_of("more")}};
    json bundles = {bundle_of({key, network.id()}, {}), bundle_of({key, network.id()}, cells)};
    // By an office that knows the newest epoch, and by one that was away and knows the first.
    for (const std::uint16_t epoch : {newest_transport, std::uint16_t{1}}) {
        crypto::BundleKeys keys(key, network.id());
        keys.add_epochs(crypto::earlier_epoch_secret(transport, network.id(), transport_group,
                                                     newest_transport, epoch),
                        epoch, network.id());
        bundles.push_back(bundle_of(std::move(keys), cells));
    }
    return {{"network", hex(network.id())},
            {"founding_key", hex(key.view())},
            {"transport", {{"epoch", newest_transport}, {"secret", hex(transport.view())}}},
            {"bundles", bundles}};
}

TEST_CASE("published bundles are read", "[vectors]") {
    const auto file = read_vectors("bundles");
    const auto network = array_of<NetworkId>(file["network"]);
    const auto key = crypto::FoundingKey::from(unhex(file["founding_key"]));
    REQUIRE(file["bundles"].size() == 4);
    for (const auto& vector : file["bundles"]) {
        crypto::BundleKeys keys(key, network);
        keys.add_epochs(crypto::BoxSecret::from(unhex(file["transport"]["secret"])),
                        file["transport"]["epoch"], network);
        crypto::BundleOpener opener(std::move(keys));
        opener.add(unhex(vector["bytes"]));
        opener.finish();
        json cells = json::array();
        while (const auto cell = opener.next()) {
            cells.push_back({{"part", cell->part == BundlePart::roster ? "roster" : "rest"},
                             {"content", hex(cell->content)}});
        }
        CHECK(cells == vector["cells"]);
        CHECK(opener.is_whole());
    }
}

}  // namespace fieldpost::tests
