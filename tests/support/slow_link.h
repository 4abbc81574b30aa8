// A link of a given rate, delay and loss between two network namespaces: two tun devices, and a
// thread that hands packets from one to the other. The kernel of the build machine has no netem.
//
// Promise: a packet takes its turn in the queue, its time on the wire, and the delay; packets are
// lost on the wire only, by a seeded die; all devices and namespaces are removed at the end. Needs
// root and a kernel that allows it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace fieldpost::tests {

class SlowLink {
public:
    enum class End { near, far };
    // The quality of the link, equal in both directions.
    struct Quality {
        std::uint64_t bits_per_second = 64'000;
        std::chrono::milliseconds delay{300};
        double loss = 0.01;  // of packets, between 0 and 1
        std::uint64_t queue_bytes = 32'768;
        std::uint64_t seed = 1;
    };
    // Bytes of the IPv4 packets that were sent, lost ones too.
    struct Bytes {
        std::uint64_t from_near = 0;
        std::uint64_t from_far = 0;
    };

    static bool can_be_made(std::string& why);
    // The link is up at first.
    explicit SlowLink(const Quality& quality);
    ~SlowLink();
    SlowLink(const SlowLink&) = delete;
    SlowLink& operator=(const SlowLink&) = delete;

    // The words to put before a command so that it runs at that end.
    [[nodiscard]] std::vector<std::string> at(End end) const;
    [[nodiscard]] static std::string address(End end);
    // While the link is down it takes every packet and passes none on, silently.
    void set_up(bool is_up) { is_up_ = is_up; }
    // Larger packets vanish silently, as in a narrower tunnel that does not report it.
    void set_packet_max(std::size_t bytes) { packet_max_ = bytes; }
    [[nodiscard]] Bytes sent() const { return {from_near_, from_far_}; }

private:
    [[nodiscard]] std::string name_of(End end) const;
    void make(End end, int& tun) const;
    void run();

    Quality quality_;
    int near_ = -1;
    int far_ = -1;
    std::atomic<bool> is_up_ = true;
    std::atomic<std::size_t> packet_max_ = SIZE_MAX;
    std::atomic<bool> is_ended_ = false;
    std::atomic<std::uint64_t> from_near_ = 0;
    std::atomic<std::uint64_t> from_far_ = 0;
    std::thread thread_;
};

}  // namespace fieldpost::tests
