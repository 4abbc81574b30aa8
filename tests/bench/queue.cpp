// The cost of queueing a report: the real command, the daemon's part of it, and the disk's part
// alone.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include <catch2/catch.hpp>

#include "storage/lmdb_tables.h"
#include "tests/bench/control_client.h"
#include "tests/bench/meters.h"
#include "tests/bench/table.h"
#include "tests/bench/texts.h"
#include "tests/end_to_end/offices.h"

namespace fieldpost::bench {

namespace {

constexpr int calls = 1000;
constexpr int syncs = 300;

// The median, in milliseconds, so that other work on the machine does not count.
template <class Work>
double median_ms(int count, Work&& work) {
    std::vector<Seconds> times;
    for (int i = 0; i < count; ++i) {
        const Stopwatch watch;
        REQUIRE(work(i));
        times.push_back(watch.passed());
    }
    std::ranges::nth_element(times, times.begin() + count / 2);
    return times[static_cast<std::size_t>(count) / 2].count() * 1000;
}

double plain_sync(const std::filesystem::path& folder, const std::string& text) {
    const int fd = ::open((folder / "plain").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    REQUIRE(fd >= 0);
    const auto each = median_ms(syncs, [&](int) {
        return ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
               ::fdatasync(fd) == 0;
    });
    ::close(fd);
    return each;
}

// Commits as many bytes as a report takes, in one table.
double lmdb_commit(const std::filesystem::path& folder, const std::string& text) {
    const auto tables = storage::open_lmdb_tables(folder / "plain.store", {}).value();
    const auto value = to_bytes(as_bytes(text));
    return median_ms(syncs, [&](int i) {
        ByteWriter key;
        key.u32(static_cast<std::uint32_t>(i));
        return tables->begin() && tables->put(storage::Table::records, key.take(), value) &&
               tables->commit();
    });
}

}  // namespace

TEST_CASE("queue") {
    end_to_end::Network network;
    auto& hq = network.found();
    auto& field = network.add(hq, "hyesan", "field");
    hq.stop();
    const auto texts = report_texts(calls);
    std::vector<std::filesystem::path> inputs;
    for (const auto& text : texts) {
        inputs.push_back(network.folder() / fmt::format("{}.txt", inputs.size()));
        end_to_end::write_file(inputs.back(), text);
    }
    const auto input = [&](int i) { return inputs[static_cast<std::size_t>(i)]; };
    const auto spawn_ms =
        median_ms(calls, [&](int i) { return run_quickly({"/bin/true"}, input(i)); });
    const auto cpu_before = cpu_of(field.daemon_pid());
    const auto words = field.command({"queue", "--to", "hq"}).words;
    const auto command_ms = median_ms(calls, [&](int i) { return run_quickly(words, input(i)); });
    const auto daemon_cpu_ms = (cpu_of(field.daemon_pid()) - cpu_before).count() * 1000 / calls;
    const ControlClient client(field.home());
    const Stopwatch asking;
    const auto request_ms = median_ms(
        calls, [&](int i) { return client.queue("hq", texts[static_cast<std::size_t>(i)]); });
    const auto requests_a_second = calls / asking.passed().count();
    REQUIRE(end_to_end::number_in(field.ask({"status"}), "/outbox/queued") ==
            std::uint64_t{2} * calls);
    const auto sync_ms = plain_sync(network.folder(), texts[0]);
    const auto commit_ms = lmdb_commit(network.folder(), texts[0]);
    field.stop();

    add_row(fmt::format("`fieldpost queue`, durable, spawn included; median of {} calls", calls),
            fmt::format("{:.2f} ms", command_ms), "≤ 4 ms");
    add_row("of which the daemon, request to answer over its socket, median",
            fmt::format("{:.2f} ms ({:.2f} ms of CPU, mean)", request_ms, daemon_cpu_ms),
            fmt::format("≤ the commit + 0.5 = {:.2f} ms", commit_ms + 0.5));
    add_row("`/bin/true` in its place", fmt::format("{:.2f} ms", spawn_ms));
    add_row("a bare LMDB commit of as much (two flushes)", fmt::format("{:.2f} ms", commit_ms));
    add_row("a bare write + fdatasync of as much", fmt::format("{:.2f} ms", sync_ms));
    add_row("reports queued durably over the control socket, one after the other",
            fmt::format("{:.0f} a second", requests_a_second));
}

}  // namespace fieldpost::bench
