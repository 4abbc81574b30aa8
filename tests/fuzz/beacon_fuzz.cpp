// Calls in the local network: arbitrary bytes, and calls forged with the network's secret.
#include "crypto/beacon.h"
#include "daemon/runtime/neighbours.h"
#include "tests/fuzz/founded_office.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

// Commands of eight bytes. Each picks the call, its sender, the office named in it, and the time
// that passes.
FUZZ_TARGET(beacon) {
    static fuzz::FoundedOffice listener;
    static const auto key =
        crypto::beacon_key(listener.network.founding_key().view(), 0, listener.network.id());
    runtime::Neighbours neighbours(listener.network.founding_key(), listener.network.id());
    Now now{{}, tests::founded_at};
    std::set<OfficeId> linked;
    ByteReader in(bytes);
    while (in.left() >= 8) {
        const auto what = in.read_u8().value();
        const auto from = in.read_u8().value();
        const auto office = OfficeId{in.read_u16().value()};
        const auto port = in.read_u16().value();
        now.steady = now.steady + std::chrono::milliseconds{in.read_u16().value()};
        link::BeaconSocket::Heard heard;
        const bool is_ipv6 = from % 2 == 1;
        heard.sender.fill(std::byte{from});
        heard.host = is_ipv6 ? "[fe80::" + std::to_string(from) + "%eth0]"
                             : "192.0.2." + std::to_string(from);
        if (what % 4 == 0) {
            heard.bytes = to_bytes(in.rest().first(std::min<std::size_t>(in.left(), what)));
        } else {
            crypto::BeaconNonce nonce;
            nonce.bytes.fill(std::byte{what});
            heard.bytes = crypto::seal_beacon(key, listener.network.id(), {office, port}, nonce,
                                              heard.sender);
        }
        neighbours.hear({heard}, listener.ledger, now);
        if (what % 8 == 1 && !linked.insert(office).second) {
            linked.erase(office);
        }
        const auto due = neighbours.take_due(linked, now);
        fuzz::must(due.size() <= 16, "a call makes others dial little");
        if (what % 8 == 3 && !due.empty()) {
            neighbours.reached(due.front(), now);
        }
        fuzz::must(neighbours.targets(now).size() <= std::size_t{3} * 16,
                   "few addresses are tried at a time");
        static_cast<void>(neighbours.due_at(linked));
    }
}
