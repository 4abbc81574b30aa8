// Ten thousand reports from one office to another, through real daemons: bytes on the wire, CPU,
// time and disk; then the cost of meeting again with nothing new.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "proto/compression.h"
#include "tests/bench/control_client.h"
#include "tests/bench/meters.h"
#include "tests/bench/table.h"
#include "tests/bench/texts.h"
#include "tests/bench/wire_tap.h"
#include "tests/end_to_end/offices.h"

namespace fieldpost::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t reports = 10'000;
// Receipts may follow a second later.
constexpr auto silence = 2500ms;

std::uint16_t port_of(const std::string& endpoint) {
    return static_cast<std::uint16_t>(std::stoul(endpoint.substr(endpoint.rfind(':') + 1)));
}

double used_by_store(const end_to_end::Office& office) {
    return static_cast<double>(end_to_end::number_in(office.ask({"status"}), "/store/used_bytes"));
}

// Two offices with a tap on the only way between them.
struct TwoOffices {
    end_to_end::Network network;
    end_to_end::Office& hq = network.bare("hq");
    WireTap tap{port_of(hq.endpoint())};
    end_to_end::Office& field = join();

    end_to_end::Office& join() {
        hq.ask({"init", "hq", "--network", "reha", "--listen", hq.endpoint(), "--advertise",
                tap.endpoint()});
        hq.start();
        auto& joined = network.add(hq, "hyesan", "field");
        REQUIRE(tap.wait_until_quiet(silence));
        tap.cut();
        return joined;
    }
};

double size_of(const std::vector<std::string>& texts) {
    double bytes = 0;
    for (const auto& text : texts) {
        bytes += static_cast<double>(text.size());
    }
    return bytes;
}

}  // namespace

TEST_CASE("online") {
    TwoOffices two;
    two.tap.open();
    REQUIRE(end_to_end::eventually([&] { return is_linked(two.field) && is_linked(two.hq); }));
    REQUIRE(two.tap.wait_until_quiet(silence));
    const auto before = two.tap.count();
    const auto texts = report_texts(reports);
    const auto cpu_before = cpu_of(two.field.daemon_pid()) + cpu_of(two.hq.daemon_pid());
    const ControlClient client(two.field.home());
    for (const auto& text : texts) {
        REQUIRE(client.queue("hq", text));
    }
    REQUIRE(two.tap.wait_until_quiet(silence));
    const auto cpu = cpu_of(two.field.daemon_pid()) + cpu_of(two.hq.daemon_pid()) - cpu_before;
    const auto after = two.tap.count();
    REQUIRE(end_to_end::number_in(two.field.ask({"status"}), "/outbox/delivered") == reports);
    two.field.stop();
    two.hq.stop();
    const auto wire = static_cast<double>(after.on_the_wire() - before.on_the_wire());
    add_row(fmt::format("{} reports queued while linked: wire bytes per byte of text", reports),
            fmt::format("{:.3f} ({:.0f} / {:.0f} B a report there / back)", wire / size_of(texts),
                        static_cast<double>(after.from_dialler - before.from_dialler) / reports,
                        static_cast<double>(after.from_listener - before.from_listener) / reports),
            "≤ 0.95 if texts compress to 0.54, ≤ 1.05 if to 0.62");
    add_row("the same: CPU of both daemons", fmt::format("{:.1f} s", cpu.count()), "≤ 6 s");
}

TEST_CASE("wire") {
    TwoOffices two;
    auto& [network, hq, tap, field] = two;

    const auto texts = report_texts(reports);
    const auto text_bytes = size_of(texts);
    double compressed_bytes = 0;
    const auto field_empty = used_by_store(field);
    const auto hq_empty = used_by_store(hq);
    const auto cpu_idle = cpu_of(field.daemon_pid());
    const ControlClient client(field.home());
    for (const auto& text : texts) {
        REQUIRE(client.queue("hq", text));
        compressed_bytes += static_cast<double>(compress(as_bytes(text)).bytes.size());
    }
    const auto queueing = cpu_of(field.daemon_pid()) - cpu_idle;
    const auto field_queued = used_by_store(field);

    const auto field_before = cpu_of(field.daemon_pid());
    const auto hq_before = cpu_of(hq.daemon_pid());
    tap.open();
    REQUIRE(tap.wait_until_quiet(silence));
    const auto sent = tap.count();
    const auto field_cpu = cpu_of(field.daemon_pid()) - field_before;
    const auto hq_cpu = cpu_of(hq.daemon_pid()) - hq_before;
    REQUIRE(end_to_end::number_in(hq.ask({"status"}), "/inbox/unacknowledged") == reports);
    REQUIRE(end_to_end::number_in(field.ask({"status"}), "/outbox/delivered") == reports);
    const auto shown = hq.run({"show", "hyesan-1", "hyesan-5000", "hyesan-10000"}).out;
    for (const auto number : {0U, 4999U, 9999U}) {
        const auto line = texts[number].substr(0, texts[number].find(' '));
        CHECK(shown.find(line) != std::string::npos);
    }
    const auto field_delivered = used_by_store(field);
    const auto hq_delivered = used_by_store(hq);

    tap.cut();
    tap.open();
    REQUIRE(end_to_end::eventually([&] { return is_linked(field) && is_linked(hq); }));
    REQUIRE(tap.wait_until_quiet(silence));
    const auto again = tap.count();
    field.stop();
    hq.stop();

    const auto payload = static_cast<double>(sent.payload());
    add_row(fmt::format("{} reports of {:.0f} B queued while offline: wire bytes per byte of text, "
                        "both ways, headers estimated",
                        reports, text_bytes / reports),
            fmt::format("{:.3f} ({:.3f} of it TCP payload, {:.3f} the texts, compressed alone)",
                        static_cast<double>(sent.on_the_wire()) / text_bytes, payload / text_bytes,
                        compressed_bytes / text_bytes),
            "≤ 0.5 on natural text");
    add_row("the same: bytes a report to the recipient / back",
            fmt::format("{:.0f} / {:.0f}", static_cast<double>(sent.from_dialler) / reports,
                        static_cast<double>(sent.from_listener) / reports));
    add_row("the same: CPU of both daemons, queueing (sealing) in, commands out",
            fmt::format("{:.1f} s: {:.1f} queueing, {:.1f} sending, {:.1f} receiving",
                        (queueing + field_cpu + hq_cpu).count(), queueing.count(),
                        field_cpu.count(), hq_cpu.count()),
            "≤ 6 s");
    add_row("the same: first byte to the last report on loopback",
            fmt::format("{:.1f} s", Seconds(sent.last_large - sent.first).count()));
    add_row(fmt::format("connect again, nothing new, {} in the history", reports),
            fmt::format("{} B with headers estimated, {} of it payload, {} connections",
                        again.on_the_wire(), again.payload(), again.connections),
            "≤ 2.5 kB");
    add_row("disk per report, at its author, queued",
            fmt::format("{:.0f} B", (field_queued - field_empty) / reports), "≤ 1.2 kB");
    add_row("the same, delivered",
            fmt::format("{:.0f} B", (field_delivered - field_empty) / reports), "≤ 1.2 kB");
    add_row("disk per report, at its recipient",
            fmt::format("{:.0f} B", (hq_delivered - hq_empty) / reports), "≤ 1.2 kB");
}

}  // namespace fieldpost::bench
