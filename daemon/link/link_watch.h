// Hears from the kernel that the network of this machine has changed (rtnetlink, RFC 3549): an
// address, a route or a carrier came or went, so that nobody has to wait for the next attempt.
//
// Promise: what comes anew is told once; what is only refreshed, as router advertisements do every
// few minutes, is not told at all. An IPv6 address counts once it may be used. Not here: what to do
// about it (daemon/runtime).
#pragma once

#include <linux/netlink.h>

#include <memory>
#include <set>

#include "proto/vocabulary.h"

struct mnl_socket;

namespace fieldpost::link {

class LinkWatch {
public:
    // unavailable: the kernel gives no such socket.
    static Result<std::unique_ptr<LinkWatch>> open();
    ~LinkWatch();
    LinkWatch(const LinkWatch&) = delete;
    LinkWatch& operator=(const LinkWatch&) = delete;

    [[nodiscard]] int fd() const;

    struct Change {
        bool has_come = false;  // there may be a way where there was none
        bool has_gone = false;  // connections may have lost their address
    };
    // Call when fd() is readable. Never waits.
    Change read();

private:
    explicit LinkWatch(mnl_socket* socket) : socket_(socket) {}
    void take(const nlmsghdr& message, Change& change);

    mnl_socket* socket_;
    std::set<Bytes> known_;  // an address, route or carrier each
};

}  // namespace fieldpost::link
