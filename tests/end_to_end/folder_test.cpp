// Goal: any program that moves files is a link: an office that is told of a folder needs nobody to
// type anything.
// Method: daemons that never meet, with a [[folder]] each. Files are moved by cp, by mv, by nothing
// at all (one folder for both) and by Syncthing.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <set>
#include <sstream>
#include <thread>

#include "tests/end_to_end/offices.h"
#include "tests/end_to_end/small_disk.h"

using namespace fieldpost::end_to_end;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

// hq and hyesan, which hq has not admitted yet.
struct OfficesWithFolders {
    Network network;
    Office& hq = network.bare("hq");
    Office& hyesan = network.bare("hyesan");

    OfficesWithFolders() {
        hq.ask({"init", "hq", "--network", "reha"});
        hq.start();
        const auto file = network.folder() / "hyesan.invite";
        hq.ask({"invite", "hyesan", "--no-code", "--output", file.string()});
        hyesan.ask({"join", file.string()});
    }
    [[nodiscard]] fs::path folder(const std::string& name) const {
        fs::create_directories(network.folder() / name);
        return network.folder() / name;
    }
    void follow(Office& office, const fs::path& folder, const std::string& more = "") const {
        write_file(office.home() / "fieldpost.toml",
                   fmt::format("[[folder]]\npath = \"{}\"\n{}", folder.string(), more));
        if (office.is_up()) {
            office.stop();
        }
        office.start();
    }
};

std::set<std::string> names_in(const fs::path& folder) {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
        names.insert(entry.path().filename().string());
    }
    return names;
}

// Runs a shell's line again and again, as a script of an administrator would.
class Mover {
public:
    explicit Mover(const std::string& line)
        : loop_({.words = {"/bin/sh", "-c", "while :; do " + line + "; sleep 0.5; done"}}) {}
    ~Mover() { loop_.signal(SIGKILL); }
    Mover(const Mover&) = delete;
    Mover& operator=(const Mover&) = delete;

private:
    Program loop_;
};

std::string state_of(const Office& office, const std::string& id) {
    return office.ask({"trace", id}).at("state");
}

bool has_item(const Office& office, const std::string& what) {
    const auto items = office.ask({"attention"});
    return std::ranges::any_of(items, [&](const Json& item) { return item.at("what") == what; });
}

// Two instances of the real program, which know each other's address and nobody else.
class Syncthing {
public:
    Syncthing(const fs::path& home_of_both, const std::array<fs::path, 2>& folders) {
        std::array<fs::path, 2> homes;
        std::array<std::string, 2> ids;
        std::array<std::string, 2> addresses;
        for (std::size_t i = 0; i < 2; ++i) {
            homes[i] = home_of_both / std::to_string(i);
            addresses[i] = fmt::format("tcp://127.0.0.1:{}", free_port());
            REQUIRE(run({.words = {"/usr/bin/syncthing", "generate", "--no-default-folder",
                                   "--home", homes[i].string()},
                         .environment = {"HOME=" + home_of_both.string()}})
                        .exit_code == 0);
            ids[i] =
                run({.words = {"/usr/bin/syncthing", "--home", homes[i].string(), "--device-id"},
                     .environment = {"HOME=" + home_of_both.string()}})
                    .out;
            ids[i].erase(ids[i].find_last_not_of(" \n") + 1);
            fs::create_directories(folders[i] / ".stfolder");
            // As deploy/README.md tells an administrator.
            write_file(folders[i] / ".stignore", "*.part\n");
        }
        for (std::size_t i = 0; i < 2; ++i) {
            std::string devices;
            for (std::size_t j = 0; j < 2; ++j) {
                devices +=
                    fmt::format("<device id=\"{}\" name=\"{}\"><address>{}</address></device>",
                                ids[j], j, addresses[j]);
            }
            write_file(
                homes[i] / "config.xml",
                fmt::format("<configuration version=\"35\"><folder id=\"f\" path=\"{}\" "
                            "type=\"sendreceive\" fsWatcherEnabled=\"true\" "
                            "fsWatcherDelayS=\"1\"><device id=\"{}\"/><device id=\"{}\"/>"
                            "</folder>{}<gui enabled=\"false\"/><options><listenAddress>{}"
                            "</listenAddress>{}</options></configuration>",
                            folders[i].string(), ids[0], ids[1], devices, addresses[i], alone));
            programs_[i] = std::make_unique<Program>(
                Command{.words = {"/usr/bin/syncthing", "serve", "--no-browser", "--no-restart",
                                  "--home", homes[i].string()},
                        .environment = {"HOME=" + home_of_both.string(), "STNOUPGRADE=1"},
                        .log = home_of_both / fmt::format("{}.log", i)});
        }
    }
    ~Syncthing() {
        for (const auto& program : programs_) {
            program->signal(SIGTERM);
        }
    }
    Syncthing(const Syncthing&) = delete;
    Syncthing& operator=(const Syncthing&) = delete;

private:
    static constexpr auto alone =
        "<globalAnnounceEnabled>false</globalAnnounceEnabled>"
        "<localAnnounceEnabled>false</localAnnounceEnabled><relaysEnabled>false</relaysEnabled>"
        "<natEnabled>false</natEnabled><startBrowser>false</startBrowser>"
        "<reconnectionIntervalS>2</reconnectionIntervalS><urAccepted>-1</urAccepted>"
        "<autoUpgradeIntervalH>0</autoUpgradeIntervalH>"
        "<crashReportingEnabled>false</crashReportingEnabled>";
    std::array<std::unique_ptr<Program>, 2> programs_;
};

// The story of one report and its answer.
void tell_story(const OfficesWithFolders& offices) {
    const auto id = offices.hyesan.queue({"--to", "hq"}, "주간 보고\n");
    CAPTURE(offices.hq.log(), offices.hyesan.log());
    REQUIRE(eventually([&] { return state_of(offices.hyesan, id) == "delivered"; }));
    CHECK(offices.hq.ask({"list", "--inbox"}).size() == 1);
    offices.hq.ask({"ack", id});
    REQUIRE(eventually([&] { return state_of(offices.hyesan, id) == "acknowledged"; }));
    const auto trace = offices.hyesan.ask({"trace", id});
    CHECK(trace.at("events").back().at("how") == "bundle");
}

}  // namespace

TEST_CASE("a loop of cp between two folders is a link, admission included",
          "[end_to_end][folder][slow]") {
    OfficesWithFolders offices;
    const auto at_hq = offices.folder("hq-files");
    const auto at_hyesan = offices.folder("hyesan-files");
    write_file(at_hq / "letter.odt", random_bytes(5000));
    const auto before = read_file(at_hq / "letter.odt");
    offices.follow(offices.hq, at_hq);
    offices.follow(offices.hyesan, at_hyesan, "for = [\"hq\"]\n");
    const Mover mover(fmt::format("cp -n {0}/*.bin {1}/; cp -n {1}/*.bin {0}/", at_hq.string(),
                                  at_hyesan.string()));
    tell_story(offices);
    CHECK(read_file(at_hq / "letter.odt") == before);
    CHECK_FALSE(has_item(offices.hq, "folder"));
    // Then nothing is written any more.
    auto names = names_in(at_hq);
    REQUIRE(eventually([&] {
        std::this_thread::sleep_for(8s);
        return std::exchange(names, names_in(at_hq)) == names;
    }));
}

TEST_CASE("Syncthing between two folders is a link", "[end_to_end][folder][slow]") {
    OfficesWithFolders offices;
    const auto at_hq = offices.folder("hq-files");
    const auto at_hyesan = offices.folder("hyesan-files");
    const Syncthing syncthing(offices.folder("syncthing"), {at_hq, at_hyesan});
    offices.follow(offices.hq, at_hq);
    offices.follow(offices.hyesan, at_hyesan);
    tell_story(offices);
    const auto scan = offices.network.folder() / "사진.jpg";
    write_file(scan, random_bytes(300'000));
    const auto id = offices.hyesan.queue({"--to", "hq", "--attach", scan.string()}, "scan\n");
    REQUIRE(eventually([&] { return state_of(offices.hyesan, id) == "delivered"; }));
    CHECK_FALSE(has_item(offices.hq, "folder"));
}

TEST_CASE("one folder for all is a link", "[end_to_end][folder][slow]") {
    OfficesWithFolders offices;
    const auto share = offices.folder("share");
    offices.follow(offices.hq, share);
    offices.follow(offices.hyesan, share);
    tell_story(offices);
    // Files that an earlier run left there are recognised, and not left once more.
    REQUIRE(eventually([&] { return !names_in(share).empty(); }));
    auto names = names_in(share);
    REQUIRE(eventually([&] {
        std::this_thread::sleep_for(8s);
        return std::exchange(names, names_in(share)) == names;
    }));
    offices.hyesan.kill();
    offices.hyesan.start();
    const auto second = offices.hyesan.queue({"--to", "hq"}, "2\n");
    REQUIRE(eventually([&] { return state_of(offices.hyesan, second) == "delivered"; }));
}

TEST_CASE("in a folder that several share a carrier leaves nothing that is there already",
          "[end_to_end][folder][slow]") {
    OfficesWithFolders offices;
    auto& pyongyang = offices.network.bare("pyongyang");
    const auto invitation = offices.network.folder() / "pyongyang.invite";
    offices.hq.ask({"invite", "pyongyang", "--no-code", "--output", invitation.string()});
    pyongyang.ask({"join", invitation.string()});
    const auto share = offices.folder("share");
    offices.follow(offices.hq, share);
    offices.follow(pyongyang, share);
    offices.follow(offices.hyesan, share);
    const auto is_active = [](const Office& at, const std::string& whom) {
        const auto roster = at.ask({"roster"}).at("offices");
        return std::ranges::any_of(roster, [&](const Json& office) {
            return office.at("name") == whom && office.at("state") == "active";
        });
    };
    CAPTURE(offices.hq.log(), pyongyang.log(), offices.hyesan.log());
    REQUIRE(eventually([&] {
        return is_active(offices.hyesan, "hyesan") && is_active(pyongyang, "pyongyang") &&
               is_active(pyongyang, "hyesan");
    }));
    offices.hq.stop();
    const auto scan = offices.network.folder() / "scan.bin";
    write_file(scan, random_bytes(300'000));
    const auto id = offices.hyesan.queue({"--to", "hq", "--attach", scan.string()}, "scan\n");
    const auto large_ones = [&] {
        std::vector<fs::path> large;
        for (const auto& entry : fs::directory_iterator(share)) {
            std::error_code gone;  // a file that is being written is renamed at its end
            const auto size = entry.file_size(gone);
            if (!gone && size > 100'000 && entry.path().extension() != ".part") {
                large.push_back(entry.path());
            }
        }
        return large;
    };
    // The carrier says so in its next file, after the author's file.
    REQUIRE(eventually([&] { return state_of(offices.hyesan, id) == "carried"; }));
    std::this_thread::sleep_for(7s);
    REQUIRE(large_ones().size() == 1);
    // Nor after a restart.
    pyongyang.stop();
    pyongyang.start();
    const auto text = offices.hyesan.queue({"--to", "hq"}, "text\n");
    REQUIRE(eventually([&] { return state_of(offices.hyesan, text) == "carried"; }));
    REQUIRE(large_ones().size() == 1);
    // Somebody tidies up.
    fs::remove(large_ones().front());
    REQUIRE(eventually([&] { return large_ones().size() == 1; }));
    offices.hyesan.stop();
    offices.hq.start();
    REQUIRE(eventually([&] { return offices.hq.ask({"list", "--inbox"}).size() == 2; }));
}

TEST_CASE("where files are taken away, as by mail, each report is sent once",
          "[end_to_end][folder][slow]") {
    OfficesWithFolders offices;
    const auto from_hq = offices.folder("from-hq");
    const auto to_hq = offices.folder("to-hq");
    const auto from_hyesan = offices.folder("from-hyesan");
    const auto to_hyesan = offices.folder("to-hyesan");
    const auto sent = offices.folder("sent");
    const auto incoming = [](const fs::path& folder) {
        return fmt::format("[[folder]]\npath = \"{}\"\nread_only = true\n", folder.string());
    };
    offices.follow(offices.hq, from_hq, incoming(to_hq));
    offices.follow(offices.hyesan, from_hyesan, incoming(to_hyesan));
    const Mover mover(fmt::format(
        "for f in {0}/*.bin; do cp $f {2}/ && mv $f {3}/; done; "
        "for f in {1}/*.bin; do cp $f {2}/ && mv $f {4}/; done",
        from_hq.string(), from_hyesan.string(), sent.string(), to_hyesan.string(), to_hq.string()));
    tell_story(offices);
    const auto scan = offices.network.folder() / "scan.bin";
    write_file(scan, random_bytes(300'000));
    const auto id = offices.hyesan.queue({"--to", "hq", "--attach", scan.string()}, "scan\n");
    REQUIRE(eventually([&] { return state_of(offices.hyesan, id) == "delivered"; }));
    const auto last = offices.hyesan.queue({"--to", "hq"}, "last\n");
    REQUIRE(eventually([&] { return state_of(offices.hyesan, last) == "delivered"; }));
    std::size_t large = 0;
    for (const auto& entry : fs::directory_iterator(sent)) {
        large += entry.file_size() > 100'000 ? 1U : 0U;
    }
    CHECK(large == 1);
    CHECK(names_in(to_hq).size() + names_in(to_hyesan).size() <= names_in(sent).size());
}

TEST_CASE("what was left in a folder by hand does not stand for what is still to be left there",
          "[end_to_end][folder][slow]") {
    OfficesWithFolders offices;
    const auto share = offices.folder("share");
    offices.follow(offices.hq, share);
    offices.hyesan.start();
    for (int i = 0; i < 12; ++i) {
        const auto file = offices.network.folder() / "scan.bin";
        write_file(file, random_bytes(40'000));
        offices.hyesan.queue({"--to", "hq", "--attach", file.string()}, "scan\n");
    }
    // The import leaves a file whose summary lists all reports and which holds none. The export
    // leaves a file with some of them.
    offices.hyesan.ask({"bundle", "import", share.string()});
    offices.hyesan.ask({"bundle", "export", share.string(), "--max-size", "150kB"});
    offices.follow(offices.hyesan, share);
    CAPTURE(offices.hq.log(), offices.hyesan.log());
    REQUIRE(eventually([&] { return offices.hq.ask({"list", "--inbox"}).size() == 12; }));
}

TEST_CASE("a folder that is not there is said to need a person, until it is",
          "[end_to_end][folder]") {
    OfficesWithFolders offices;
    const auto share = offices.network.folder() / "share";
    offices.follow(offices.hq, share);
    REQUIRE(eventually([&] { return has_item(offices.hq, "folder"); }));
    fs::create_directory(share);
    REQUIRE(eventually([&] { return !has_item(offices.hq, "folder"); }));
    REQUIRE(eventually([&] { return !names_in(share).empty(); }));
    // A reload without the folder ends the process that looks after it. An unknown office is told.
    write_file(offices.hq.home() / "fieldpost.toml",
               fmt::format("[[folder]]\npath = \"{}\"\nfor = [\"nobody\"]\n", share.string()));
    ::kill(offices.hq.daemon_pid(), SIGHUP);
    REQUIRE(eventually([&] { return has_item(offices.hq, "folder"); }));
    write_file(offices.hq.home() / "fieldpost.toml", "");
    ::kill(offices.hq.daemon_pid(), SIGHUP);
    REQUIRE(eventually([&] { return !has_item(offices.hq, "folder"); }));
    const auto pid = std::to_string(offices.hq.daemon_pid());
    REQUIRE(eventually(
        [&] { return read_file(fs::path("/proc") / pid / "task" / pid / "children").empty(); }));
    for (const auto* bad : {"path = \"relative\"", "path = \"/x\"\nfor = \"hq\"",
                            "path = \"/x\"\nfor = [\"Not An Office\"]", "path = \"/x\"\nwhat = 1",
                            "for = [\"hq\"]", "path = \"/x\"\n[[folder]]\npath = \"/x\""}) {
        CAPTURE(bad);
        write_file(offices.hq.home() / "fieldpost.toml", fmt::format("[[folder]]\n{}\n", bad));
        CHECK(run({.words = {FIELDPOSTD_BIN, "--home", offices.hq.home().string(), "--check"}})
                  .exit_code == 6);
    }
}

TEST_CASE("a file in a folder that stays damaged is said to need a person",
          "[end_to_end][folder][slow]") {
    OfficesWithFolders offices;
    const auto share = offices.folder("share");
    offices.follow(offices.hq, share);
    offices.hyesan.start();
    const auto file = offices.network.folder() / "one.bin";
    offices.hyesan.queue({"--to", "hq"}, "report\n");
    offices.hyesan.ask({"bundle", "export", file.string()});
    auto damaged = read_file(file);
    // A cell begins at a multiple of 256 bytes; behind its end there may be noise.
    constexpr std::size_t grid = 256;
    for (std::size_t at = damaged.size() / 2 / grid * grid, i = 0; i < grid; ++i) {
        damaged[at + i] ^= 1;
    }
    write_file(share / "a.bin", damaged);
    REQUIRE(eventually([&] { return has_item(offices.hq, "folder"); }));
    write_file(share / "a.bin", read_file(file));
    REQUIRE(eventually([&] { return !has_item(offices.hq, "folder"); }));
}

TEST_CASE("a folder that somebody fills and disturbs is a link all the same",
          "[end_to_end][folder]") {
    OfficesWithFolders offices;
    const auto share = offices.folder("share");
    offices.follow(offices.hq, share);
    offices.follow(offices.hyesan, share);
    CAPTURE(offices.hq.log(), offices.hyesan.log());
    REQUIRE(eventually([&] { return knows_as_active(offices.hyesan, "hyesan"); }));
    const auto names = names_in(share);
    // A sparse file with real cells here and there, and other files of every kind.
    const auto bundle =
        std::ranges::find_if(names, [](const std::string& name) { return name.ends_with(".bin"); });
    const auto cells = read_file(share / *bundle).substr(0, 4096);
    {
        std::ofstream out(share / "large.bin", std::ios::binary);
        for (int i = 0; i < 1000; ++i) {
            out.seekp(std::int64_t{i} * 15 * 1024 * 1024);
            out << cells;
        }
    }
    REQUIRE(::mkfifo((share / "pipe.bin").c_str(), 0644) == 0);
    fs::create_symlink("/etc/passwd", share / "link.bin");
    fs::create_directory(share / "folder.bin");
    // A file of several cells, so that the cells before the cut show it to be a bundle.
    const auto scan = offices.network.folder() / "scan";
    const auto whole = offices.network.folder() / "whole.bin";
    write_file(scan, random_bytes(300'000));
    offices.hyesan.queue({"--to", "hq", "--attach", scan.string()}, "scan\n");
    offices.hyesan.ask({"bundle", "export", whole.string()});
    const auto bytes = read_file(whole);
    write_file(share / "\xff\xfe.bin", bytes.substr(0, bytes.size() * 3 / 4));
    const auto letter = random_bytes(5000);
    write_file(share / "letter.bin", letter);
    const Mover mover(
        fmt::format("cd {}; rm -f noise-*; echo x > noise-$i; i=$((i+1)); "
                    "mv a b 2>/dev/null || mv b a 2>/dev/null || echo > a",
                    share.string()));
    std::this_thread::sleep_for(2s);
    const auto id = offices.hyesan.queue({"--to", "hq", "--priority", "urgent"}, "urgent\n");
    CHECK(eventually([&] { return state_of(offices.hyesan, id) == "delivered"; }, 30s));
    CHECK(read_file(share / "letter.bin") == letter);
    // Now the command: in its JSON too, a name that is not UTF-8 is named.
    const auto ran = offices.hq.run({"--json", "bundle", "sync", share.string()});
    CHECK(ran.exit_code == 9);
    CHECK(Json::parse(ran.out).at("import").at("errors").size() >= 1);
}

TEST_CASE("nothing is left beneath a medium that was taken out, and all once it is back",
          "[end_to_end][folder]") {
    OfficesWithFolders offices;
    const auto stick = offices.network.folder() / "stick";
    std::optional<SmallDisk> disk(std::in_place, stick, "8m");
    if (!disk->is_there()) {
        WARN("skipped: only root can mount a small disk");
        return;
    }
    offices.follow(offices.hyesan, stick);
    REQUIRE(eventually([&] { return !names_in(stick).empty(); }));
    disk->take_out();
    REQUIRE(eventually([&] { return has_item(offices.hyesan, "folder"); }));
    offices.hyesan.queue({"--to", "hq", "--priority", "urgent"}, "urgent\n");
    std::this_thread::sleep_for(4s);
    CHECK(names_in(stick).empty());
    disk.emplace(stick, "8m");
    REQUIRE(eventually([&] { return !names_in(stick).empty(); }, 20s));
    REQUIRE(eventually([&] { return !has_item(offices.hyesan, "folder"); }));
    offices.hyesan.stop();
}
