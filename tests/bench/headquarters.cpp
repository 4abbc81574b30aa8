// Headquarters with a thousand offices and a million reports: how long it takes to look, to export,
// and what that costs somebody who has something urgent meanwhile.
//
// FIELDPOST_BENCH_REPORTS says how many reports there are, if it is not a million.
#include <fmt/format.h>
#include <lmdb.h>
#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <thread>

#include "crypto/record_id.h"
#include "crypto/sealed_record.h"
#include "daemon/engine/ledger.h"
#include "daemon/engine/membership/founding.h"
#include "daemon/engine/record/delivery.h"
#include "daemon/home/office_home.h"
#include "storage/lmdb_tables.h"
#include "tests/bench/control_client.h"
#include "tests/bench/meters.h"
#include "tests/bench/table.h"
#include "tests/bench/texts.h"
#include "tests/end_to_end/database_server.h"
#include "tests/end_to_end/offices.h"
#include "tests/support/network.h"

namespace fieldpost::bench {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t member_count = 1000;
constexpr std::uint32_t reports_a_pack = 25;
constexpr std::uint32_t filled_a_commit = 500;
constexpr int asked_times = 20;
constexpr int urgent_times = 20;

std::uint32_t reports_wanted() {
    const char* wanted = std::getenv("FIELDPOST_BENCH_REPORTS");
    return wanted == nullptr ? 1'000'000U
                             : static_cast<std::uint32_t>(std::strtoul(wanted, nullptr, 10));
}

// A home as `join` leaves it, for an office of this network.
void make_home(const std::filesystem::path& folder, const tests::Network& network,
               std::size_t place, const std::string& configuration) {
    const auto& office = network.offices[place];
    const home::OfficeHome home(folder);
    REQUIRE(home.create(office.machine, office.mail, network.roster.founding(),
                        {office.index, {1, 7}, tests::founded_at}, {network.changes, {}}, {})
                .has_value());
    end_to_end::write_file(home.configuration(), configuration);
}

// The store of headquarters: half of the reports came alone, half in packs, from all offices in
// turn. They are filed as the daemon files what comes.
class Filler {
public:
    Filler(const std::filesystem::path& folder, const tests::Network& network)
        : network_(&network), home_(folder) {
        machine_.emplace(home_.machine_keys().value());
        mail_.emplace(home_.mail_keys().value());
        config_.machine = &*machine_;
        config_.mail = &*mail_;
        store_ = storage::RecordStore::open(
                     storage::open_lmdb_tables(home_.store(), {.limit_bytes = 8ULL << 30}).value(),
                     machine_->store_key.duplicate())
                     .value();
        REQUIRE(store_->begin().has_value());
        for (const auto& change :
             engine::founding_changes(network.id(), network.offices[0].index, {1, 7},
                                      tests::founded_at, network.changes, {})) {
            REQUIRE(store_->apply(change).has_value());
        }
        ledger_ = std::make_unique<engine::Ledger>(
            engine::Ledger::load(*store_, config_, network.roster.founding(), now()).value());
    }

    void fill(std::uint32_t count) {
        const auto texts = report_texts(1000);
        next_.assign(network_->offices.size(), 1);
        last_.assign(network_->offices.size(), {});
        std::uint32_t records = 0;
        for (std::uint32_t done = 0; done < count;) {
            // All but headquarters, and the province whose daemon has a store of its own.
            const auto author = 2 + records % (network_->offices.size() - 2);
            const bool is_pack = done >= count / 2;
            const auto some = is_pack ? std::min(reports_a_pack, count - done) : 1;
            add(author, some, texts, done);
            done += some;
            if (++records % filled_a_commit == 0) {
                commit();
            }
        }
        commit();
    }

private:
    static Now now() { return {{}, tests::founded_at.plus(86400)}; }

    void add(std::size_t place, std::uint32_t count, const std::vector<std::string>& texts,
             std::uint32_t from) {
        const auto& author = network_->offices[place];
        std::vector<ReportUnit> units;
        for (std::uint32_t i = 0; i < count; ++i) {
            Report report;
            report.text = texts[(from + i) % texts.size()];
            report.type = count > 1 ? "daily" : fmt::format("form{}", from % 7);
            report.fields = {{"week", fmt::format("2026-W{:02}", 1 + from % 52)},
                             {"patients", fmt::format("{}", (from + i) % 90)}};
            report.created = tests::founded_at.plus(600);
            units.push_back({std::nullopt, encode_report(report)});
        }
        Header header;
        header.log = {author.index, {1, 7}, RecordClass::normal};
        header.number = next_[place];
        header.count = static_cast<std::uint8_t>(count);
        header.created = tests::founded_at.plus(600);
        header.lifetime_seconds = 90U * 86400;
        next_[place] += count;
        auto sealed = crypto::seal_record(network_->id(), author.machine.identity.public_key(),
                                          header, {network_->offices[0].recipient()}, units, {})
                          .value();
        sealed.header.prev = prev_of(last_[place]);
        storage::StoredRecord record;
        record.arrival = ledger_->next_arrival(count);
        record.log = header.log;
        record.run = sealed.header.run();
        record.received = now().wall;
        record.expires = header.created.plus(header.lifetime_seconds);
        record.header = encode_header(sealed.header);
        record.body = sealed.body;
        record.id = crypto::record_id(
            network_->id(), sealed.header,
            crypto::body_hash(
                network_->id(), BodyShape{sealed.header.body_bytes},
                crypto::piece_hashes(network_->id(), BodyShape{sealed.header.body_bytes},
                                     sealed.body)));
        record.signature = crypto::sign_record(author.machine.identity, network_->id(), record.id);
        last_[place] = record.id;
        ledger_->write(storage::PutRecord{record});
        ledger_->edit_log(record.log).hold(record.run);
        REQUIRE(engine::deliver(*ledger_, record, sealed.header, {record.body, {}},
                                {author.index, engine::How::link}, now(), notices_)
                    .has_value());
    }

    void commit() {
        notices_.clear();
        REQUIRE(ledger_->flush().has_value());
        REQUIRE(store_->commit().has_value());
        REQUIRE(store_->begin().has_value());
    }

    const tests::Network* network_;
    home::OfficeHome home_;
    std::optional<crypto::MachineKeys> machine_;
    std::optional<crypto::MailKeys> mail_;
    engine::Config config_;
    std::unique_ptr<storage::RecordStore> store_;
    std::unique_ptr<engine::Ledger> ledger_;
    std::vector<engine::Notice> notices_;
    std::vector<Number> next_;
    std::vector<RecordId> last_;
};

struct Daemon {
    explicit Daemon(const std::filesystem::path& home)
        : program(
              {.words = {FIELDPOSTD_BIN, "--home", home.string()}, .log = home / "benchmark.log"}),
          client(home) {
        while (!client.answers()) {
            REQUIRE(program.is_running());
            REQUIRE(watch.passed() < 120s);
            std::this_thread::sleep_for(200us);
        }
        started = watch.passed();
    }
    Stopwatch watch;
    end_to_end::Program program;
    ControlClient client;
    Seconds started{};
};

double percentile(std::vector<double> values, double part) {
    std::ranges::sort(values);
    return values[static_cast<std::size_t>(static_cast<double>(values.size() - 1) * part)];
}

template <class Work>
double median_of(const Work& work) {
    std::vector<double> times;
    for (int i = 0; i < asked_times; ++i) {
        const Stopwatch watch;
        REQUIRE(work());
        times.push_back(watch.passed().count() * 1000);
    }
    return percentile(times, 0.5);
}

// The times from queueing an urgent report in a province to its receipt there, in milliseconds.
std::vector<double> urgent_times_of(const ControlClient& province) {
    std::vector<double> times;
    for (int i = 0; i < urgent_times; ++i) {
        const Stopwatch watch;
        const auto id = province.queue_urgent("hq", "no plaster left");
        REQUIRE_FALSE(id.empty());
        while (!province.is_delivered(id)) {
            REQUIRE(watch.passed() < 60s);
            std::this_thread::sleep_for(1ms);
        }
        times.push_back(watch.passed().count() * 1000);
        std::this_thread::sleep_for(1100ms);  // a receipt goes at once, and then one a second
    }
    return times;
}

double megabytes(const Memory& memory) {
    return static_cast<double>(memory.bytes) / 1e6;
}

// The bytes a report of three tables, in whole pages.
std::string per_report(const std::filesystem::path& store, std::uint32_t count) {
    MDB_env* env = nullptr;
    REQUIRE(mdb_env_create(&env) == 0);
    mdb_env_set_maxdbs(env, storage::table_count);
    REQUIRE(mdb_env_open(env, store.c_str(), MDB_RDONLY, 0600) == 0);
    MDB_txn* transaction = nullptr;
    REQUIRE(mdb_txn_begin(env, nullptr, MDB_RDONLY, &transaction) == 0);
    const auto bytes_of = [&](storage::Table which) {
        MDB_dbi table = 0;
        MDB_stat stat{};
        const auto name = fmt::format("{:02}", static_cast<unsigned>(which));
        REQUIRE(mdb_dbi_open(transaction, name.c_str(), 0, &table) == 0);
        REQUIRE(mdb_stat(transaction, table, &stat) == 0);
        return static_cast<double>(stat.ms_psize) *
               static_cast<double>(stat.ms_branch_pages + stat.ms_leaf_pages +
                                   stat.ms_overflow_pages) /
               count;
    };
    const auto pages = bytes_of(storage::Table::reports);
    const auto index = bytes_of(storage::Table::report_index);
    const auto feed = bytes_of(storage::Table::changes);
    mdb_txn_abort(transaction);
    mdb_env_close(env);
    return fmt::format("{:.0f} bytes a report: pages {:.0f}, index {:.0f}, feed {:.0f}",
                       pages + index + feed, pages, index, feed);
}

std::string times_of(const std::vector<double>& times) {
    return fmt::format("median {:.0f} ms, p95 {:.0f} ms", percentile(times, 0.5),
                       percentile(times, 0.95));
}

struct Measured {
    std::string name;
    std::string value;
    std::string goal;
};

// The time that PostgreSQL takes for a query, once it has read what it needs, in milliseconds.
double query_time(const std::string& dsn, const std::string& sql) {
    double time = 0;
    for (int i = 0; i < 3; ++i) {
        for (const auto& line : end_to_end::rows(dsn, "EXPLAIN ANALYZE " + sql)) {
            constexpr std::string_view head = "Execution Time: ";
            if (line[0].starts_with(head)) {
                time = std::stod(line[0].substr(head.size()));
            }
        }
    }
    return time;
}

// Into a PostgreSQL of its own on this machine.
std::vector<Measured> feed_database(const std::filesystem::path& folder,
                                    const std::filesystem::path& hq_home, std::uint32_t count) {
    end_to_end::DatabaseServer server(folder / "postgres");
    server.run("postgres", "CREATE DATABASE reports");
    const auto dsn = server.dsn("reports");
    end_to_end::Program feeding(
        {.words = {FIELDPOST_SINK_BIN, dsn, "--home", hq_home.string(), "--quiet"}});
    const Stopwatch watch;
    std::size_t most = 0;
    // Until it has become the sink, the new process has this one's memory.
    std::this_thread::sleep_for(1s);
    while (feeding.is_running()) {
        most = std::max(most, anonymous(feeding.pid()).bytes);
        std::this_thread::sleep_for(50ms);
    }
    const auto seconds = watch.passed().count();
    REQUIRE(feeding.finish().exit_code == 0);
    const auto filled = std::stod(end_to_end::rows(dsn, "SELECT count(*) FROM report")[0][0]);
    REQUIRE(filled >= count);
    server.run("reports", "ANALYZE");
    const auto of = [&](const std::string& sql) {
        return fmt::format("{:.1f} ms", query_time(dsn, sql));
    };
    return {{"fieldpost-sink into PostgreSQL",
             fmt::format("{:.0f} a second, {:.0f} s in all", filled / seconds, seconds),
             "≥ 5,000; a million in ≤ 300 s"},
            {"its memory", fmt::format("{:.1f} MB", static_cast<double>(most) / 1e6), "≤ 64 MB"},
            {"the last 100 of report_current",
             of("SELECT * FROM report_current ORDER BY created_at DESC LIMIT 100"), "≤ 50 ms"},
            {"the oldest 50 of waiting_for_answer",
             of("SELECT * FROM waiting_for_answer ORDER BY created_at LIMIT 50"), "≤ 50 ms"},
            {"form_form3 of one office for a month",
             of("SELECT * FROM form_form3 WHERE office = 'o500' AND created_at >= "
                "timestamptz '2000-01-01' AND created_at < timestamptz '2100-01-01'"),
             "≤ 50 ms"}};
}

}  // namespace

TEST_CASE("headquarters") {
    const tests::TemporaryFolder folder;
    const auto count = reports_wanted();
    std::vector<std::string> names = {"hq"};
    for (std::size_t i = 1; i < member_count; ++i) {
        names.push_back(fmt::format("o{}", i));
    }
    const auto network = tests::make_network(names);
    const auto port = end_to_end::free_port();
    const auto hq_home = folder.path() / "hq";
    const auto province_home = folder.path() / "province";
    make_home(hq_home, network, 0,
              fmt::format("listen = [\"tcp://127.0.0.1:{}\"]\nbeacon = false\n[limits]\n"
                          "store = \"8GiB\"\n",
                          port));
    make_home(province_home, network, 1,
              fmt::format("beacon = false\n[[peer]]\naddress = \"tcp://127.0.0.1:{}\"\n", port));
    const Stopwatch filling;
    {
        Filler filler(hq_home, network);
        filler.fill(count);
    }
    fmt::print(stderr, "filled with {} reports in {:.0f} s\n", count, filling.passed().count());

    std::vector<double> starts;
    for (int i = 0; i < 3; ++i) {
        Daemon once(hq_home);
        starts.push_back(once.started.count() * 1000);
        once.program.signal(SIGTERM);
        REQUIRE(once.program.finish().exit_code == 0);
    }
    Daemon hq(hq_home);
    Daemon province(province_home);
    const auto row = [&](const std::string& name, const std::string& value,
                         const std::string& goal = {}) {
        add_row(fmt::format("headquarters, {} reports: {}", count, name), value, goal);
    };
    row("start to the first answer", fmt::format("{:.0f} ms", percentile(starts, 0.5)), "≤ 200 ms");
    row("memory after the start", fmt::format("{:.1f} MB", megabytes(anonymous(hq.program.pid()))),
        "≤ 40 MB");
    row("`status`", fmt::format("{:.1f} ms", median_of([&] { return hq.client.status(); })),
        "≤ 10 ms");
    const std::vector<std::pair<std::string, ControlClient::ListFilter>> filters = {
        {"no filter", {}},
        {"--unanswered", {.unanswered = true}},
        {"--from", {.from = "o500"}},
        {"--type", {.type = "form3"}},
        {"--state acknowledged (none)", {.state = "acknowledged"}},
        {"--from --type --priority --state",
         {.state = "delivered", .from = "o500", .type = "form3", .priority = 2}},
        {"--from of an office with none", {.from = "hq"}},
    };
    for (const auto& [name, filter] : filters) {
        row("first page of 50, " + name,
            fmt::format("{:.1f} ms", median_of([&] { return hq.client.list(filter); })), "≤ 10 ms");
    }

    // The province cannot queue until it has met headquarters.
    REQUIRE(end_to_end::eventually(
        [&] { return !province.client.queue_urgent("hq", "once").empty(); }));
    urgent_times_of(province.client);
    const auto idle = urgent_times_of(province.client);
    row("urgent, queued to delivered, nothing else", times_of(idle));
    const auto exported = [&](const std::string& type, const std::string& format) {
        const auto output = (folder.path() / ("out." + format)).string();
        const Stopwatch watch;
        REQUIRE(end_to_end::run({.words = {FIELDPOST_BIN, "--home", hq_home.string(), "export",
                                           "--type", type, "--format", format, "--output", output,
                                           "--quiet", "--timeout", "60s"}})
                    .exit_code == 0);
        const auto seconds = watch.passed().count();
        const auto lines = end_to_end::read_file(output);
        return static_cast<double>(std::ranges::count(lines, '\n')) / seconds;
    };
    row("export to jsonl, reports that came in packs",
        fmt::format("{:.0f} a second", exported("daily", "jsonl")), "≥ 20,000");
    row("export to jsonl, reports that came alone",
        fmt::format("{:.0f} a second", exported("form3", "jsonl")), "≥ 8,000");

    const auto output = (folder.path() / "all.jsonl").string();
    end_to_end::Program exporting(
        {.words = {FIELDPOST_BIN, "--home", hq_home.string(), "export", "--format", "jsonl",
                   "--output", output, "--cursor", (folder.path() / "cursor").string(), "--timeout",
                   "60s"}});
    const auto busy = urgent_times_of(province.client);
    const bool was_long_enough = exporting.is_running();
    const auto memory = anonymous(hq.program.pid());
    const auto of_command = was_long_enough ? anonymous(exporting.pid()) : Memory{};
    exporting.signal(SIGTERM);
    exporting.finish();
    row("urgent, queued to delivered, during an export",
        times_of(busy) + (was_long_enough ? "" : " (the export ended before)"),
        fmt::format("p95 ≤ {:.0f} ms", percentile(idle, 0.95) + 50));
    row("memory during an export, daemon and command",
        fmt::format("{:.1f} and {:.1f} MB", megabytes(memory), megabytes(of_command)), "≤ 40 MB");
    row("disk for pages, index and feed", per_report(hq_home / "store", count),
        "≤ 120 bytes a report");
    for (const auto& [name, value, goal] : feed_database(folder.path(), hq_home, count)) {
        row(name, value, goal);
    }
    for (auto* daemon : {&hq, &province}) {
        daemon->program.signal(SIGTERM);
        REQUIRE(daemon->program.finish().exit_code == 0);
    }
}

}  // namespace fieldpost::bench
