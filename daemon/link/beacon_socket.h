// Calls into every local network that this machine is on, and hears who else does: UDP multicast,
// IPv4 and IPv6, to no further than the next router.
//
// Nothing here knows what is called. Not over links of two ends (a modem, a tunnel): there is
// nobody to find, and it may cost.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto/bytes.h"
#include "proto/result.h"

namespace fieldpost::link {

class BeaconSocket {
public:
    using Address = std::array<std::byte, 16>;  // IPv4 in its IPv6 form
    struct Heard {
        Bytes bytes;
        Address sender{};
        std::string host;  // the sender, as an endpoint names it: "192.0.2.1", "[fe80::1%eth0]"
    };

    // unavailable: there is neither IPv4 nor IPv6, or the port is somebody else's.
    static Result<std::unique_ptr<BeaconSocket>> open();
    ~BeaconSocket();
    BeaconSocket(const BeaconSocket&) = delete;
    BeaconSocket& operator=(const BeaconSocket&) = delete;

    // Readable when somebody was heard; -1: there is none of that kind.
    [[nodiscard]] int ipv4() const { return ipv4_; }
    [[nodiscard]] int ipv6() const { return ipv6_; }

    // Once from each own address in a local network; what to call from there, if anything. From
    // then on the networks that came up since the last time are heard, too.
    void call(const std::function<Bytes(const Address& from)>& what);
    // Calls that were heard, in the networks that this machine itself is on. In a flood at most
    // 1,024 of each family; what the kernel had no room for is lost. Never waits.
    std::vector<Heard> hear();

private:
    BeaconSocket() = default;
    int ipv4_ = -1;
    int ipv6_ = -1;
};

}  // namespace fieldpost::link
