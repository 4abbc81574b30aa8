// Stands between two daemons as a wire does: passes bytes on unchanged and counts them.
//
// Promise: bytes are passed on unchanged; they wait only until the other end reads. Its thread ends
// with it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace fieldpost::bench {

struct WireCount {
    std::uint64_t from_dialler = 0;  // bytes of TCP payload
    std::uint64_t from_listener = 0;
    // TCP segments of 1,448 bytes each, if every read were sent by itself. An estimate: the kernel
    // joins and splits, and bare acknowledgements are not in it.
    std::uint64_t segments = 0;
    std::uint64_t connections = 0;
    std::chrono::steady_clock::time_point first;
    std::chrono::steady_clock::time_point last;
    // The last time that the dialler sent much at once, and not only an acknowledgement.
    std::chrono::steady_clock::time_point last_large;

    [[nodiscard]] std::uint64_t payload() const { return from_dialler + from_listener; }
    // With 40 B of IP and TCP header a segment, three segments to open a connection, four to end
    // it.
    [[nodiscard]] std::uint64_t on_the_wire() const {
        return payload() + 40 * (segments + 7 * connections);
    }
};

class WireTap {
public:
    // Passes to the listener on this port of this machine. Begins open.
    explicit WireTap(std::uint16_t target_port);
    ~WireTap();
    WireTap(const WireTap&) = delete;
    WireTap& operator=(const WireTap&) = delete;

    // The address to dial.
    [[nodiscard]] std::string endpoint() const;
    // Ends all connections. Nobody gets through until open().
    void cut();
    // Counts from zero.
    void open();
    [[nodiscard]] WireCount count() const;
    // Waits until nothing has passed for `quiet`, after something did. False if that takes over a
    // minute.
    [[nodiscard]] bool wait_until_quiet(std::chrono::milliseconds quiet) const;

private:
    struct Pair {
        int dialler = -1;
        int listener = -1;
    };
    void run();
    void accept_one();
    bool pass(int from, int to, bool is_from_dialler);
    void close_pairs();

    std::uint16_t target_port_;
    std::uint16_t port_ = 0;
    int listening_ = -1;
    std::vector<Pair> pairs_;
    mutable std::mutex mutex_;  // guards count_
    WireCount count_;
    std::atomic<bool> is_open_ = true;
    std::atomic<bool> is_idle_ = false;  // cut, and the thread has seen it
    std::atomic<bool> is_ended_ = false;
    std::thread thread_;
};

}  // namespace fieldpost::bench
