// Goal: an office hears offices of every later release.
// Method: beacons.json holds calls from an IPv4 and an IPv6 address, and their meaning.
#include <catch2/catch.hpp>

#include "crypto/beacon.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

constexpr std::uint16_t call_epoch = 3;

json call(const crypto::BeaconKey& key, const NetworkId& network, const crypto::Beacon& beacon,
          const crypto::NetworkAddress& sender) {
    crypto::BeaconNonce nonce;
    crypto::fill_random(nonce.bytes);
    return {{"bytes", hex(crypto::seal_beacon(key, network, beacon, nonce, sender))},
            {"sender", to_hex(sender)},
            {"epoch", 0},
            {"office", value_of(beacon.office)},
            {"port", beacon.port}};
}

crypto::NetworkAddress address_of(const json& text) {
    crypto::NetworkAddress address{};
    std::ranges::copy(unhex(text), address.begin());
    return address;
}

}  // namespace

json make_beacons(const Network& network) {
    const auto founding_key = crypto::FoundingKey::random();
    const auto transport = crypto::BoxSecret::random();
    const auto key = crypto::beacon_key(founding_key.view(), 0, network.id());
    const auto ipv4 = address_of("00000000000000000000ffff0a080001");
    const auto ipv6 = address_of("fe8000000000000000fc00fffe000001");
    auto later = call(crypto::beacon_key(transport.view(), call_epoch, network.id()), network.id(),
                      {network.offices[2].index, 1}, ipv4);
    later["epoch"] = call_epoch;
    return {{"network", hex(network.id())},
            {"founding_key", hex(founding_key.view())},
            {"transport_secret", hex(transport.view())},
            {"beacons",
             {call(key, network.id(), {network.offices[1].index, 6743}, ipv4),
              call(key, network.id(), {network.offices[3].index, 65535}, ipv6), later}}};
}

TEST_CASE("published beacons are heard", "[vectors]") {
    const auto file = read_vectors("beacons");
    const auto network = array_of<NetworkId>(file["network"]);
    REQUIRE(file["beacons"].size() == 3);
    for (const auto& vector : file["beacons"]) {
        const auto epoch = vector["epoch"].get<std::uint16_t>();
        const auto key = crypto::beacon_key(
            unhex(file[epoch == 0 ? "founding_key" : "transport_secret"]), epoch, network);
        const auto bytes = unhex(vector["bytes"]);
        const auto sender = address_of(vector["sender"]);
        const auto beacon = crypto::open_beacon(key, network, bytes, sender);
        REQUIRE(beacon);
        CHECK(value_of(beacon->office) == vector["office"].get<std::uint16_t>());
        CHECK(beacon->port == vector["port"].get<std::uint16_t>());
        crypto::BeaconNonce nonce;
        std::ranges::copy(BytesView(bytes).first(nonce.size), nonce.bytes.begin());
        CHECK(crypto::seal_beacon(key, network, *beacon, nonce, sender) == bytes);
    }
}

}  // namespace fieldpost::tests
