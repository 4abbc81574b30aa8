// Goal: a home that cannot be used, or whose disk is full, costs one clear line and nothing that
// was kept. Method: real daemons on small disks, on homes of others, of newer releases, and of
// nobody.
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "proto/bytes.h"
#include "storage/lmdb_tables.h"
#include "storage/record_store.h"
#include "tests/end_to_end/refusals.h"
#include "tests/end_to_end/small_disk.h"

using namespace fieldpost::end_to_end;

namespace {

namespace fs = std::filesystem;

constexpr auto needs_root = "skipped: only root can mount a small disk";

// fieldpostd on a home, until it ends by itself.
Ran run_daemon(const fs::path& home, Words options = {}) {
    options.insert(options.begin(), {FIELDPOSTD_BIN, "--home", home.string()});
    return run({.words = std::move(options)});
}

// Its log may come first, but the last word is the reason.
void check_daemon_says(const Ran& ran, int exit, const std::string& reason) {
    CAPTURE(ran);
    CHECK(ran.exit_code == exit);
    CHECK(ran.out.empty());
    const auto last = ran.err.rfind("fieldpostd: ");
    REQUIRE(last != std::string::npos);
    CHECK(ran.err.find('\n', last) == ran.err.size() - 1);
    CHECK(ran.err.find(reason, last) != std::string::npos);
}

}  // namespace

TEST_CASE("a daemon that cannot start says why and leaves the home as it was", "[end_to_end]") {
    Network network;
    auto& hq = network.found();

    check_daemon_says(run_daemon(hq.home()), 1, fmt::format("pid {}", hq.daemon_pid()));
    CHECK(hq.run({"status"}).exit_code == 0);

    const auto nothing = network.folder() / "nothing";
    check_daemon_says(run_daemon(nothing), 4, "no office");
    CHECK_FALSE(fs::exists(nothing));
    CHECK(run_daemon(hq.home(), {"--colour"}).exit_code == 2);

    const auto before = state_of(hq);
    hq.stop();
    const auto configuration = hq.home() / "fieldpost.toml";
    const auto good = read_file(configuration);
    for (const auto* bad :
         {"listen = 7", "lisen = []", "listen = [\"6743\"]", "[limits]\nstore = \"big\"",
          "[[peer]]\naddress = 7", "[[peer]]\nquiet = true",
          "[[peer]]\naddress = \"tcp://a:1\"\nquiet = \"yes\"",
          "[[peer]]\naddress = \"tcp://a:1\"\nspeed = 7", "listen = [", "\xff"}) {
        write_file(configuration, bad);
        check_daemon_says(run_daemon(hq.home()), 6, "fieldpost.toml");
        check_daemon_says(run_daemon(hq.home(), {"--check"}), 6, "fieldpost.toml");
    }
    write_file(configuration, good);
    CHECK(run_daemon(hq.home(), {"--check"}).exit_code == 0);

    // Another daemon has its port.
    auto& other = network.bare("other");
    other.ask({"init", "other", "--network", "reha", "--listen", hq.endpoint()});
    hq.start();
    check_daemon_says(run_daemon(other.home()), 1, hq.endpoint().substr(hq.endpoint().rfind(':')));
    CHECK(state_of(hq) == before);
}

TEST_CASE("a store of a newer release is left alone", "[end_to_end]") {
    using namespace fieldpost;
    Network network;
    auto& hq = network.found();
    hq.stop();
    const auto set_schema = [&](std::uint32_t version) {
        auto tables =
            storage::open_lmdb_tables(hq.home() / "store", {.limit_bytes = 4ULL << 30}).value();
        REQUIRE(tables->begin().has_value());
        ByteWriter bytes;
        bytes.u32(version);
        REQUIRE(tables->put(storage::Table::meta, as_bytes("schema"), bytes.bytes()).has_value());
        REQUIRE(tables->commit().has_value());
    };
    set_schema(1000);
    check_daemon_says(run_daemon(hq.home()), 6, "schema 1000");
    set_schema(fieldpost::storage::schema_version);
    hq.start();
    CHECK(hq.ask({"status"}).at("state") == "active");
}

TEST_CASE("a home on a read-only disk is refused and not touched", "[end_to_end]") {
    Network network;
    const SmallDisk disk(network.folder() / "disk", "64m");
    if (!disk.is_there()) {
        WARN(needs_root);
        return;
    }
    Office hq(network.folder() / "disk", "hq");
    hq.ask({"init", "hq", "--network", "reha"});
    disk.make_read_only();
    const auto ran = run_daemon(hq.home());
    CAPTURE(ran);
    CHECK(ran.exit_code == 1);
    CHECK(ran.err.find("fieldpostd: ") != std::string::npos);
    check_refused(Office(network.folder() / "disk", "second"),
                  {"init on a read-only disk", {"init", "second", "--network", "reha"}, 1});
    CHECK_FALSE(fs::exists(network.folder() / "disk" / "second"));
}

TEST_CASE("an office is not made on a full disk", "[end_to_end]") {
    Network network;
    const SmallDisk disk(network.folder() / "disk", "1m");
    if (!disk.is_there()) {
        WARN(needs_root);
        return;
    }
    const auto filler = disk.fill();
    const Office hq(network.folder() / "disk", "hq");
    check_refused(hq, {"init on a full disk", {"init", "hq", "--network", "reha"}, 7});
    fs::remove(filler);
    CHECK(hq.run({"init", "hq", "--network", "reha"}).exit_code == 0);
}

namespace {

// hyesan on a disk of 64 MiB, alone, which took in reports until there was no room for another.
struct FullDisk {
    FullDisk() {
        if (!disk.is_there()) {
            WARN(needs_root);
            return;
        }
        auto& hq = network.found();
        const auto invitation = (network.folder() / "hyesan.invite").string();
        hq.ask({"invite", "hyesan", "--no-code", "--output", invitation});
        hyesan.ask({"join", invitation});
        hyesan.start();
        REQUIRE(eventually([&] { return knows_as_active(hyesan, "hyesan"); }));
        hq.stop();
        write_file(network.folder() / "photo.jpg", random_bytes(1 << 20));
        filler = disk.fill();
        refused = queue();
        for (int i = 0; i < 100 && refused.exit_code == 0; ++i) {
            promised.push_back(refused.out.substr(0, refused.out.find('\n')));
            refused = queue();
        }
    }
    [[nodiscard]] Ran queue() const {
        return hyesan.run({"queue", "--to", "hq", "--attach", network.folder() / "photo.jpg"},
                          "a text\n");
    }

    Network network;
    SmallDisk disk{network.folder() / "disk", "64m"};
    Office hyesan{network.folder() / "disk", "hyesan"};
    fs::path filler;
    Words promised;
    Ran refused;
};

}  // namespace

TEST_CASE("what was promised before the disk was full is there afterwards", "[end_to_end]") {
    FullDisk full;
    if (!full.disk.is_there()) {
        return;
    }
    CAPTURE(full.refused, full.hyesan.log());
    CHECK(full.refused.exit_code != 0);
    CHECK_FALSE(full.promised.empty());
    fs::remove(full.filler);
    CHECK(ids_of(full.hyesan.ask({"list"})) == full.promised);
    for (const auto& id : full.promised) {
        CHECK(full.hyesan.run({"show", id, "--raw"}).out == "a text\n");
    }
    CHECK(full.queue().exit_code == 0);
}

TEST_CASE("a full disk refuses a report, and the daemon goes on", "[end_to_end]") {
    FullDisk full;
    if (!full.disk.is_there()) {
        WARN(needs_root);
        return;
    }
    CAPTURE(full.refused, full.promised.size(), full.hyesan.log());
    CHECK(faults_of(full.refused, 7) == Words{});
    CHECK(ids_of(full.hyesan.ask({"list"})) == full.promised);
    fs::remove(full.filler);
    CHECK(full.queue().exit_code == 0);
}

TEST_CASE("the daemon does not run on the home of another", "[end_to_end]") {
    if (::geteuid() != 0) {
        WARN("skipped: only root can give a home away");
        return;
    }
    Network network;
    auto& hq = network.found();
    hq.stop();
    for (const auto& path : fs::recursive_directory_iterator(hq.home())) {
        REQUIRE(::lchown(path.path().c_str(), 65534, 65534) == 0);
    }
    REQUIRE(::chown(hq.home().c_str(), 65534, 65534) == 0);
    Program daemon(
        {.words = {FIELDPOSTD_BIN, "--home", hq.home().string()}, .log = network.folder() / "log"});
    CHECK(eventually([&] { return !daemon.is_running() || hq.run({"status"}).exit_code == 0; }));
    REQUIRE_FALSE(daemon.is_running());
    CHECK(daemon.finish().exit_code == 5);
}

TEST_CASE("init run as root writes as the owner of the home", "[end_to_end]") {
    if (::geteuid() != 0) {
        WARN("skipped: only root can give a home away");
        return;
    }
    Network network;
    const auto& hq = network.bare("hq");
    fs::create_directory(hq.home());
    fs::permissions(network.folder(), fs::perms{0755});
    REQUIRE(::chown(hq.home().c_str(), 65534, 65534) == 0);
    hq.ask({"init", "hq", "--network", "reha"});
    for (const auto& path : fs::recursive_directory_iterator(hq.home())) {
        struct stat info{};
        REQUIRE(::lstat(path.path().c_str(), &info) == 0);
        CAPTURE(path.path().string());
        CHECK(info.st_uid == 65534);
    }
}
