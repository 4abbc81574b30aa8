// Sticks: the time to write and to read one, beside a copy of the same bytes and beside the checks
// alone; its size; and the memory that it takes.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "crypto/hash.h"
#include "crypto/sealed_record.h"
#include "tests/bench/control_client.h"
#include "tests/bench/meters.h"
#include "tests/bench/table.h"
#include "tests/bench/texts.h"
#include "tests/end_to_end/offices.h"
#include "tests/support/network.h"

namespace fieldpost::bench {

namespace {

namespace fs = std::filesystem;
using end_to_end::Office;

constexpr std::uint32_t reports = 10'000;
constexpr std::size_t attachment_bytes = 50'000'000;
constexpr int attachments = 20;

std::uint64_t bytes_in(const fs::path& folder) {
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
        bytes += entry.file_size();
    }
    return bytes;
}

Seconds copy_and_sync(const fs::path& from, const fs::path& to) {
    fs::create_directory(to);
    const Stopwatch watch;
    for (const auto& entry : fs::directory_iterator(from)) {
        REQUIRE(run_quickly({"/bin/cp", entry.path().string(), to.string()}, "/dev/null"));
    }
    REQUIRE(run_quickly({"/bin/sync", "-f", to.string()}, "/dev/null"));
    const auto passed = watch.passed();
    fs::remove_all(to);
    return passed;
}

struct Checks {
    Seconds signature;
    Seconds a_byte;
};

// Times the checks of one record, and of one byte of its body.
Checks bare_checks() {
    const auto network = tests::make_network({"hq"});
    const auto& author = network.offices[0].machine.identity;
    constexpr int times = 2000;
    const auto signature = crypto::sign_record(author, network.id(), {});
    const auto before = cpu_here();
    for (int i = 0; i < times; ++i) {
        REQUIRE(crypto::verify_record(author.public_key(), network.id(), {}, signature));
    }
    const auto between = cpu_here();
    const Bytes some(16'384);
    for (int i = 0; i < times; ++i) {
        (void)crypto::hash("body", network.id(), {some});
    }
    return {(between - before) / times,
            (cpu_here() - between) / (static_cast<double>(times) * 16'384)};
}

// The memory that a daemon takes during some work, above its use before.
class MemoryWatch {
public:
    explicit MemoryWatch(pid_t process)
        : before_(now(process)), thread_([this, process] {
              while (!is_over_) {
                  most_ = std::max(most_.load(), now(process));
                  std::this_thread::sleep_for(std::chrono::milliseconds(20));
              }
          }) {}
    ~MemoryWatch() { stop(); }
    MemoryWatch(const MemoryWatch&) = delete;
    MemoryWatch& operator=(const MemoryWatch&) = delete;
    double megabytes() {
        stop();
        return static_cast<double>(most_ - std::min(most_.load(), before_)) / 1e6;
    }

private:
    static std::uint64_t now(pid_t process) { return resident_beyond(process, "/data.mdb").bytes; }
    void stop() {
        is_over_ = true;
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    std::uint64_t before_;
    std::atomic<std::uint64_t> most_ = 0;
    std::atomic<bool> is_over_ = false;
    std::thread thread_;
};

struct Offices {
    end_to_end::Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");
    fs::path stick = network.folder() / "stick";

    Offices() {
        // It knows hq's keys, and never meets it again.
        hq.stop();
        fs::create_directory(stick);
    }
};

struct Trip {
    Seconds write{};
    Seconds copy{};
    Seconds read{};
    std::uint64_t bytes = 0;
    std::size_t records = 0;
    double write_megabytes = 0;
    double read_megabytes = 0;
};

Trip carry(Offices& offices) {
    Trip trip;
    {
        MemoryWatch memory(offices.hyesan.daemon_pid());
        const Stopwatch watch;
        const auto written = offices.hyesan.ask({"bundle", "export", offices.stick.string()});
        trip.write = watch.passed();
        trip.write_megabytes = memory.megabytes();
        CHECK(written.at("left_out") == 0);
    }
    trip.bytes = bytes_in(offices.stick);
    trip.copy = copy_and_sync(offices.stick, offices.network.folder() / "copy");
    offices.hyesan.stop();
    offices.hq.start();
    const auto file = fs::directory_iterator(offices.stick)->path();
    trip.records = offices.hq.ask({"bundle", "inspect", file.string()}).at("records").size();
    {
        MemoryWatch memory(offices.hq.daemon_pid());
        const Stopwatch watch;
        const auto taken =
            offices.hq.ask({"bundle", "import", offices.stick.string(), "--read-only"});
        trip.read = watch.passed();
        trip.read_megabytes = memory.megabytes();
        CHECK(taken.at("rejected") == 0);
    }
    return trip;
}

void add_rows(const std::string& what, const Trip& trip) {
    const auto checks = bare_checks();
    const auto bare = checks.signature * static_cast<double>(trip.records) +
                      checks.a_byte * static_cast<double>(trip.bytes);
    add_row(fmt::format("{}: a stick is written, beside cp and sync of its {:.1f} MB", what,
                        static_cast<double>(trip.bytes) / 1e6),
            fmt::format("{:.2f} s, {:.1f} x {:.2f} s", trip.write.count(), trip.write / trip.copy,
                        trip.copy.count()));
    add_row(fmt::format("{}: it is read, beside the same copy; beside the checks of its {} records",
                        what, trip.records),
            fmt::format("{:.2f} s, {:.1f} x; {:.1f} x {:.2f} s", trip.read.count(),
                        trip.read / trip.copy, trip.read / bare, bare.count()));
    add_row(fmt::format("{}: memory above idle, writing and reading", what),
            fmt::format("{:.0f} MB, {:.0f} MB", trip.write_megabytes, trip.read_megabytes),
            "≤ 67 MB each");
}

}  // namespace

TEST_CASE("bundle") {
    {
        Offices offices;
        const ControlClient client(offices.hyesan.home());
        for (const auto& text : report_texts(reports)) {
            REQUIRE(client.queue("hq", text));
        }
        const auto trip = carry(offices);
        add_rows(fmt::format("{} reports", reports), trip);
        add_row("a report on the stick",
                fmt::format("{:.0f} B", static_cast<double>(trip.bytes) / reports), "NNCP 2,478 B");
        const auto home = offices.network.folder() / "home.bin";
        const auto written = offices.hq.ask({"bundle", "export", home.string(), "--for", "hyesan"});
        add_row(fmt::format("the way home of {} receipts", reports),
                fmt::format("{} B", fs::file_size(home)), "≤ 4,000 B");
    }
    Offices offices;
    const auto file = offices.network.folder() / "attachment";
    for (int i = 0; i < attachments; ++i) {
        end_to_end::write_file(file, end_to_end::random_bytes(attachment_bytes));
        offices.hyesan.queue({"--to", "hq", "--attach", file.string()}, "scan\n");
    }
    fs::remove(file);
    add_rows(fmt::format("{} attachments of {} MB", attachments, attachment_bytes / 1'000'000),
             carry(offices));
}

}  // namespace fieldpost::bench
