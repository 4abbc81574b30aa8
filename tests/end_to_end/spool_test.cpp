// Goal: whatever writes into a spool folder has queued a report, once, and nothing is lost.
// Method: real writers: a slow copy, a scanner, a script, a share served by smbd. The process that
// looks after the folder is killed again and again; the disk is full; the folder goes away.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "tests/end_to_end/offices.h"
#include "tests/end_to_end/small_disk.h"

using namespace fieldpost::end_to_end;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

struct SpoolOffice {
    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");
    fs::path folder = network.folder() / "reports";

    SpoolOffice() { fs::create_directory(folder); }
    void open(const std::string& more = "") const {
        const auto file = hyesan.home() / "fieldpost.toml";
        const auto before = fs::exists(file) ? read_file(file) : "";
        write_file(file, before + fmt::format("\n[[spool]]\npath = \"{}\"\nto = [\"hq\"]\n{}",
                                              folder.string(), more));
        hyesan.stop();
        hyesan.start();
    }
    // What was queued there: the names of the attachments, or the text.
    [[nodiscard]] std::multiset<std::string> queued() const {
        std::multiset<std::string> all;
        for (const auto& entry : hyesan.ask({"list", "--outbox", "--limit", "0"})) {
            const auto whole = hyesan.ask({"show", entry["id"]});
            std::string words = whole["text"];
            for (const auto& file : whole["attachments"]) {
                words += (words.empty() ? "" : " + ") + file["name"].get<std::string>() + " " +
                         std::to_string(file["size_bytes"].get<std::uint64_t>());
            }
            all.insert(words);
        }
        return all;
    }
    [[nodiscard]] std::string trouble() const {
        for (const auto& item : hyesan.ask({"attention"})) {
            if (item["what"] == "folder") {
                return item["detail"];
            }
        }
        return "";
    }
    // The process that looks after the folder now.
    [[nodiscard]] pid_t process() const {
        const auto log = hyesan.log();
        const std::string words = "is looked after by process ";
        const auto at = log.rfind(words);
        return at == std::string::npos ? 0 : std::stoi(log.substr(at + words.size()));
    }
};

Ran shell(const std::string& line) {
    return Program({.words = {"/bin/sh", "-c", line}}).finish();
}

}  // namespace

TEST_CASE("whatever writes into a spool folder queues a report", "[end_to_end][folder]") {
    SpoolOffice at;
    at.open();
    const auto in = at.folder.string();
    // A copy of five seconds that stops on its way, by a program that has the file open.
    Program slow({.words = {"/bin/sh", "-c",
                            "exec 3> '" + in +
                                "/slow.bin'; for i in 1 2 3; do printf 12345 >&3; "
                                "sleep 2.5; done"}});
    // A scanner, a spreadsheet's lock file, a script.
    REQUIRE(shell("cd '" + in +
                  "' && printf scan > scan.tmp && sleep 1 && mv scan.tmp scan.pdf && "
                  "printf lock > '~$list.xlsx' && printf x > week.json.part && "
                  "printf '{\"text\": \"주간\", \"attach\": [\"photo.jpg\"]}' > week.json.tmp && "
                  "mv week.json.tmp week.json && sleep 1 && printf photo > photo.jpg")
                .exit_code == 0);
    const std::multiset<std::string> expected = {"slow.bin 15", "scan.pdf 4", "주간 + photo.jpg 5"};
    REQUIRE(eventually([&] { return at.queued().size() == 3; }));
    CHECK(at.queued() == expected);
    slow.finish();
    CHECK(
        eventually([&] { return number_in(at.hq.ask({"status"}), "/inbox/unacknowledged") == 3; }));
    CHECK(fs::exists(at.folder / "~$list.xlsx"));
    CHECK(at.trouble().empty());
    // One that cannot be queued lies beside its reason, and is told.
    write_file(at.folder / "bad.json", "{\"text\": \"x\", \"attach\": [\"" +
                                           (at.hyesan.home() / "fieldpost.toml").string() + "\"]}");
    REQUIRE(eventually([&] { return fs::exists(at.folder / "rejected" / "bad.json"); }));
    CHECK(read_file(at.folder / "rejected" / "bad.json.why").contains("no name of a file"));
    CHECK(eventually([&] { return at.trouble().contains("1 file could not be queued"); }));
    fs::remove_all(at.folder / "rejected");
    CHECK(eventually([&] { return at.trouble().empty(); }));
    CHECK(at.queued() == expected);
}

TEST_CASE("a spool folder on a share takes what Windows machines put there",
          "[end_to_end][folder]") {
    if (::geteuid() != 0) {
        WARN("skipped: smbd needs root");
        return;
    }
    SpoolOffice at;
    at.open();
    const auto own = at.network.folder() / "samba";
    fs::create_directory(own);
    const auto port = free_port();
    write_file(own / "smb.conf",
               fmt::format("[global]\nsmb ports = {}\ninterfaces = lo\nbind interfaces only = yes\n"
                           "map to guest = Bad User\nguest account = root\nlog file = {}/log\n"
                           "private dir = {}\nlock directory = {}\nstate directory = {}\n"
                           "cache directory = {}\npid directory = {}\nncalrpc dir = {}/rpc\n"
                           "disable spoolss = yes\nload printers = no\n"
                           "[reports]\npath = {}\nread only = no\nguest ok = yes\n",
                           port, own.string(), own.string(), own.string(), own.string(),
                           own.string(), own.string(), own.string(), at.folder.string()));
    Program server(
        {.words = {"/usr/sbin/smbd", "-F", "-s", (own / "smb.conf").string()}, .log = own / "out"});
    const auto put = [&](const std::string& commands) {
        return Program({.words = {"/usr/bin/smbclient", "//127.0.0.1/reports", "-N", "-p",
                                  std::to_string(port), "-s", (own / "smb.conf").string(), "-c",
                                  commands},
                        .folder = own})
            .finish();
    };
    write_file(own / "의지.jpg", "photo");
    write_file(own / "week.json", R"({"text": "from a share", "attach": ["의지.jpg"]})");
    write_file(own / "large.bin", random_bytes(3'000'000));
    REQUIRE(eventually([&] { return put("ls").exit_code == 0; }));
    const auto ran =
        put("put week.json; put 의지.jpg; put large.bin; put large.bin again.tmp; rename "
            "again.tmp again.bin");
    INFO(ran);
    CHECK(ran.exit_code == 0);
    CHECK(eventually([&] { return at.queued().size() == 3; }));
    CHECK(at.queued() == std::multiset<std::string>{"from a share + 의지.jpg 5",
                                                    "large.bin 3000000", "again.bin 3000000"});
    CHECK(at.trouble().empty());
    server.signal(SIGTERM);
    server.finish();
}

TEST_CASE("a spool folder queues each file once, whatever is killed",
          "[end_to_end][folder][slow]") {
    SpoolOffice at;
    at.open();
    std::multiset<std::string> expected;
    constexpr int files = 40;
    for (int i = 0; i < files; ++i) {
        const auto name = fmt::format("scan{:02}.pdf", i);
        write_file(at.folder / name, std::string(static_cast<std::size_t>(100 + i), 'x'));
        expected.insert(fmt::format("{} {}", name, 100 + i));
    }
    for (int i = 0; i < 4; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds{2100 + 130 * i});
        if (i % 2 == 0) {
            const auto process = at.process();
            REQUIRE(process > 1);
            ::kill(process, SIGKILL);
            // The daemon starts it anew; a reload does that at once.
            at.hyesan.stop();
        } else {
            at.hyesan.kill();
        }
        at.hyesan.start();
    }
    REQUIRE(eventually([&] {
        std::error_code error;
        return fs::is_empty(at.folder / ".taking", error) && at.queued().size() >= files;
    }));
    CHECK(at.queued() == expected);
    std::size_t done = 0;
    for (const auto& entry : fs::recursive_directory_iterator(at.folder / "done")) {
        done += entry.is_regular_file() ? 1 : 0;
    }
    CHECK(done == files);
}

TEST_CASE("a spool folder that is full, or goes away, is told and loses nothing",
          "[end_to_end][folder][slow]") {
    SpoolOffice at;
    std::optional<SmallDisk> disk(std::in_place, at.folder, "1m");
    if (!disk->is_there()) {
        WARN("skipped: only root can make a small disk");
        return;
    }
    at.open();
    write_file(at.folder / "first", "1");
    REQUIRE(eventually([&] { return at.queued().contains("first 1"); }));
    const auto filler = disk->fill();
    CHECK(eventually([&] { return at.trouble().contains("the disk is full"); }));
    fs::remove(filler);
    CHECK(eventually([&] { return at.trouble().empty(); }));
    disk.reset();
    // The folder below it is there, and empty. What is put there is taken too.
    write_file(at.folder / "below", "12");
    CHECK(eventually([&] { return at.queued().contains("below 2"); }));
    fs::rename(at.folder, at.folder.string() + "-moved");
    CHECK(eventually([&] { return at.trouble().contains("cannot be read"); }));
    fs::rename(at.folder.string() + "-moved", at.folder);
    CHECK(eventually([&] { return at.trouble().empty(); }));
    CHECK(at.queued() == std::multiset<std::string>{"first 1", "below 2"});
}
