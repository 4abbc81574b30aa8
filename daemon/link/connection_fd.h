// A second descriptor of a TCP connection that libzmq has: what libzmq has no call for is done with
// it, and it means that connection only, however soon libzmq's own number is used again.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

namespace fieldpost::link {

// The 16 bytes of each, an IPv4 address in its IPv6 form.
using Addresses = std::set<std::array<std::byte, 16>>;
// Of this machine, now. Empty if the system does not tell.
Addresses own_addresses();

class ConnectionFd {
public:
    // Nothing, and every call below does nothing, if `fd` is no TCP connection any more.
    static ConnectionFd of_connection(int fd);
    ~ConnectionFd();
    ConnectionFd(ConnectionFd&& other) noexcept
        : number_(std::exchange(other.number_, -1)), found_none_free_(other.found_none_free_) {}
    ConnectionFd& operator=(ConnectionFd&& other) noexcept {
        std::swap(number_, other.number_);
        std::swap(found_none_free_, other.found_none_free_);
        return *this;
    }
    ConnectionFd(const ConnectionFd&) = delete;
    ConnectionFd& operator=(const ConnectionFd&) = delete;

    // So few descriptors are left to this process that what comes is to be cut off.
    [[nodiscard]] bool is_among_last() const;
    // Ends the connection that has libzmq's number `fd` now, for which no second one was to be had.
    static void cut_off_libzmqs(int fd);
    // Ends it for both ends.
    void cut_off() const;
    // What is still unsent is thrown away when the connection is closed: on a link that came back
    // the kernel would go on sending it first.
    void forget_unsent() const;
    // What has gone over it, both ways, with TCP's and IP's headers and all that was sent twice.
    [[nodiscard]] std::optional<std::uint64_t> bytes_on_the_wire() const;
    // Asks the other end for a sign of life once it has been silent for `idle`, then every
    // `interval`; ends the connection when there was none for `dead_after`.
    struct KeepAlive {
        std::chrono::seconds idle;
        std::chrono::seconds interval;
        std::chrono::seconds dead_after;
    };
    void keep_alive(const KeepAlive& how) const;
    // What the other end has sent, without headers. Empty: the system does not tell.
    [[nodiscard]] std::optional<std::uint64_t> bytes_received() const;
    // What the other end's TCP has beyond what it acknowledged (RFC 2018), about, in bytes.
    [[nodiscard]] std::uint64_t bytes_behind_hole() const;
    // Its own end is at an address that is none of `ours`.
    [[nodiscard]] bool has_lost_address(const Addresses& ours) const;

private:
    explicit ConnectionFd(int number) : number_(number) {}
    int number_;
    bool found_none_free_ = false;
};

}  // namespace fieldpost::link
