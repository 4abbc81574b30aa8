// Goal: a driver with a stick, and nobody else, does everything that a link does. Whatever happens
// to the stick, nothing is lost, and all that is said of it is true.
// Method: daemons that never meet, and folders as sticks.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <set>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;
namespace fs = std::filesystem;

namespace {

// Three offices, of which no two ever have a link: two joined by invitation, and were admitted by
// stick.
struct OfficesWithAStick {
    Network network;
    Office& hq = network.bare("hq");
    Office& hyesan = network.bare("hyesan");
    Office& pyongyang = network.bare("pyongyang");
    fs::path stick = network.folder() / "stick";

    OfficesWithAStick() {
        fs::create_directory(stick);
        hq.ask({"init", "hq", "--network", "reha"});
        hq.start();
        for (auto* office : {&hyesan, &pyongyang}) {
            const auto file = network.folder() / (office->name() + ".invite");
            hq.ask({"invite", office->name(), "--no-code", "--output", file.string()});
            office->ask({"join", file.string()});
            office->start();
        }
    }
    Json visit(const Office& office) const {
        return office.ask({"bundle", "sync", stick.string()});
    }
    void admit_all() const {
        for (const auto* office : {&hyesan, &pyongyang, &hq, &pyongyang, &hyesan, &hq}) {
            visit(*office);
        }
    }
    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> all;
        for (const auto& entry : fs::directory_iterator(stick)) {
            all.insert(entry.path().filename().string());
        }
        return all;
    }
};

// An exFAT file system on a loop device, served by exfat-fuse: the kernel need not know it.
class ExfatStick {
public:
    explicit ExfatStick(const fs::path& folder)
        : image_(folder / "image"), path_(folder / "exfat") {
        write_file(image_, "");
        fs::resize_file(image_, 64U << 20);
        fs::create_directory(path_);
        REQUIRE(run({.words = {"/usr/sbin/mkfs.exfat", image_.string()}}).exit_code == 0);
        device_ = run({.words = {"/usr/sbin/losetup", "-f", "--show", image_.string()}}).out;
        device_.erase(device_.find_last_not_of('\n') + 1);
        REQUIRE(device_.starts_with("/dev/loop"));
    }
    ~ExfatStick() {
        die();
        run({.words = {"/usr/sbin/losetup", "-d", device_}});
    }
    ExfatStick(const ExfatStick&) = delete;
    ExfatStick& operator=(const ExfatStick&) = delete;

    [[nodiscard]] const fs::path& path() const { return path_; }
    void plug_in() {
        server_ = std::make_unique<Program>(
            Command{.words = {"/usr/sbin/mount.exfat-fuse", "-d", device_, path_.string()},
                    .log = "/dev/null"});
        REQUIRE(eventually([&] {
            return read_file("/proc/self/mounts").find(path_.string()) != std::string::npos;
        }));
    }
    // As when the stick is pulled out: reads and writes under way end in an error.
    void die() {
        if (server_) {
            server_->signal(SIGKILL);
            server_->finish();
            server_.reset();
            run({.words = {"/bin/umount", "-l", path_.string()}});
        }
    }

private:
    fs::path image_;
    fs::path path_;
    std::string device_;
    std::unique_ptr<Program> server_;
};

bool has_exfat() {
    return ::geteuid() == 0 && fs::exists("/dev/fuse") && fs::exists("/dev/loop-control");
}

std::string state_of(const Office& office, const std::string& id) {
    return office.ask({"trace", id}).at("state");
}

}  // namespace

TEST_CASE("a stick brings reports there, and receipts and answers home", "[end_to_end]") {
    const OfficesWithAStick offices;
    const auto& hyesan = offices.hyesan;
    // Before hyesan was ever admitted.
    const auto early = hyesan.queue({"--to", "hq"}, "첫 보고\n");
    offices.admit_all();
    CHECK(offices.hq.ask({"list", "--inbox"}).size() == 1);
    REQUIRE(knows_as_active(hyesan, "hyesan"));
    const auto photo = offices.network.folder() / "사진.jpg";
    write_file(photo, random_bytes(300'000));
    const auto id = hyesan.queue({"--to", "hq", "--attach", photo.string()}, "photo\n");
    CHECK(offices.visit(hyesan).at("export").at("records") == 1);
    const auto there = offices.visit(offices.pyongyang);
    CHECK(there.at("import").at("new") == 1);
    CHECK(there.at("import").at("rejected") == 0);
    offices.visit(hyesan);
    CHECK(state_of(hyesan, id) == "carried");
    offices.visit(offices.hq);
    offices.hq.ask({"ack", id, "--note", "받음"});
    offices.visit(offices.hq);
    offices.visit(offices.pyongyang);
    offices.visit(hyesan);
    CHECK(state_of(hyesan, early) == "delivered");
    CHECK(state_of(hyesan, id) == "acknowledged");
    const auto trace = hyesan.ask({"trace", id});
    const auto& events = trace.at("events");
    const auto delivered = std::ranges::find_if(
        events, [](const Json& event) { return event.at("what") == "delivered"; });
    REQUIRE(delivered != events.end());
    CHECK(delivered->at("how") == "bundle");
    const auto saved = offices.network.folder() / "saved";
    fs::create_directory(saved);
    offices.hq.ask({"show", id, "--save", saved.string()});
    CHECK(read_file(saved / "사진.jpg") == read_file(photo));
    // One file for each office: an office that comes again replaces its own.
    CHECK(offices.names().size() == 3);
}

TEST_CASE("what is on a stick beside bundles is left alone", "[end_to_end]") {
    const OfficesWithAStick offices;
    offices.admit_all();
    const auto secret = offices.network.folder() / "secret.bin";
    offices.hyesan.ask({"bundle", "export", secret.string()});
    write_file(offices.stick / "letter.odt", random_bytes(5000));
    fs::create_symlink(secret, offices.stick / "link.bin");
    REQUIRE(::mkfifo((offices.stick / "pipe.bin").c_str(), 0600) == 0);
    fs::create_directory(offices.stick / "holiday");
    fs::copy_file(secret, offices.stick / "holiday" / "deep.bin");
    // A terabyte of nothing.
    write_file(offices.stick / "huge.bin", "");
    fs::resize_file(offices.stick / "huge.bin", std::uintmax_t{1} << 40);
    const auto before = offices.names();
    const auto synced = offices.visit(offices.hq);
    CHECK(synced.at("import").at("ignored") == 2);
    CHECK(synced.at("import").at("files") == 3);
    auto after = offices.names();
    CHECK(after.size() == before.size());
    for (const auto* name : {"letter.odt", "link.bin", "pipe.bin", "holiday", "huge.bin"}) {
        CHECK(after.contains(name));
    }
    const auto named = offices.hq.run({"bundle", "import", (offices.stick / "link.bin").string()});
    CHECK(named.exit_code == 6);
}

TEST_CASE("import reads without writing where it may not, and says what it found", "[end_to_end]") {
    const OfficesWithAStick offices;
    offices.admit_all();
    const auto id = offices.hyesan.queue({"--to", "hq"}, "report\n");
    offices.visit(offices.hyesan);
    const auto before = offices.names();
    const auto taken = offices.hq.ask({"bundle", "import", offices.stick.string(), "--read-only"});
    CHECK(taken.at("new") == 1);
    CHECK(offices.names() == before);
    CHECK(offices.hq.ask({"bundle", "import", offices.stick.string()}).at("new") == 0);
    CHECK(offices.names().size() == before.size());  // its own was replaced
    CHECK(offices.hq.run({"bundle", "import", "/nowhere"}).exit_code == 4);
    CHECK(offices.hq.run({"bundle", "export", "/nowhere/at/all"}).exit_code == 4);
    const auto file = offices.network.folder() / "for-hq.bin";
    const auto written = offices.pyongyang.ask({"bundle", "export", file.string(), "--for", "hq"});
    CHECK(written.at("file") == file.string());
    CHECK(offices.pyongyang.run({"bundle", "export", file.string()}).exit_code == 6);
    const auto looked = offices.hq.ask({"bundle", "inspect", file.string()});
    CHECK(looked.at("from") == "pyongyang");
    CHECK(looked.at("whole") == true);
    CHECK(looked.at("for") == Json{"hq"});
    CHECK(offices.hq.run({"bundle", "export", "x", "--for", "nobody"}).exit_code == 4);
}

TEST_CASE("what an office left on a stick stays until something at least as good is there",
          "[end_to_end]") {
    const OfficesWithAStick offices;
    offices.admit_all();
    const auto id = offices.hyesan.queue({"--to", "hq"}, "report\n");
    offices.visit(offices.hyesan);
    // Only reading: its mail stays where it is.
    offices.hyesan.ask({"bundle", "import", offices.stick.string()});
    CHECK(offices.hq.ask({"bundle", "import", offices.stick.string()}).at("new") == 1);
    // A file that was named is never touched.
    const auto mine = offices.network.folder() / "mine.bin";
    offices.hyesan.ask({"bundle", "export", mine.string()});
    offices.hyesan.ask({"bundle", "import", mine.string(), offices.stick.string()});
    CHECK(fs::exists(mine));
    // A report that fits no file is left out, and the rest goes on.
    const auto scan = offices.network.folder() / "scan.bin";
    write_file(scan, random_bytes(300'000));
    offices.hyesan.queue({"--to", "hq", "--attach", scan.string()}, "scan\n");
    const auto last = offices.hyesan.queue({"--to", "hq"}, "last\n");
    const auto written =
        offices.hyesan.ask({"bundle", "export", offices.stick.string(), "--file-size", "20kB"});
    CHECK(written.at("left_out") == 1);
    CHECK(written.at("files").size() <= 3);
}

TEST_CASE("inspect tells what is in a bundle, and takes nothing in", "[end_to_end]") {
    const OfficesWithAStick offices;
    offices.admit_all();
    const auto id = offices.hyesan.queue({"--to", "hq", "--priority", "urgent"}, "urgent\n");
    const auto file = offices.network.folder() / "one.bin";
    offices.hyesan.ask({"bundle", "export", file.string()});
    const auto looked = offices.hq.ask({"bundle", "inspect", file.string()});
    REQUIRE(looked.at("records").size() == 1);
    const auto& record = looked.at("records").at(0);
    CHECK(record.at("id") == id);
    CHECK(record.at("priority") == "urgent");
    CHECK(record.at("is_new") == true);
    CHECK(offices.hq.ask({"list", "--inbox"}).empty());
    // To another network it is noise.
    Network other;
    const auto refused = other.found().run({"bundle", "inspect", file.string()});
    CHECK(refused.exit_code == 6);
    CHECK(refused.err.find("no bundle of this network") != std::string::npos);
}

TEST_CASE("one file that cannot be read is named, and the others are taken in", "[end_to_end]") {
    if (::geteuid() != 0) {
        WARN("skipped: only root may mount");
        return;
    }
    const OfficesWithAStick offices;
    offices.admit_all();
    const auto id = offices.hyesan.queue({"--to", "hq"}, "석고 12kg\n");
    offices.visit(offices.hyesan);
    // Its first byte cannot be read, though it is a plain file: an error of the medium (EIO).
    const auto bad = offices.stick / "0000bad.bin";
    write_file(bad, "");
    const auto mounted =
        run({.words = {"/bin/mount", "--bind", fmt::format("/proc/{}/mem", ::getpid()), bad}});
    if (mounted.exit_code != 0) {
        WARN("skipped: this machine lets nobody mount: " << mounted.err);
        return;
    }
    const auto ran = offices.hq.run({"bundle", "sync", offices.stick.string(), "--json"});
    const auto alone = offices.hq.run({"bundle", "import", bad.string()});
    run({.words = {"/bin/umount", bad.string()}});
    CHECK(ran.exit_code == 9);
    const auto done = Json::parse(ran.out);
    CHECK(done["import"]["new"] == 1);
    REQUIRE(done["import"]["errors"].size() == 1);
    CHECK(done["import"]["errors"][0]["file"] == "0000bad.bin");
    CHECK(done["import"]["errors"][0]["reason"].get<std::string>().find(
              "cannot be read any further") != std::string::npos);
    // And the records that others lack were left there all the same.
    CHECK(done["export"]["file"].is_string());
    offices.visit(offices.hyesan);
    CHECK(state_of(offices.hyesan, id) == "delivered");
    CHECK(alone.exit_code == 9);
    CHECK(alone.out.find("0000bad.bin") != std::string::npos);
}

TEST_CASE("a stick that is nearly full takes what is urgent", "[end_to_end]") {
    if (::geteuid() != 0) {
        WARN("skipped: only root may mount");
        return;
    }
    const OfficesWithAStick offices;
    offices.admit_all();
    const auto scan = offices.network.folder() / "scan.bin";
    write_file(scan, random_bytes(400'000));
    offices.hyesan.queue({"--to", "hq", "--attach", scan.string()}, "scan\n");
    const auto urgent = offices.hyesan.queue({"--to", "hq", "--priority", "urgent"}, "urgent\n");
    const auto tiny = offices.network.folder() / "tiny";
    fs::create_directory(tiny);
    const auto mounted =
        run({.words = {"/bin/mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tiny.string()}});
    if (mounted.exit_code != 0) {
        WARN("skipped: this machine lets nobody mount: " << mounted.err);
        return;
    }
    const auto ran = offices.hyesan.run({"bundle", "sync", tiny.string(), "--json"});
    const auto there = offices.hq.run({"bundle", "import", tiny.string(), "--json"});
    run({.words = {"/bin/sh", "-c", "cat /dev/zero > " + (tiny / "full").string()}});
    const auto full = offices.hyesan.run({"bundle", "export", tiny.string()});
    run({.words = {"/bin/umount", tiny.string()}});
    REQUIRE(ran.exit_code == 0);
    const auto left = Json::parse(ran.out)["export"];
    CHECK(left["records"] == 1);
    CHECK(left["left_out"] == 1);
    CHECK(Json::parse(there.out)["new"] == 1);
    CHECK(ids_of(offices.hq.ask({"list", "--inbox"})) == std::vector<std::string>{urgent});
    CHECK(full.exit_code == 7);
    CHECK(full.err.find("--max-size") == std::string::npos);
}

TEST_CASE("a stick that is small gets what matters most, in files as large as it takes",
          "[end_to_end]") {
    const OfficesWithAStick offices;
    offices.admit_all();
    const auto file = offices.network.folder() / "scan.bin";
    write_file(file, random_bytes(400'000));
    for (int i = 0; i < 3; ++i) {
        offices.hyesan.queue({"--to", "hq", "--attach", file.string()}, "scan\n");
    }
    const auto urgent = offices.hyesan.queue({"--to", "hq", "--priority", "urgent"}, "urgent\n");
    const auto small = offices.network.folder() / "small.bin";
    const auto some =
        offices.hyesan.ask({"bundle", "export", small.string(), "--max-size", "500kB"});
    CHECK(some.at("records") == 2);
    CHECK(some.at("left_out") == 2);
    CHECK(fs::file_size(small) <= 500'000);
    const auto none = offices.hyesan.run({"bundle", "export", "none.bin", "--max-size", "100B"});
    CHECK(none.exit_code == 7);
    CHECK_FALSE(fs::exists("none.bin"));
    const auto all =
        offices.hyesan.ask({"bundle", "export", offices.stick.string(), "--file-size", "600kB"});
    CHECK(all.at("records") == 4);
    CHECK(all.at("left_out") == 0);
    REQUIRE(all.at("files").size() == 3);
    for (const auto& part : all.at("files")) {
        CHECK(fs::file_size(part.get<std::string>()) <= 600'000);
    }
    CHECK(offices.hq.ask({"bundle", "import", offices.stick.string()}).at("new") == 4);
    CHECK(offices.hq.run({"bundle", "export", "x", "--max-size", "much"}).exit_code == 6);
}

TEST_CASE("a damaged bundle is named, and what is whole in it is taken", "[end_to_end]") {
    const OfficesWithAStick offices;
    offices.admit_all();
    const auto file = offices.network.folder() / "one.bin";
    for (int i = 0; i < 4; ++i) {
        offices.hyesan.queue({"--to", "hq"}, "report\n");
    }
    const auto scan = offices.network.folder() / "scan.bin";
    write_file(scan, random_bytes(200'000));
    offices.hyesan.queue({"--to", "hq", "--attach", scan.string()}, "scan\n");
    offices.hyesan.ask({"bundle", "export", file.string()});
    const auto whole = read_file(file);
    auto damaged = whole;
    damaged[damaged.size() / 2] ^= 1;
    write_file(file, damaged);
    const auto first = offices.hq.run({"--json", "bundle", "import", file.string()});
    CHECK(first.exit_code == 9);
    const auto taken = Json::parse(first.out);
    CHECK(taken.at("new") == 4);
    CHECK(taken.at("errors").size() == 1);
    write_file(file, whole.substr(0, whole.size() * 9 / 10));
    CHECK(offices.hq.run({"bundle", "import", file.string()}).exit_code == 9);
    write_file(file, whole);
    CHECK(offices.hq.ask({"bundle", "import", file.string()}).at("new") == 1);
}

TEST_CASE("a copy that is stopped leaves nothing behind", "[end_to_end]") {
    const OfficesWithAStick offices;
    offices.admit_all();
    const auto file = offices.network.folder() / "scan.bin";
    write_file(file, random_bytes(40'000'000));
    offices.hyesan.queue({"--to", "hq", "--attach", file.string()}, "scan\n");
    const auto before = offices.names();
    Program sync(offices.hyesan.command({"bundle", "sync", offices.stick.string()}));
    const auto has_part = [&] {
        return std::ranges::any_of(offices.names(),
                                   [](const std::string& name) { return name.ends_with(".part"); });
    };
    REQUIRE(eventually(has_part));
    sync.signal(SIGINT);
    const auto ended = sync.finish();
    CHECK(ended.exit_code == 1);
    CHECK(ended.out.find("Safe") == std::string::npos);
    CHECK(offices.names() == before);
    // As after a power cut: the next visit replaces the leftover file, too.
    Program killed(offices.hyesan.command({"bundle", "sync", offices.stick.string()}));
    REQUIRE(eventually(has_part));
    killed.signal(SIGKILL);
    killed.finish();
    const auto synced = offices.hyesan.run({"bundle", "sync", offices.stick.string()});
    CHECK(synced.out.find("Safe to take out") != std::string::npos);
    CHECK_FALSE(has_part());
    CHECK(offices.names().size() == before.size());
}

TEST_CASE("a stick that goes while it is written holds what it held before", "[end_to_end][slow]") {
    if (!has_exfat()) {
        WARN("not tested: a file system of one's own needs root, FUSE and loop devices");
        return;
    }
    const OfficesWithAStick offices;
    offices.admit_all();
    ExfatStick stick(offices.network.folder());
    stick.plug_in();
    const auto sync = offices.hyesan.command({"bundle", "sync", stick.path().string()});
    offices.hyesan.queue({"--to", "hq"}, "first\n");
    CHECK(run(sync).out.ends_with("Safe to take out\n"));
    // Taking it out was safe.
    stick.die();
    stick.plug_in();
    const auto file = offices.network.folder() / "scan.bin";
    write_file(file, random_bytes(20'000'000));
    offices.hyesan.queue({"--to", "hq", "--attach", file.string()}, "scan\n");
    Program writing(sync);
    const auto is_half_done = [&] {
        return std::ranges::any_of(fs::directory_iterator(stick.path()), [](const auto& entry) {
            return entry.path().extension() == ".part" && entry.file_size() > 2'000'000;
        });
    };
    REQUIRE(eventually(is_half_done));
    stick.die();
    const auto ended = writing.finish();
    CHECK(ended.exit_code == 1);
    CHECK(ended.out.find("Safe") == std::string::npos);
    CAPTURE(ended);
    CHECK(std::ranges::count(ended.err, '\n') == 1);
    CHECK(ended.err.find("what was there before still is") != std::string::npos);
    stick.plug_in();
    const auto taken = offices.hq.ask({"bundle", "import", stick.path().string(), "--read-only"});
    CHECK(taken.at("new") == 1);
    CHECK(taken.at("rejected") == 0);
    CHECK(run(sync).out.ends_with("Safe to take out\n"));
    stick.die();
    stick.plug_in();
    CHECK(offices.hq.ask({"bundle", "import", stick.path().string()}).at("new") == 1);
}
