// Goal: the commands in README.md and deploy/README.md give a reader the results that they promise.
// Method: every block of them is played, in their order, on machines made for it: folders in the
// place of /usr, /var and /srv, and stand-ins for what needs root and is not ours (sudo, systemctl,
// useradd's kin). The build itself is this one. A block that nobody here plays fails the test.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;
namespace fs = std::filesystem;

namespace {

const fs::path source = FIELDPOST_SOURCE_DIR;

// Between two lines of three backquotes, or indented by four in a paragraph of its own.
std::vector<std::string> blocks_of(const fs::path& page) {
    std::vector<std::string> blocks;
    std::ifstream in(page);
    bool is_inside = false;
    bool is_after_empty = true;
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("```")) {
            is_inside = !is_inside;
            if (is_inside) {
                blocks.emplace_back();
            }
        } else if (is_inside) {
            blocks.back() += line + '\n';
        } else if (line.starts_with("    ") && is_after_empty) {
            blocks.push_back(line.substr(4) + '\n');
        }
        is_after_empty = line.empty();
    }
    return blocks;
}

// Every time of the form 2026-11-21 14:05 as TIME. By hand: std::regex, optimised and under the
// sanitizers, makes gcc 12 warn of the library's own code.
std::string without_times(std::string text) {
    constexpr std::string_view form = "0000-00-00 00:00";
    const auto is_like = [](char wanted, char found) {
        return wanted == '0' ? found >= '0' && found <= '9' : wanted == found;
    };
    for (auto at = text.begin();;) {
        at = std::search(at, text.end(), form.begin(), form.end(),
                         [&](char found, char wanted) { return is_like(wanted, found); });
        if (at == text.end())
            return text;
        const auto place = at - text.begin();
        text.replace(static_cast<std::size_t>(place), form.size(), "TIME");
        at = text.begin() + place;
    }
}

std::string replaced(std::string text, std::string_view what, const std::string& by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
        text.replace(at, what.size(), by);
    }
    return text;
}

// One machine, on which nothing is yet.
class Machine {
public:
    Machine(const fs::path& folder, const std::string& port)
        : root_(folder), port_(port), office_(root_ / "var/lib/fieldpost") {
        for (const auto* made :
             {"stand_ins", "checkout/deploy", "var/lib", "person", "srv/exchange",
              "srv/exchange/in", "srv/exchange/out", "srv/exchange/hyesan-in",
              "srv/exchange/hyesan-out", "media/usb"}) {
            fs::create_directories(root_ / made);
        }
        stand_in("sudo", R"(while [ "$1" = -u ]; do shift 2; done; exec "$@")");
        stand_in("install",
                 R"(words=; while [ $# -gt 0 ]; do case $1 in -o|-g) shift 2;; )"
                 R"(*) words="$words $1"; shift;; esac; done; exec /usr/bin/install $words)");
        stand_in("cmake",
                 fmt::format(R"(case "$*" in
"--preset release -DBUILD_TESTING=OFF -DCMAKE_INSTALL_PREFIX=/usr") grep -q '"name": "release"' {0}/CMakePresets.json;;
"--build --preset release --target fieldpost fieldpostd") ;;
"--install build/release") exec /usr/bin/cmake --install {1} --prefix {2} > /dev/null;;
*) exit 1;; esac)",
                             source.string(), FIELDPOST_BUILD_DIR, (root_ / "usr").string()));
        stand_in("systemd-sysusers",
                 fmt::format("test -e {}/usr/lib/sysusers.d/fieldpost.conf", root_.string()));
        stand_in("systemctl", fmt::format(R"(case "$*" in
daemon-reload) test -e {0}/usr/lib/systemd/system/fieldpost.service;;
"enable --now fieldpost") setsid fieldpostd >> {0}/log 2>&1 < /dev/null &
for i in $(seq 100); do fieldpost status > /dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1;;
*) exit 1;; esac)",
                                          root_.string()));
        stand_in("usermod", R"([ "$*" = "-a -G fieldpost anne" ])");
        // The daemon must not meet other offices of tests on this machine.
        stand_in("fieldpostd",
                 fmt::format(R"(exec {}/usr/bin/fieldpostd --no-beacon "$@")", root_.string()));
        write_program(root_ / "checkout/deploy/install.sh",
                      fmt::format("test -x {}/deploy/install.sh", source.string()));
    }
    ~Machine() {
        // "its process number is in ~/office/lock"
        shell("for lock in $FIELDPOST_HOME/lock ~/office/lock; do kill $(cat $lock) || true; done");
    }
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    [[nodiscard]] std::string here(std::string text) const {
        const auto address = "tcp://127.0.0.1:" + port_;
        text = replaced(std::move(text), "'tcp://*:6743'", address);
        text = replaced(std::move(text), "tcp://hq.example.org:6743", address);
        for (const auto* folder :
             {"/var/lib/fieldpost", "/srv/exchange", "/srv/reports", "/media/usb"}) {
            text = replaced(std::move(text), folder, root_.string() + folder);
        }
        return text;
    }
    // Stops at the first command that fails, and says which.
    Ran shell(const std::string& commands) const {
        const auto surroundings = fmt::format(
            "export PATH={0}/stand_ins:{0}/usr/bin:/usr/bin:/bin:/usr/sbin HOME={0}/person "
            "FIELDPOST_HOME={1}\n",
            root_.string(), office_.string());
        Command command{.words = {"/bin/bash", "-ec", surroundings + here(commands)}};
        command.folder = root_ / "checkout";
        return run(command);
    }
    void play(const std::string& block) const {
        std::istringstream lines(block);
        for (std::string line; std::getline(lines, line);) {
            const auto ran = shell(line);
            CAPTURE(line, ran);
            CHECK(ran.exit_code == 0);
        }
    }
    void accepts(const std::string& configuration) const {
        const auto before = read_file(office_ / "fieldpost.toml");
        write_file(office_ / "fieldpost.toml", before + here(configuration));
        const auto ran = shell("fieldpostd --check");
        CAPTURE(ran);
        CHECK(ran.exit_code == 0);
        write_file(office_ / "fieldpost.toml", before);
    }
    [[nodiscard]] const fs::path& root() const { return root_; }

private:
    static void write_program(const fs::path& path, const std::string& text) {
        write_file(path, "#!/bin/sh\n" + text + "\n");
        fs::permissions(path, fs::perms::owner_all);
    }
    void stand_in(const std::string& name, const std::string& text) {
        write_program(root_ / "stand_ins" / name, text);
    }

    fs::path root_;
    std::string port_;
    fs::path office_;
};

}  // namespace

TEST_CASE("every block of deploy/README.md does what it says", "[end_to_end]") {
    const fieldpost::tests::TemporaryFolder folder;
    const auto port = std::to_string(free_port());
    const Machine hq(folder.path() / "hq", port);
    const Machine hyesan(folder.path() / "hyesan", port);
    const Machine third(folder.path() / "third", port);
    std::vector<std::string> played;
    for (const auto& block : blocks_of(source / "deploy/README.md")) {
        const auto first = block.substr(0, block.find('\n'));
        INFO("block: " << block);
        played.push_back(first);
        if (first.starts_with("./deploy/install.sh")) {
            hq.play(block);
            CHECK(eventually([&] {
                return hq.shell("fieldpost status").out.find(" active ") != std::string::npos;
            }));
        } else if (first.starts_with("sudo install -o fieldpost")) {
            // "install as above up to the line with install -d"
            hyesan.play(
                "sudo cmake --install build/release\n"
                "sudo install -d -o fieldpost -g fieldpost -m 0750 /var/lib/fieldpost\n");
            CHECK(hq.shell("fieldpost invite hyesan --role field --no-code").exit_code == 0);
            fs::copy(hq.root() / "checkout/hyesan.invite", hyesan.root() / "checkout");
            hyesan.play(block);
            CHECK(eventually([&] {
                return hyesan.shell("fieldpost status").out.find(" active ") != std::string::npos;
            }));
        } else if (first == "fieldpost bundle sync /media/usb") {
            const auto ran = hyesan.shell(block);
            CAPTURE(ran);
            CHECK(ran.exit_code == 0);
            CHECK(ran.out.ends_with("Safe to take out\n"));
        } else if (first.starts_with("[[folder]]") || first == "[[spool]]") {
            hyesan.accepts(block);
        } else if (first == "[Service]") {
            // A drop-in of the unit, which has both words.
            CHECK((block == "[Service]\nReadWritePaths=/srv/exchange\n" ||
                   block == "[Service]\nReadWritePaths=-/srv/reports\n"));
        } else if (first.starts_with("*/5 * * * * rsync")) {
            // As cron would; rsync's own work is not ours: the folders must be those that the next
            // block names.
            const auto page = read_file(source / "deploy/README.md");
            for (const auto* path : {"/srv/exchange/out", "/srv/exchange/in",
                                     "/srv/exchange/hyesan-out", "/srv/exchange/hyesan-in"}) {
                CHECK(block.find(std::string(path) + "/") != std::string::npos);
                CHECK(page.find(fmt::format("path = \"{}\"", path)) != std::string::npos);
            }
        } else if (first == "fieldpost --home ~/office join hyesan.invite") {
            third.play("sudo cmake --install build/release\n");
            CHECK(hq.shell("rm hyesan.invite; fieldpost invite other --no-code --output "
                           "hyesan.invite")
                      .exit_code == 0);
            fs::copy(hq.root() / "checkout/hyesan.invite", third.root() / "checkout");
            // The daemon goes on, and must not hold the test's pipe.
            const auto ran = third.shell("exec > said\n" + block +
                                         "for i in $(seq 100); do fieldpost status && exit 0; "
                                         "sleep 0.1; done; exit 1");
            CAPTURE(ran);
            CHECK(ran.exit_code == 0);
            CHECK(read_file(third.root() / "checkout/said").find("office    other (field)") !=
                  std::string::npos);
        } else if (first == "mkdir kept-files") {
            write_file(hyesan.root() / "checkout/note.txt", "석고 12kg");
            const auto id =
                hyesan.shell("fieldpost queue --to hq --text 재고 --attach note.txt").out;
            CHECK(hyesan.shell("fieldpost wait --for delivered " + id).exit_code == 0);
            const auto ran = hq.shell(block);
            CAPTURE(ran);
            CHECK(ran.exit_code == 0);
            CHECK(fs::file_size(hq.root() / "checkout/kept.xlsx") > 1000);
            const auto kept = read_file(hq.root() / "checkout/kept-files/hyesan-1/note.txt");
            CHECK(kept == "석고 12kg");
        } else {
            FAIL_CHECK("nobody plays this block");
        }
    }
    CHECK(played.size() == 11);
}

TEST_CASE("the blocks of README.md do what they say", "[end_to_end]") {
    const fieldpost::tests::TemporaryFolder folder;
    const auto blocks = blocks_of(source / "README.md");
    REQUIRE(blocks.size() == 2);
    // Both are what the reader sees: the first is typed, and the second is how its output ends.
    auto typed = replaced(blocks.at(0), "$PWD/build/release/bin", FIELDPOST_BUILD_DIR "/bin");
    typed =
        replaced(std::move(typed), "127.0.0.1:6743", "127.0.0.1:" + std::to_string(free_port()));
    const auto ran = run({.words = {"/bin/bash", "-ec",
                                    fmt::format("export TMPDIR={}\n"
                                                "trap 'kill $(jobs -p) || true' EXIT\n{}",
                                                folder.path().string(), typed)}});
    CAPTURE(ran);
    CHECK(ran.exit_code == 0);
    CHECK(without_times(ran.out).ends_with(without_times(blocks.at(1))));
}
