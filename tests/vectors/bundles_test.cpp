// Goal: a stick that a later release wrote can be read here, and the other way round.
// Method: bundles.json holds the bytes of two sticks, and the content of their cells.
#include <catch2/catch.hpp>

#include "crypto/bundle_cells.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

using crypto::BundlePart;

json bundle_of(const crypto::FoundingKey& key, const NetworkId& network,
               const std::vector<std::pair<BundlePart, Bytes>>& cells) {
    crypto::BundleSealer sealer({key, network});
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
    return {
        {"network", hex(network.id())},
        {"founding_key", hex(key.view())},
        {"bundles",
         {bundle_of(key, network.id(), {}), bundle_of(key, network.id(),
                                                      {{BundlePart::roster, bytes_of("roster")},
                                                       {BundlePart::rest, Bytes(200, std::byte{7})},
                                                       {BundlePart::rest, bytes_of("more")}})}}};
}

TEST_CASE("published bundles are read", "[vectors]") {
    const auto file = read_vectors("bundles");
    const auto network = array_of<NetworkId>(file["network"]);
    const auto key = crypto::FoundingKey::from(unhex(file["founding_key"]));
    REQUIRE(file["bundles"].size() == 2);
    for (const auto& vector : file["bundles"]) {
        crypto::BundleOpener opener({key, network});
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
