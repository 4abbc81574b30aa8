#include "daemon/link/link_watch.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "proto/bytes.h"

namespace fieldpost::link {

namespace {

constexpr unsigned groups =
    RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
// Far more than an office's machine ever has. Beyond this number all is forgotten, and told once
// more.
constexpr std::size_t known_max = 4096;

enum class Kind : std::uint8_t { carrier = 1, address = 2, route = 3 };

// A thing with the bytes that name it. Two messages about one thing give equal bytes.
struct Thing {
    Bytes name;
    bool is_there = false;
};

template <class Each>
void for_each_attribute(const nlmsghdr& message, unsigned after, Each each) {
    mnl_attr_parse(
        &message, after,
        [](const nlattr* attribute, void* to) -> int {
            (*static_cast<Each*>(to))(*attribute);
            return MNL_CB_OK;
        },
        &each);
}

void add_attribute(ByteWriter& name, const nlattr& attribute) {
    name.u16(mnl_attr_get_type(&attribute));
    name.sized(BytesView(static_cast<const std::byte*>(mnl_attr_get_payload(&attribute)),
                         mnl_attr_get_payload_len(&attribute)));
}

std::optional<Thing> carrier_in(const nlmsghdr& message) {
    const auto& about = *static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
    ByteWriter name;
    name.u8(static_cast<std::uint8_t>(Kind::carrier));
    name.u32(static_cast<std::uint32_t>(about.ifi_index));
    constexpr unsigned usable = IFF_UP | IFF_RUNNING;
    return Thing{name.take(),
                 message.nlmsg_type == RTM_NEWLINK && (about.ifi_flags & usable) == usable};
}

std::optional<Thing> address_in(const nlmsghdr& message) {
    const auto& about = *static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
    ByteWriter name;
    name.u8(static_cast<std::uint8_t>(Kind::address));
    name.u8(about.ifa_family);
    name.u32(about.ifa_index);
    unsigned flags = about.ifa_flags;
    for_each_attribute(message, sizeof about, [&](const nlattr& attribute) {
        const auto type = mnl_attr_get_type(&attribute);
        if (type == IFA_ADDRESS || type == IFA_LOCAL) {
            add_attribute(name, attribute);
        } else if (type == IFA_FLAGS &&
                   mnl_attr_get_payload_len(&attribute) >= sizeof(std::uint32_t)) {
            flags = mnl_attr_get_u32(&attribute);
        }
    });
    return Thing{name.take(), message.nlmsg_type == RTM_NEWADDR && (flags & IFA_F_TENTATIVE) == 0};
}

std::optional<Thing> route_in(const nlmsghdr& message) {
    const auto& about = *static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
    if ((about.rtm_flags & RTM_F_CLONED) != 0 || about.rtm_type != RTN_UNICAST) {
        return std::nullopt;
    }
    ByteWriter name;
    name.u8(static_cast<std::uint8_t>(Kind::route));
    name.u8(about.rtm_family);
    name.u8(about.rtm_dst_len);
    name.u8(about.rtm_table);
    for_each_attribute(message, sizeof about, [&](const nlattr& attribute) {
        const auto type = mnl_attr_get_type(&attribute);
        if (type == RTA_DST || type == RTA_GATEWAY || type == RTA_OIF) {
            add_attribute(name, attribute);
        }
    });
    return Thing{name.take(), message.nlmsg_type == RTM_NEWROUTE};
}

std::optional<Thing> thing_in(const nlmsghdr& message) {
    const auto size = mnl_nlmsg_get_payload_len(&message);
    switch (message.nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
            return size < sizeof(ifinfomsg) ? std::nullopt : carrier_in(message);
        case RTM_NEWADDR:
        case RTM_DELADDR:
            return size < sizeof(ifaddrmsg) ? std::nullopt : address_in(message);
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
            return size < sizeof(rtmsg) ? std::nullopt : route_in(message);
        default:
            return std::nullopt;
    }
}

}  // namespace

Result<std::unique_ptr<LinkWatch>> LinkWatch::open() {
    auto* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket == nullptr || mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) < 0) {
        const auto why = fmt::format("rtnetlink: {}", std::strerror(errno));
        if (socket != nullptr) {
            mnl_socket_close(socket);
        }
        return fail(Errc::unavailable, why);
    }
    return std::unique_ptr<LinkWatch>(new LinkWatch(socket));
}

LinkWatch::~LinkWatch() {
    mnl_socket_close(socket_);
}

int LinkWatch::fd() const {
    return mnl_socket_get_fd(socket_);
}

void LinkWatch::take(const nlmsghdr& message, Change& change) {
    const auto thing = thing_in(message);
    if (!thing) {
        return;
    }
    if (!thing->is_there) {
        // Also told if it is not in `known_`, because it may have been there before we began to
        // watch.
        known_.erase(thing->name);
        change.has_gone = true;
    } else {
        if (known_.size() >= known_max) {
            known_.clear();
        }
        change.has_come = known_.insert(thing->name).second || change.has_come;
    }
}

LinkWatch::Change LinkWatch::read() {
    Change change;
    alignas(nlmsghdr) std::array<char, 32768> buffer;
    while (true) {
        const auto got = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
        if (got < 0 && errno == ENOBUFS) {
            // The kernel had more messages than there was room for, so anything may have changed.
            change = {true, true};
            continue;
        }
        if (got <= 0) {
            return change;
        }
        int left = static_cast<int>(got);
        for (auto* message = reinterpret_cast<const nlmsghdr*>(buffer.data());
             mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
            take(*message, change);
        }
    }
}

}  // namespace fieldpost::link
