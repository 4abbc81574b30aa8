// Hears from the kernel that the network of this machine has changed (rtnetlink, RFC 3549): an
// address, a route or a carrier came or went. So no office has to wait for the next attempt.
//
// Promise: a new thing is told once. A thing that is only refreshed, as router advertisements do
// every few minutes, is not told at all. An IPv6 address counts once it may be used.
//
// Not here: the reaction to a change (daemon/runtime).
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
        bool has_come = false;  // there may be a way where none was
        bool has_gone = false;  // connections may have lost their address
    };
    // Call when fd() is readable. Never waits.
    Change read();

private:
    explicit LinkWatch(mnl_socket* socket) : socket_(socket) {}
    void take(const nlmsghdr& message, Change& change);

    mnl_socket* socket_;
    std::set<Bytes> known_;  // each is an address, a route or a carrier
};

}  // namespace fieldpost::link
