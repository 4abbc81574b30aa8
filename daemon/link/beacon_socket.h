// Calls into every local network that this machine is on, and hears the calls of others. It uses
// UDP multicast over IPv4 and IPv6, no further than the next router.
//
// Nothing here knows the meaning of a call. Links with two ends (a modem, a tunnel) are left out:
// there is nobody to find, and a call may cost money.
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
        std::string host;  // the sender, as in an endpoint: "192.0.2.1", "[fe80::1%eth0]"
    };

    // unavailable: there is neither IPv4 nor IPv6, or another program has the port.
    static Result<std::unique_ptr<BeaconSocket>> open();
    ~BeaconSocket();
    BeaconSocket(const BeaconSocket&) = delete;
    BeaconSocket& operator=(const BeaconSocket&) = delete;

    // Readable when a call was heard. -1: there is no socket of that kind.
    [[nodiscard]] int ipv4() const { return ipv4_; }
    [[nodiscard]] int ipv6() const { return ipv6_; }

    // Sends one call from each own address in a local network. `what` gives the bytes to send from
    // that address, if any. From then on, networks that came up since the last time are heard too.
    void call(const std::function<Bytes(const Address& from)>& what);
    // The calls that were heard from the networks of this machine. In a flood at most 1,024 of each
    // family are returned. Calls that found no room in the kernel are lost. Never waits.
    std::vector<Heard> hear();

private:
    BeaconSocket() = default;
    int ipv4_ = -1;
    int ipv6_ = -1;
};

}  // namespace fieldpost::link
