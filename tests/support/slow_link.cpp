#include "tests/support/slow_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <random>

#include "proto/result.h"

namespace fieldpost::tests {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t packet_bytes_max = 2048;
// The longest time until the thread notices that it is to end, or that the link went down.
constexpr std::chrono::nanoseconds longest_wait = 50ms;

bool can_run(const std::string& command) {
    return std::system((command + " 2>/dev/null").c_str()) == 0;
}
void must_run(const std::string& command) {
    ensure(can_run(command), command.c_str());
}

// One direction.
class Way {
public:
    Way(const SlowLink::Quality& quality, std::uint64_t seed, int to)
        : quality_(quality), dice_(seed), to_(to) {}

    void take(std::vector<char> packet, Clock::time_point now) {
        const auto bits = [](std::uint64_t bytes) { return 8 * static_cast<double>(bytes); };
        const auto rate = static_cast<double>(quality_.bits_per_second);
        free_at_ = std::max(free_at_, now);
        const auto waiting = std::chrono::duration<double>(free_at_ - now).count() * rate;
        if (waiting > bits(quality_.queue_bytes)) {
            return;
        }
        free_at_ += std::chrono::duration_cast<Clock::duration>(
            std::chrono::duration<double>(bits(packet.size()) / rate));
        if (std::bernoulli_distribution(quality_.loss)(dice_)) {
            return;
        }
        on_its_way_.push_back({std::move(packet), free_at_ + quality_.delay});
    }
    void deliver(Clock::time_point now) {
        while (!on_its_way_.empty() && on_its_way_.front().at <= now) {
            const auto& packet = on_its_way_.front().bytes;
            // A full device loses the packet, as a real one would.
            (void)!::write(to_, packet.data(), packet.size());
            on_its_way_.pop_front();
        }
    }
    void lose_all() {
        on_its_way_.clear();
        free_at_ = {};
    }
    [[nodiscard]] Clock::time_point next(Clock::time_point otherwise) const {
        return on_its_way_.empty() ? otherwise : std::min(otherwise, on_its_way_.front().at);
    }

private:
    struct Packet {
        std::vector<char> bytes;
        Clock::time_point at;
    };
    const SlowLink::Quality& quality_;
    std::mt19937_64 dice_;
    int to_;
    Clock::time_point free_at_{};
    std::deque<Packet> on_its_way_;
};

bool is_ipv4(const std::vector<char>& packet) {
    return !packet.empty() && (static_cast<unsigned char>(packet.front()) >> 4) == 4;
}

}  // namespace

bool SlowLink::can_be_made(std::string& why) {
    const auto name = fmt::format("fieldpost-try-{}", ::getpid());
    const bool can =
        can_run("/sbin/ip netns add " + name) && ::access("/dev/net/tun", R_OK | W_OK) == 0;
    can_run("/sbin/ip netns del " + name);
    why = can ? "" : "network namespaces or tun devices are not allowed here";
    return can;
}

SlowLink::SlowLink(const Quality& quality) : quality_(quality) {
    make(End::near, near_);
    make(End::far, far_);
    thread_ = std::thread([this] { run(); });
}

SlowLink::~SlowLink() {
    is_ended_ = true;
    thread_.join();
    for (const auto end : {End::near, End::far}) {
        can_run("/sbin/ip netns del " + name_of(end));
    }
    ::close(near_);
    ::close(far_);
}

std::string SlowLink::name_of(End end) const {
    return fmt::format("fieldpost-slow-{}-{}", ::getpid(), end == End::near ? "near" : "far");
}

std::string SlowLink::address(End end) {
    return end == End::near ? "10.79.0.1" : "10.79.0.2";
}

std::vector<std::string> SlowLink::at(End end) const {
    return {"/sbin/ip", "netns", "exec", name_of(end)};
}

void SlowLink::make(End end, int& tun) const {
    const auto name = name_of(end);
    must_run("/sbin/ip netns add " + name);
    // The device belongs to the namespace of the thread that opens it; its descriptor to all.
    std::thread([&] {
        const int there = ::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
        ensure(there >= 0 && ::setns(there, CLONE_NEWNET) == 0, "cannot enter a namespace");
        ::close(there);
        tun = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
        ifreq request{};
        request.ifr_flags = IFF_TUN | IFF_NO_PI;
        std::strcpy(request.ifr_name, "slow");
        ensure(tun >= 0 && ::ioctl(tun, TUNSETIFF, &request) == 0, "cannot make a tun device");
    }).join();
    must_run(fmt::format("/sbin/ip -n {} link set lo up", name));
    must_run(fmt::format("/sbin/ip -n {} addr add {}/24 dev slow", name, address(end)));
    must_run(fmt::format("/sbin/ip -n {} link set slow up", name));
}

void SlowLink::run() {
    Way to_far(quality_, quality_.seed, far_);
    Way to_near(quality_, quality_.seed + 1000, near_);
    std::array<pollfd, 2> watched = {pollfd{near_, POLLIN, 0}, pollfd{far_, POLLIN, 0}};
    std::vector<char> packet(packet_bytes_max);
    while (!is_ended_) {
        const auto now = Clock::now();
        const auto next = to_far.next(to_near.next(now + longest_wait));
        const auto wait = std::clamp<std::chrono::nanoseconds>(next - now, 0ns, longest_wait);
        const timespec time{0, static_cast<long>(wait.count())};
        ::ppoll(watched.data(), watched.size(), &time, nullptr);
        for (const bool is_near : {true, false}) {
            auto& way = is_near ? to_far : to_near;
            while (true) {
                packet.resize(packet_bytes_max);
                const auto size = ::read(is_near ? near_ : far_, packet.data(), packet.size());
                if (size <= 0) {
                    break;
                }
                packet.resize(static_cast<std::size_t>(size));
                if (is_ipv4(packet)) {
                    (is_near ? from_near_ : from_far_) += packet.size();
                }
                if (is_up_ && packet.size() <= packet_max_) {
                    way.take(packet, Clock::now());
                }
            }
            if (is_up_) {
                way.deliver(Clock::now());
            } else {
                way.lose_all();
            }
        }
    }
}

}  // namespace fieldpost::tests
