#include "daemon/link/told_address.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "daemon/link/connecting.h"

namespace fieldpost::link {

namespace {

constexpr std::uint16_t first_free_port = 1024;

using Bytes16 = std::array<std::byte, 16>;

struct Numeric {
    Bytes16 address{};  // IPv4 in its IPv6 form
    std::string text;
};

bool is_ipv4(const Bytes16& address) {
    constexpr Bytes16 mapped = {std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                std::byte{0}, std::byte{0}, std::byte{0},    std::byte{0},
                                std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};
    return std::equal(address.begin(), address.begin() + 12, mapped.begin());
}

unsigned byte_of(const Bytes16& address, std::size_t at) {
    return std::to_integer<unsigned>(address.at(at));
}

std::optional<Numeric> numeric(const std::string& endpoint) {
    const auto to = host_and_port(endpoint);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST;
    addrinfo* found = nullptr;
    if (to.host.empty() || ::getaddrinfo(to.host.c_str(), nullptr, &hints, &found) != 0) {
        return std::nullopt;
    }
    Numeric one;
    std::array<char, NI_MAXHOST> text{};
    const bool is_text = ::getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(),
                                       nullptr, 0, NI_NUMERICHOST) == 0;
    if (found->ai_family == AF_INET6) {
        std::memcpy(one.address.data(),
                    &reinterpret_cast<const sockaddr_in6*>(found->ai_addr)->sin6_addr, 16);
        one.text =
            is_ipv4(one.address)
                ? fmt::format("{}.{}.{}.{}", byte_of(one.address, 12), byte_of(one.address, 13),
                              byte_of(one.address, 14), byte_of(one.address, 15))
                : fmt::format("[{}]", text.data());
    } else {
        one.address[10] = one.address[11] = std::byte{0xff};
        std::memcpy(one.address.data() + 12,
                    &reinterpret_cast<const sockaddr_in*>(found->ai_addr)->sin_addr, 4);
        one.text = text.data();
    }
    ::freeaddrinfo(found);
    return is_text ? std::optional(std::move(one)) : std::nullopt;
}

bool is_loopback(const Bytes16& address) {
    Bytes16 ipv6{};
    ipv6[15] = std::byte{1};
    return is_ipv4(address) ? byte_of(address, 12) == 127 : address == ipv6;
}

// True for addresses that mean no single machine: unspecified, multicast, broadcast, reserved, and
// the old IPv6 form of IPv4.
bool is_nobodys(const Bytes16& address) {
    if (is_ipv4(address)) {
        return byte_of(address, 12) == 0 || byte_of(address, 12) >= 224;
    }
    return byte_of(address, 0) == 0xff ||
           std::all_of(address.begin(), address.begin() + 12,
                       [](std::byte one) { return one == std::byte{0}; });
}

bool is_link_local(const Bytes16& address) {
    return is_ipv4(address) ? byte_of(address, 12) == 169 && byte_of(address, 13) == 254
                            : byte_of(address, 0) == 0xfe && (byte_of(address, 1) & 0xc0U) == 0x80;
}

std::string_view why_not(const Bytes16& address, std::uint16_t port, const Trust& trust,
                         const Addresses& ours) {
    const bool is_here = is_loopback(address) || ours.contains(address);
    if (is_here && !trust.is_on_one_machine) {
        return "an address of this machine";
    }
    if (!is_here && is_nobodys(address)) {
        return "an address of no single machine";
    }
    if (is_link_local(address) && trust.word != Word::heard) {
        return "an address of a local network, which is heard there or set by hand";
    }
    if (port < first_free_port && !trust.is_proved) {
        return "a port below 1024, which is set by hand";
    }
    return {};
}

}  // namespace

std::optional<std::string> numeric_endpoint(const std::string& endpoint) {
    const auto one = numeric(endpoint);
    return one ? std::optional(fmt::format("tcp://{}:{}", one->text, host_and_port(endpoint).port))
               : std::nullopt;
}

bool is_loopback(const std::string& endpoint) {
    const auto one = numeric(endpoint);
    return one && is_loopback(one->address);
}

std::string_view why_not_dialled(const std::string& endpoint, const Trust& trust,
                                 const Addresses& ours) {
    if (trust.word == Word::by_hand) {
        return {};
    }
    const auto one = numeric(endpoint);
    return one ? why_not(one->address, host_and_port(endpoint).port, trust, ours) : "no address";
}

std::string_view why_not_asked_for(const std::string& endpoint, const Trust& trust,
                                   const Addresses& ours) {
    if (trust.word == Word::by_hand) {
        return {};
    }
    const auto to = host_and_port(endpoint);
    if (const auto one = numeric(endpoint)) {
        return why_not(one->address, to.port, trust, ours);
    }
    std::string host = to.host;
    std::ranges::transform(host, host.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    while (host.ends_with('.')) {
        host.pop_back();
    }
    if ((host == "localhost" || host.ends_with(".localhost")) && !trust.is_on_one_machine) {
        return "an address of this machine";
    }
    return to.port < first_free_port && !trust.is_proved ? "a port below 1024, which is set by hand"
                                                         : std::string_view{};
}

}  // namespace fieldpost::link
