// Goal: links of any speed are kept busy, and an urgent frame never finds a long queue before it.
// Method: a link in virtual time, with a rate, a delay and a queue, and a sender that always has
// something to send and sends what its Flow allows.
#include "daemon/engine/session/flow.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <deque>

using namespace fieldpost;
using engine::Flow;
using namespace std::chrono_literals;

namespace {

using std::chrono::milliseconds;

// TCP, IP, ZeroMQ and CURVE around each frame that fits a segment, near enough.
constexpr double envelope_bytes = 94;

class Link {
public:
    Link(double bits_a_second, milliseconds round_trip, Flow flow = {})
        : flow_(std::move(flow)), bytes_a_ms_(bits_a_second / 8000), round_trip_(round_trip) {}

    // Small frames that are sent at once share TCP segments, and are acknowledged together.
    void share_segments() { shares_segments_ = true; }
    void set_rate(double bits_a_second) { bytes_a_ms_ = bits_a_second / 8000; }

    // A small frame alone, and its acknowledgement.
    void greet() {
        sent_ += 100;
        flow_.sent(sent_, Instant{now_});
        flow_.ran_dry();
        now_ += round_trip_;
        flow_.acknowledged(sent_, Instant{now_});
        acknowledged_ = sent_;
    }
    // Lets the sender send and be answered until this time. Returns the link's use since the last
    // call.
    double run_until(milliseconds end) {
        double busy = 0;
        const auto began = now_;
        worst_wait_ = 0;
        for (; now_ < end; now_ += 1ms) {
            while (!answers_.empty() && answers_.front().first <= now_) {
                flow_.acknowledged(answers_.front().second, Instant{now_});
                acknowledged_ = answers_.front().second;
                answers_.pop_front();
            }
            double in_segment = 0;
            while (sent_ - acknowledged_ + flow_.frame() <= flow_.window()) {
                const auto frame = flow_.frame();
                const auto takes = (frame + envelope_bytes) / bytes_a_ms_;
                sent_ += frame;
                flow_.sent(sent_, Instant{now_});
                free_at_ = std::max(free_at_, static_cast<double>(now_.count())) + takes;
                const auto answered = milliseconds{std::lround(std::ceil(free_at_))} + round_trip_;
                const auto size = static_cast<double>(frame) + envelope_bytes;
                if (shares_segments_ && in_segment > 0 && in_segment + size <= 1500) {
                    answers_.pop_back();
                } else {
                    in_segment = 0;
                }
                in_segment += size;
                answers_.emplace_back(answered, sent_);
            }
            const auto wait = free_at_ - static_cast<double>(now_.count());
            worst_wait_ = std::max(worst_wait_, wait);
            busy += std::clamp(wait, 0.0, 1.0);
        }
        return busy / static_cast<double>((end - began).count());
    }
    // The longest time that an urgent frame would have waited in the last run.
    [[nodiscard]] double worst_wait_ms() const { return worst_wait_; }
    [[nodiscard]] const Flow& flow() const { return flow_; }
    [[nodiscard]] std::uint64_t sent() const { return sent_; }

private:
    Flow flow_;
    bool shares_segments_ = false;
    double bytes_a_ms_;
    milliseconds round_trip_;
    milliseconds now_{0};
    double free_at_ = 0;
    double worst_wait_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t acknowledged_ = 0;
    std::deque<std::pair<milliseconds, std::uint64_t>> answers_;
};

struct Kind {
    const char* name;
    double bits_a_second;
    milliseconds round_trip;
    milliseconds settled_after;
    double use;      // at least
    double wait_ms;  // at most
};

}  // namespace

TEST_CASE("a link of any speed is kept busy without a queue", "[flow]") {
    for (const auto& kind : {
             Kind{"9.6k, 600 ms", 9600, 600ms, 20s, 0.95, 1500},
             Kind{"64k, 10 ms", 64e3, 10ms, 5s, 0.97, 750},
             Kind{"64k, 600 ms", 64e3, 600ms, 15s, 0.95, 750},
             Kind{"512k, 600 ms", 512e3, 600ms, 15s, 0.95, 850},
             Kind{"10M, 50 ms", 10e6, 50ms, 3s, 0.95, 70},
             Kind{"100M, 1 ms", 100e6, 1ms, 1s, 0.95, 20},
         }) {
        CAPTURE(kind.name);
        Link link(kind.bits_a_second, kind.round_trip);
        link.run_until(kind.settled_after);
        // The beginning builds no long queue either.
        CHECK(link.worst_wait_ms() < 1.5 * kind.wait_ms);
        const auto use = link.run_until(kind.settled_after + 120s);
        INFO("window " << link.flow().window() << ", frame " << link.flow().frame() << ", rate "
                       << link.flow().bytes_per_second() << " B/s, use " << use << ", wait "
                       << link.worst_wait_ms());
        CHECK(use > kind.use);
        CHECK(link.worst_wait_ms() < kind.wait_ms);
    }
}

TEST_CASE("a link that becomes slower and faster again is followed", "[flow]") {
    Link link(512e3, 600ms);
    link.run_until(40s);
    link.set_rate(64e3);
    link.run_until(70s);
    link.run_until(80s);
    CHECK(link.worst_wait_ms() < 600);
    link.set_rate(512e3);
    link.run_until(110s);
    CHECK(link.run_until(130s) > 0.9);
}

TEST_CASE("nothing is known before the first acknowledgement, and little is sent", "[flow]") {
    const Flow flow;
    CHECK(flow.window() <= 2000);  // two seconds at 9.6 kbit/s
    CHECK(flow.frame() <= flow.window());
    CHECK(flow.bytes_per_second() == 0);
}

TEST_CASE("what has arrived behind a hole makes room for as much more", "[flow]") {
    Flow flow;
    for (int i = 1; i < 20; ++i) {
        const Instant at{std::chrono::seconds{i}};
        flow.sent(4000 * static_cast<std::uint64_t>(i), at);
        flow.acknowledged(4000 * static_cast<std::uint64_t>(i), at + 600ms);
    }
    const auto window = flow.window();
    flow.repairs(1400);
    CHECK(flow.window() == window + 1400);
    // The other end tells this number, so it at most doubles the window.
    flow.repairs(1U << 30);
    CHECK(flow.window() == 2 * window);
    flow.sent(80'000, Instant{20s});
    flow.acknowledged(80'000, Instant{20'600ms});
    CHECK(flow.window() < window + 1400);
}

TEST_CASE("small frames that share a segment do not look like a queue", "[flow]") {
    Link link(64'000, 600ms);
    link.share_segments();
    link.greet();
    link.run_until(4s);
    CHECK(link.sent() > 16'000);  // half of the bytes that the link could have taken by now
    CHECK(link.run_until(10s) > 0.9);
    CHECK(link.run_until(60s) > 0.9);
    CHECK(link.worst_wait_ms() < 900);
}

TEST_CASE("what was sent while there was little to send tells nothing of the rate", "[flow]") {
    Flow flow;
    for (int i = 1; i < 20; ++i) {
        const Instant at{std::chrono::seconds{i}};
        flow.sent(100 * static_cast<std::uint64_t>(i), at);
        flow.ran_dry();
        flow.acknowledged(100 * static_cast<std::uint64_t>(i), at + 600ms);
    }
    CHECK_FALSE(flow.hint());
    CHECK(flow.window() >= 2000);
}

TEST_CASE("what was known of a slow link saves its slow beginning", "[flow]") {
    Link before(64'000, 600ms);
    before.run_until(30s);
    const auto hint = before.flow().hint();
    REQUIRE(hint);
    Link unknown(64'000, 600ms);
    unknown.run_until(5s);
    Link known(64'000, 600ms, Flow(*hint, Instant{}));
    known.run_until(5s);
    CHECK(known.sent() > unknown.sent() * 11 / 10);
    CHECK(known.worst_wait_ms() < 1000);  // all of the first window comes at once
    CHECK(known.run_until(30s) > 0.9);
    CHECK_FALSE(Flow().hint());
}

TEST_CASE("after a short contact frames are small, until this one is longer", "[flow]") {
    Link link(100e6, 1ms, Flow({12'500'000, 1ms, 300'000}, Instant{}));
    link.run_until(20ms);
    CHECK(link.sent() > 20'000);
    CHECK(link.flow().frame() < 5000);
    link.run_until(1s);
    CHECK(link.flow().frame() > 15'000);
}

TEST_CASE("what was known of another link does no harm", "[flow]") {
    const Flow::Hint fast{12'500'000, 1ms, 1U << 30};
    Link slow(64'000, 600ms, Flow(fast, Instant{}));
    slow.run_until(5s);
    CHECK(slow.worst_wait_ms() < 2000);
    slow.run_until(20s);
    CHECK(slow.run_until(30s) > 0.9);
    CHECK(slow.worst_wait_ms() < 700);
    const Flow::Hint was_slow{1200, 1500ms, 1000};
    Link fast_now(10'000'000, 50ms, Flow(was_slow, Instant{}));
    fast_now.run_until(2s);
    CHECK(fast_now.run_until(4s) > 0.9);
}

TEST_CASE("a pause does not make a link look slow", "[flow]") {
    Link link(10e6, 50ms);
    link.run_until(10s);
    auto flow = link.flow();
    const auto before = flow.bytes_per_second();
    auto total = link.sent();
    flow.acknowledged(total, Instant{10'060ms});
    for (int i = 0; i < 100; ++i) {
        flow.ran_dry();
        const Instant at{milliseconds{20'000 + i * 1000}};
        total += 500;
        flow.sent(total, at);
        flow.acknowledged(total, at + 55ms);
        flow.ran_dry();
    }
    CHECK(flow.bytes_per_second() >= before);
}

TEST_CASE("a link is dead when what is under way is not acknowledged for long", "[flow]") {
    Flow flow;
    CHECK_FALSE(flow.dead_at().has_value());
    flow.sent(500, Instant{1s});
    REQUIRE(flow.dead_at().has_value());
    const auto first = *flow.dead_at();
    // The slowest links bring a summary before the first acknowledgement.
    CHECK(first >= Instant{30s});
    // A link whose answers take long gets more time.
    flow.sent(1000, Instant{2s});
    flow.acknowledged(500, Instant{4s});
    CHECK(*flow.dead_at() >= Instant{4s + 6 * 3s});
    flow.acknowledged(1000, Instant{5s});
    CHECK_FALSE(flow.dead_at().has_value());
}

TEST_CASE("a black hole is noticed after five seconds on a slow link too", "[flow]") {
    Link link(64e3, 600ms);
    link.run_until(30s);
    auto flow = link.flow();
    REQUIRE(flow.bytes_per_second() > 7000);
    const auto dead_after = [&](Instant since) { return *flow.dead_at() - since; };
    CHECK(dead_after(Instant{30s}) < 6s);
    // A frame of the peer is a sign of life. Our frames before the data take their time too.
    flow.heard(Instant{33s});
    CHECK(dead_after(Instant{33s}) >= 5s);
    CHECK(dead_after(Instant{33s}) < 6s);
    flow.control_sent(32'000);
    CHECK(dead_after(Instant{33s}) > 8s);
    CHECK(dead_after(Instant{33s}) < 11s);
}
