// A second descriptor of a TCP connection that libzmq has. It serves for things that libzmq has no
// call for. It means this connection only, however soon libzmq's own number is used again.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <utility>

namespace fieldpost::link {

// Each address has 16 bytes. An IPv4 address is in its IPv6 form.
using Addresses = std::set<std::array<std::byte, 16>>;
// The addresses of this machine now. Empty if the system does not tell.
Addresses own_addresses();

class ConnectionFd {
public:
    // If `fd` is no longer a TCP connection, the result is empty, and every call below does
    // nothing.
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

    // True if so few descriptors are left to this process that a new connection has to be cut off.
    [[nodiscard]] bool is_among_last() const;
    // Ends the connection that has libzmq's number `fd` now. For connections for which no second
    // descriptor could be made.
    static void cut_off_libzmqs(int fd);
    // Ends the connection for both ends.
    void cut_off() const;
    // Makes close throw away unsent data. Otherwise, on a link that came back, the kernel would
    // first go on sending it.
    void forget_unsent() const;
    // Bytes over the connection in both directions, with TCP's and IP's headers and all repeats.
    [[nodiscard]] std::optional<std::uint64_t> bytes_on_the_wire() const;
    // Asks the other end for a sign of life once it has been silent for `idle`, then every
    // `interval`. Ends the connection if none came for `dead_after`.
    struct KeepAlive {
        std::chrono::seconds idle;
        std::chrono::seconds interval;
        std::chrono::seconds dead_after;
    };
    void keep_alive(const KeepAlive& how) const;
    // Bytes from the other end, without headers. Empty: the system does not tell.
    [[nodiscard]] std::optional<std::uint64_t> bytes_received() const;
    // Bytes that the other end's TCP has beyond what it acknowledged (RFC 2018), approximately.
    [[nodiscard]] std::uint64_t bytes_behind_hole() const;
    // True if our end of the connection has an address that is not in `ours`.
    [[nodiscard]] bool has_lost_address(const Addresses& ours) const;

private:
    explicit ConnectionFd(int number) : number_(number) {}
    int number_;
    bool found_none_free_ = false;
};

}  // namespace fieldpost::link
