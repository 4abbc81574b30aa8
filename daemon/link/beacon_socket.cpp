#include "daemon/link/beacon_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <optional>

namespace fieldpost::link {

namespace {

constexpr std::uint16_t port = 6743;
// Administratively scoped (RFC 2365) for IPv4. Transient, with link-local scope (RFC 4291, 2.7),
// for IPv6.
constexpr const char* group_ipv4 = "239.255.67.43";
constexpr const char* group_ipv6 = "ff12::6743";
constexpr std::size_t largest = 256;
// More than the kernel keeps for a socket, so that one read also reaches an honest call behind a
// flood.
constexpr int heard_at_once = 1024;
constexpr int queue_bytes = 1 << 20;
constexpr std::size_t networks_max = 64;

in_addr ipv4_group() {
    in_addr group{};
    ::inet_pton(AF_INET, group_ipv4, &group);
    return group;
}
in6_addr ipv6_group() {
    in6_addr group{};
    ::inet_pton(AF_INET6, group_ipv6, &group);
    return group;
}

BeaconSocket::Address form_of(const in_addr& address) {
    BeaconSocket::Address bytes{};
    bytes[10] = bytes[11] = std::byte{0xff};
    std::memcpy(bytes.data() + 12, &address, 4);
    return bytes;
}
BeaconSocket::Address form_of(const in6_addr& address) {
    BeaconSocket::Address bytes{};
    std::memcpy(bytes.data(), &address, 16);
    return bytes;
}

// An own address in a local network.
struct Place {
    unsigned interface = 0;
    bool is_ipv6 = false;
    in_addr ipv4{};
    in_addr mask{};
    in6_addr ipv6{};
};

std::vector<Place> places() {
    std::vector<Place> all;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return all;
    }
    constexpr unsigned wanted = IFF_UP | IFF_RUNNING | IFF_MULTICAST;
    for (const auto* one = list; one != nullptr && all.size() < networks_max; one = one->ifa_next) {
        if (one->ifa_addr == nullptr || (one->ifa_flags & wanted) != wanted ||
            (one->ifa_flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) != 0) {
            continue;
        }
        Place place;
        place.interface = ::if_nametoindex(one->ifa_name);
        if (one->ifa_addr->sa_family == AF_INET && one->ifa_netmask != nullptr) {
            place.ipv4 = reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
            place.mask = reinterpret_cast<const sockaddr_in*>(one->ifa_netmask)->sin_addr;
            all.push_back(place);
        } else if (one->ifa_addr->sa_family == AF_INET6) {
            place.is_ipv6 = true;
            place.ipv6 = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr)->sin6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(&place.ipv6)) {
                all.push_back(place);
            }
        }
    }
    ::freeifaddrs(list);
    return all;
}

template <class T>
bool set(int fd, int level, int option, const T& value) {
    return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// Also joins the group in networks that came up since the last time. Joining twice is no error to
// us.
void join(int ipv4, int ipv6, const std::vector<Place>& all) {
    for (const auto& place : all) {
        if (place.is_ipv6) {
            set(ipv6, IPPROTO_IPV6, IPV6_JOIN_GROUP, ipv6_mreq{ipv6_group(), place.interface});
        } else {
            set(ipv4, IPPROTO_IP, IP_ADD_MEMBERSHIP,
                ip_mreqn{ipv4_group(), place.ipv4, static_cast<int>(place.interface)});
        }
    }
}

template <class Sockaddr>
int bound(int family, const Sockaddr& address) {
    const int fd = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family == AF_INET6) {
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(fd);
        return -1;
    }
    return fd;
}

// Sends one packet, out of one interface and from one address.
template <class Sockaddr, class Info>
void send(int fd, const Sockaddr& to, BytesView bytes, int level, int type, const Info& info) {
    auto target = to;
    iovec content{const_cast<std::byte*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof info)> control{};
    msghdr message{};
    message.msg_name = &target;
    message.msg_namelen = sizeof target;
    message.msg_iov = &content;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    auto* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = level;
    head->cmsg_type = type;
    head->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(head), &info, sizeof info);
    (void)::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// The sender, if it is in a network of our own. Calls from other networks are ignored.
std::optional<BeaconSocket::Heard> heard_from(const sockaddr_storage& from,
                                              const std::vector<Place>& all) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (from.ss_family == AF_INET) {
        const auto& address = reinterpret_cast<const sockaddr_in&>(from).sin_addr;
        const bool is_near = std::ranges::any_of(all, [&](const Place& place) {
            return !place.is_ipv6 && place.mask.s_addr != 0 &&
                   (address.s_addr & place.mask.s_addr) == (place.ipv4.s_addr & place.mask.s_addr);
        });
        ::inet_ntop(AF_INET, &address, text.data(), text.size());
        return is_near ? std::optional(BeaconSocket::Heard{{}, form_of(address), text.data()})
                       : std::nullopt;
    }
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(from);
    std::array<char, IF_NAMESIZE> name{};
    if (from.ss_family != AF_INET6 || !IN6_IS_ADDR_LINKLOCAL(&ipv6.sin6_addr) ||
        ::if_indextoname(ipv6.sin6_scope_id, name.data()) == nullptr) {
        return std::nullopt;
    }
    ::inet_ntop(AF_INET6, &ipv6.sin6_addr, text.data(), text.size());
    return BeaconSocket::Heard{
        {}, form_of(ipv6.sin6_addr), fmt::format("[{}%{}]", text.data(), name.data())};
}

}  // namespace

Result<std::unique_ptr<BeaconSocket>> BeaconSocket::open() {
    std::unique_ptr<BeaconSocket> opened(new BeaconSocket());
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(port);
    ipv4.sin_addr = ipv4_group();  // so that only packets to the group are heard
    opened->ipv4_ = bound(AF_INET, ipv4);
    sockaddr_in6 ipv6{};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htons(port);
    opened->ipv6_ = bound(AF_INET6, ipv6);
    if (opened->ipv4_ < 0 && opened->ipv6_ < 0) {
        return fail(Errc::unavailable, fmt::format("UDP port {}: {}", port, std::strerror(errno)));
    }
    for (const int fd : {opened->ipv4_, opened->ipv6_}) {
        set(fd, SOL_SOCKET, SO_RCVBUF, queue_bytes);  // or as much as the system allows
    }
    set(opened->ipv4_, IPPROTO_IP, IP_MULTICAST_TTL, 1);
    set(opened->ipv4_, IPPROTO_IP, IP_MULTICAST_ALL, 0);
    set(opened->ipv6_, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1);
    join(opened->ipv4_, opened->ipv6_, places());
    return opened;
}

BeaconSocket::~BeaconSocket() {
    ::close(ipv4_);
    ::close(ipv6_);
}

void BeaconSocket::call(const std::function<Bytes(const Address& from)>& what) {
    const auto all = places();
    join(ipv4_, ipv6_, all);
    for (const auto& place : all) {
        const auto bytes = what(place.is_ipv6 ? form_of(place.ipv6) : form_of(place.ipv4));
        if (bytes.empty()) {
            continue;
        }
        if (place.is_ipv6) {
            sockaddr_in6 to{};
            to.sin6_family = AF_INET6;
            to.sin6_port = htons(port);
            to.sin6_addr = ipv6_group();
            to.sin6_scope_id = place.interface;
            send(ipv6_, to, bytes, IPPROTO_IPV6, IPV6_PKTINFO,
                 in6_pktinfo{place.ipv6, place.interface});
        } else {
            sockaddr_in to{};
            to.sin_family = AF_INET;
            to.sin_port = htons(port);
            to.sin_addr = ipv4_group();
            send(ipv4_, to, bytes, IPPROTO_IP, IP_PKTINFO,
                 in_pktinfo{static_cast<int>(place.interface), place.ipv4, {}});
        }
    }
}

std::vector<BeaconSocket::Heard> BeaconSocket::hear() {
    std::vector<Heard> all;
    const auto own = places();
    for (const int fd : {ipv4_, ipv6_}) {
        for (int i = 0; i < heard_at_once; ++i) {
            std::array<std::byte, largest> bytes{};
            sockaddr_storage from{};
            socklen_t size = sizeof from;
            const auto got = ::recvfrom(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_TRUNC,
                                        reinterpret_cast<sockaddr*>(&from), &size);
            if (got < 0) {
                break;
            }
            auto heard = heard_from(from, own);
            if (heard && static_cast<std::size_t>(got) <= bytes.size()) {
                heard->bytes.assign(bytes.begin(), bytes.begin() + got);
                all.push_back(std::move(*heard));
            }
        }
    }
    return all;
}

}  // namespace fieldpost::link
