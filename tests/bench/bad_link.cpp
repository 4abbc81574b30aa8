// The time that people wait over a link that is slow, long and lossy, and over one that comes and
// goes.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "proto/bytes.h"
#include "tests/bench/table.h"
#include "tests/bench/texts.h"
#include "tests/end_to_end/offices.h"
#include "tests/support/slow_link.h"

namespace fieldpost::bench {

namespace {

using namespace std::chrono_literals;
using tests::SlowLink;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr std::size_t text_count = 50;
constexpr std::size_t photo_bytes = 200 * 1024;
constexpr std::size_t urgent_count = 10;
constexpr std::size_t urgent_bytes = 200;

// A field office at the near end, hq at the far one, and a session that is open.
struct TwoEnds {
    SlowLink link;
    end_to_end::Network network;
    end_to_end::Office& hq = network.bare("hq");
    end_to_end::Office& hyesan = network.bare("hyesan");
    std::map<std::string, Clock::time_point> arrived;

    explicit TwoEnds(const SlowLink::Quality& quality) : link(quality) {
        hq.live_behind(link.at(SlowLink::End::far));
        hyesan.live_behind(link.at(SlowLink::End::near));
        hq.ask({"init", "hq", "--network", "reha", "--listen", "tcp://*:6743", "--advertise",
                fmt::format("tcp://{}:6743", SlowLink::address(SlowLink::End::far))});
        hq.start();
        const auto file = network.folder() / "hyesan.invite";
        hq.ask({"invite", "hyesan", "--no-code", "--output", file.string()});
        hyesan.ask({"join", file.string()});
        hyesan.start();
        REQUIRE(end_to_end::eventually([&] { return knows_as_active(hyesan, "hyesan"); }));
        // Waits until the frames that follow the admission have passed.
        std::this_thread::sleep_for(10s);
    }

    std::string queue_photo() {
        const auto photo = network.folder() / "photo.jpg";
        end_to_end::write_file(photo, end_to_end::random_bytes(photo_bytes));
        return hyesan.queue({"--to", "hq", "--attach", photo.string()}, "photo\n");
    }
    std::vector<std::string> queue_texts() {
        std::vector<std::string> ids;
        for (const auto& text : report_texts(text_count)) {
            ids.push_back(hyesan.queue({"--to", "hq"}, text));
        }
        return ids;
    }
    // Looks which reports can be read at hq by now.
    void look() {
        for (const auto& id : end_to_end::ids_of(hq.ask({"list", "--inbox", "--limit", "0"}))) {
            arrived.try_emplace(id, Clock::now());
        }
    }
    Seconds last_of(const std::vector<std::string>& ids, Clock::time_point since) const {
        Seconds last{0};
        for (const auto& id : ids) {
            last = std::max<Seconds>(last, arrived.at(id) - since);
        }
        return last;
    }
};

// Text that no codec makes smaller than half.
std::string hex_noise(std::size_t size) {
    const auto noise = end_to_end::random_bytes(size / 2);
    return fieldpost::to_hex(fieldpost::as_bytes(noise));
}

bool can_be_measured() {
    std::string why;
    const bool can = SlowLink::can_be_made(why);
    if (!can) {
        add_row("slow links", why);
    }
    return can;
}

}  // namespace

TEST_CASE("satellite") {
    if (!can_be_measured()) {
        return;
    }
    const SlowLink::Quality quality;
    TwoEnds ends(quality);
    const auto before = ends.link.sent();
    const auto begun = Clock::now();
    const auto photo = ends.queue_photo();
    const auto texts = ends.queue_texts();
    std::map<std::string, Clock::time_point> urgent;
    auto next = begun + 6s;
    const auto is_there = [&](const auto& entry) { return ends.arrived.contains(entry.first); };
    const auto is_text_there = [&](const auto& id) { return ends.arrived.contains(id); };
    while (!ends.arrived.contains(photo) || !std::ranges::all_of(urgent, is_there) ||
           !std::ranges::all_of(texts, is_text_there)) {
        REQUIRE(Clock::now() - begun < 200s);
        if (Clock::now() >= next && urgent.size() < urgent_count) {
            next = Clock::now() + 2300ms;
            const auto id =
                ends.hyesan.queue({"--to", "hq", "--priority", "urgent"}, hex_noise(urgent_bytes));
            urgent.emplace(id, Clock::now());
        }
        ends.look();
        std::this_thread::sleep_for(20ms);
    }
    std::vector<double> waits;
    for (const auto& [id, at] : urgent) {
        waits.push_back(Seconds(ends.arrived.at(id) - at).count());
    }
    std::ranges::sort(waits);
    const auto sent = ends.link.sent();
    const auto all = ends.last_of({photo}, begun).count();
    const auto floor = 8.0 * static_cast<double>(sent.from_near - before.from_near) /
                       static_cast<double>(quality.bits_per_second);
    add_row(
        fmt::format("64 kbit/s, 300 ms, 1 % loss: {} urgent reports beside {} texts and 200 KB, "
                    "queue to readable",
                    waits.size(), text_count),
        fmt::format("median {:.2f} s, worst {:.2f} s", waits[waits.size() / 2], waits.back()),
        "≤ 1.0 s, worst 3 s; Syncthing 15 s");
    add_row("the same: all texts; everything",
            fmt::format("{:.1f} s; {:.1f} s, {:.2f} × the floor of {} kB sent",
                        ends.last_of(texts, begun).count(), all, all / floor,
                        (sent.from_near - before.from_near) / 1000),
            "≤ 1.15 ×; Syncthing 33.8 s");
}

namespace {

void measure_flapping(std::chrono::seconds up, std::chrono::seconds down,
                      const std::string& target) {
    TwoEnds ends({});
    const auto begun = Clock::now();
    std::jthread weather([&](const std::stop_token& over) {
        while (!over.stop_requested()) {
            ends.link.set_up((Clock::now() - begun) % (up + down) < up);
            std::this_thread::sleep_for(10ms);
        }
        ends.link.set_up(true);
    });
    auto ids = ends.queue_texts();
    ids.push_back(ends.queue_photo());
    while (!std::ranges::all_of(ids, [&](const auto& id) { return ends.arrived.contains(id); }) &&
           Clock::now() - begun < 300s) {
        ends.look();
        std::this_thread::sleep_for(50ms);
    }
    weather = {};
    const bool is_all = ends.arrived.size() == ids.size();
    add_row(fmt::format("the same, {} s up and {} s down: everything", up.count(), down.count()),
            is_all ? fmt::format("{:.1f} s", ends.last_of(ids, begun).count()) : "not within 300 s",
            target);
}

}  // namespace

TEST_CASE("flapping") {
    if (can_be_measured()) {
        measure_flapping(20s, 40s, "≤ 80 s; best rival 259 s");
        measure_flapping(10s, 20s, "≤ 110 s");
    }
}

// As at an office that writes three times a day: each report travels by itself.
TEST_CASE("alone") {
    if (!can_be_measured()) {
        return;
    }
    constexpr std::size_t reports = 5;
    constexpr std::size_t bytes_about = 650;
    TwoEnds ends({.bits_per_second = 10'000'000, .delay = 10ms, .loss = 0});
    std::string text;
    for (const auto& one : report_texts(text_count)) {
        text = text.size() < bytes_about ? one : text;  // the first text of that length
    }
    std::vector<std::uint64_t> costs;
    for (std::size_t i = 0; i < reports; ++i) {
        const auto before = ends.link.sent();
        const auto id = ends.hyesan.queue({"--to", "hq"}, fmt::format("{}{}", text, i));
        const auto state = [&] { return ends.hyesan.ask({"trace", id}).at("state"); };
        REQUIRE(end_to_end::eventually([&] { return state() == "delivered"; }));
        std::this_thread::sleep_for(3s);  // until both offices have sent their receipts and
                                          // acknowledgements
        const auto after = ends.link.sent();
        costs.push_back(after.from_near - before.from_near + after.from_far - before.from_far);
    }
    std::ranges::sort(costs);
    add_row(fmt::format("a report of {} B alone on a link that is up, with its receipt, both ways, "
                        "headers in",
                        text.size() + 1),
            fmt::format("{} B (of {}: {} to {})", costs[reports / 2], reports, costs.front(),
                        costs.back()),
            "≤ 1,150 B");
}

TEST_CASE("idle") {
    if (!can_be_measured()) {
        return;
    }
    TwoEnds ends({.bits_per_second = 10'000'000, .delay = 1ms, .loss = 0});
    const auto before = ends.link.sent();
    constexpr auto minutes = 4min;
    std::this_thread::sleep_for(minutes);
    const auto after = ends.link.sent();
    const auto bytes = after.from_near - before.from_near + after.from_far - before.from_far;
    add_row("connected and idle, both ways, headers in",
            fmt::format("{} B a minute", bytes / minutes.count()), "≤ 150 B");
}

}  // namespace fieldpost::bench
