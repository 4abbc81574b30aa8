// Goal: what is put into a spool folder is queued once and is not lost, whatever the writer, the
// daemon or the power does; and nothing else is read.
// Method: a real folder, with a clock and a daemon of the test. A daemon that knows keys, as ours
// does: the same key again is the same report.
#include "cli/spool/spool_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "cli/spool/confinement.h"
#include "proto/control.pb.h"
#include "tests/support/temporary_folder.h"

using namespace fieldpost;
using namespace fieldpost::cli;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

// The process ends here, as by a power cut: the folder stays as it is.
struct PowerCut {};

class ImaginedDaemon : public SpoolHands {
public:
    [[nodiscard]] SpoolTime now() const override { return time; }
    [[nodiscard]] std::int64_t unix_now() const override { return ::time(nullptr) + extra_seconds; }
    Outcome<std::string> queue(const wire::Request& request) override {
        if (failure) {
            return std::unexpected(*failure);
        }
        const auto& asked = request.queue();
        if (!fails_for.empty() && asked.subject() == fails_for) {
            return std::unexpected(failure_for);
        }
        const auto known = by_key.find(asked.key());
        if (known == by_key.end()) {
            reports.push_back(asked);
            by_key[asked.key()] = "hyesan-" + std::to_string(reports.size());
        } else if (to_by_key[asked.key()] != asked.to(0)) {
            return std::unexpected(Failure{exit_invalid, "key_used", "", "", {known->second}});
        }
        to_by_key[asked.key()] = asked.to(0);
        if (dies_after_queueing) {
            throw PowerCut{};
        }
        return by_key[asked.key()];
    }
    Outcome<void> tell(const std::string& words) override {
        trouble = words;
        return {};
    }
    void say(const std::string& /*words*/) override {}

    SpoolTime time{};
    std::int64_t extra_seconds = 0;
    std::optional<Failure> failure;
    std::string fails_for;  // a subject
    Failure failure_for;
    bool dies_after_queueing = false;
    std::vector<wire::QueueRequest> reports;
    std::map<std::string, std::string> by_key;
    std::map<std::string, std::string> to_by_key;
    std::string trouble;
};

struct Door {
    tests::TemporaryFolder folder;
    ImaginedDaemon daemon;
    SpoolOptions options{.to = {"hq"}};
    std::optional<SpoolFolder> spool{std::in_place, daemon, folder.path(), options};

    void restart() { spool.emplace(daemon, folder.path(), options); }
    void turn(std::chrono::seconds after = 5s) {
        daemon.time += after;
        auto next = spool->turn();
        for (int i = 0; i < 100 && next && *next == daemon.time; ++i) {
            next = spool->turn();
        }
        REQUIRE(next);
    }
    void turns(int number) {
        for (int i = 0; i < number; ++i) {
            turn();
        }
    }
    void put(const std::string& name, const std::string& content) const {
        std::ofstream(folder.path() / name, std::ios::binary) << content;
    }
    [[nodiscard]] bool has(const fs::path& path) const {
        return fs::exists(fs::symlink_status(folder.path() / path));
    }
    [[nodiscard]] std::string text(const fs::path& path) const {
        std::ifstream in(folder.path() / path);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    // All files below the folder but reasons, by name and content.
    [[nodiscard]] std::multiset<std::string> files() const {
        std::multiset<std::string> all;
        for (const auto& entry : fs::recursive_directory_iterator(folder.path())) {
            if (entry.is_regular_file() && entry.path().extension() != ".why") {
                all.insert(entry.path().filename().string() + ":" +
                           text(fs::relative(entry.path(), folder.path())));
            }
        }
        return all;
    }
};

}  // namespace

TEST_CASE("any file is queued with its name, once it was the same at two looks", "[spool]") {
    Door door;
    door.put("의지 사진.jpg", "first");
    door.turn();
    CHECK(door.daemon.reports.empty());
    door.put("의지 사진.jpg", "first and more");  // still being copied
    door.turn();
    CHECK(door.daemon.reports.empty());
    door.turn();
    REQUIRE(door.daemon.reports.size() == 1);
    const auto& report = door.daemon.reports[0];
    CHECK(report.to(0) == "hq");
    CHECK(report.subject() == "의지 사진.jpg");
    REQUIRE(report.attachments_size() == 1);
    CHECK(report.attachments(0).name() == "의지 사진.jpg");
    CHECK(report.attachments(0).content() == "first and more");
    CHECK(door.text("done/hyesan-1/의지 사진.jpg") == "first and more");
    CHECK_FALSE(door.has("의지 사진.jpg"));
    CHECK(door.daemon.trouble.empty());
    // The same file next week is another report.
    door.put("의지 사진.jpg", "first and more");
    door.turns(3);
    CHECK(door.daemon.reports.size() == 2);
    CHECK(door.text("done/hyesan-2/의지 사진.jpg") == "first and more");
}

TEST_CASE("files that programs keep for themselves are never taken", "[spool]") {
    Door door;
    const std::vector<std::string> names = {".hidden",   "~$report.docx", "a.tmp",       "a.PART",
                                            "Thumbs.db", "desktop.ini",   "a.crdownload"};
    for (const auto& name : names) {
        door.put(name, "x");
    }
    REQUIRE(::mkfifo((door.folder.path() / "pipe").c_str(), 0600) == 0);
    fs::create_directory(door.folder.path() / "folder");
    fs::create_symlink("/etc/passwd", door.folder.path() / "link.txt");
    door.turns(20);
    CHECK(door.daemon.reports.empty());
    for (const auto& name : names) {
        CHECK(door.has(name));
    }
    CHECK(door.has("link.txt"));
    // A scanner gives its file the name once it is whole.
    fs::rename(door.folder.path() / "a.tmp", door.folder.path() / "a.pdf");
    door.turns(3);
    CHECK(door.daemon.reports.size() == 1);
}

TEST_CASE("a JSON object is a report with the files that it names", "[spool]") {
    Door door;
    door.put(
        "week.json",
        R"({"type": "weekly", "text": "본문", "fields": {"week": "2026-W46"}, "attach": ["a.jpg", "b.jpg"]})");
    door.put("a.jpg", "A");
    door.turns(4);
    // b.jpg has not come. a.jpg is no report of its own, nor is b.jpg when it comes.
    CHECK(door.daemon.reports.empty());
    door.put("b.jpg", "B");
    door.turns(3);
    REQUIRE(door.daemon.reports.size() == 1);
    const auto& report = door.daemon.reports[0];
    CHECK(report.type() == "weekly");
    CHECK(report.text() == "본문");
    CHECK(report.fields(0).value() == "2026-W46");
    REQUIRE(report.attachments_size() == 2);
    CHECK(report.attachments(0).content() == "A");
    CHECK(report.attachments(1).content() == "B");
    for (const auto* name : {"week.json", "a.jpg", "b.jpg"}) {
        CHECK(door.has(fs::path("done/hyesan-1") / name));
    }
    CHECK_FALSE(door.has("done/hyesan-1/main"));
}

TEST_CASE("a file that does not come within an hour rejects its report, and nothing is lost",
          "[spool]") {
    Door door;
    door.put("week.json", R"({"text": "x", "attach": ["a.jpg", "b.jpg"]})");
    door.put("a.jpg", "A");
    const auto before = door.files();
    door.turns(4);
    door.turn(59min);
    CHECK(door.daemon.trouble.empty());
    door.turn(2min);
    CHECK(door.daemon.reports.empty());
    CHECK(door.has("rejected/week.json"));
    CHECK(door.has("rejected/a.jpg"));
    CHECK(door.text("rejected/week.json.why").contains("b.jpg did not come within an hour"));
    CHECK(door.files() == before);
    CHECK(door.daemon.trouble.contains("1 file could not be queued"));
    // Whoever looks after the folder has seen to it.
    fs::remove_all(door.folder.path() / "rejected");
    door.turn();
    CHECK(door.daemon.trouble.empty());
}

TEST_CASE("what a JSON object may not have rejects it, with a reason", "[spool]") {
    Door door;
    const auto refused = [&](const std::string& content, const std::string& why) {
        door.put("bad.json", content);
        door.turns(3);
        INFO(content);
        CHECK(door.daemon.reports.empty());
        CHECK(door.text("rejected/bad.json") == content);
        const auto reason = door.text("rejected/bad.json.why");
        INFO(reason);
        CHECK(reason.contains(why));
        CHECK(reason.contains("What to do: "));
        fs::remove_all(door.folder.path() / "rejected");
    };
    refused("", "one JSON object");
    refused("[1]", "one JSON object");
    refused("{\"text\": ", "one JSON object");
    refused("\xff\xfe{}", "one JSON object");
    refused(R"({"wrong": 1})", "wrong");
    refused(R"({"text": "x", "to": ["camp"]})", "to may not be given");
    refused(R"({"text": "x", "staff": "a"})", "staff may not be given");
    refused(R"({"text": "x", "key": "a"})", "key may not be given");
    refused(R"({"text": "x", "replaces": "hyesan-1"})", "replaces may not be given");
    for (const auto* path : {"/etc/passwd", "../secret", "folder/a", "", ".", "..", "bad.json"}) {
        refused(fmt::format(R"({{"text": "x", "attach": ["{}"]}})", path), "no name of a file");
    }
    refused(R"({"text": "x", "attach": ["a", "a"]})", "named twice");
    fs::create_symlink("/etc/passwd", door.folder.path() / "link");
    refused(R"({"text": "x", "attach": ["link"]})", "is a link");
    door.put("one", "1");
    fs::create_hard_link(door.folder.path() / "one", door.folder.path() / "two");
    refused(R"({"text": "x", "attach": ["two"]})", "is a link");
}

TEST_CASE("what fieldpost.toml allows, a JSON object may give", "[spool]") {
    Door door;
    door.options.allow = {"to", "staff", "key", "replaces"};
    door.restart();
    door.put("a.json",
             R"({"text": "x", "to": ["camp"], "staff": "a", "key": "k", "replaces": "hyesan-9"})");
    door.turns(3);
    REQUIRE(door.daemon.reports.size() == 1);
    CHECK(door.daemon.reports[0].to(0) == "camp");
    CHECK(door.daemon.reports[0].key() == "k");
    CHECK(door.daemon.reports[0].replaces() == "hyesan-9");
    // Its own key says that it is the same report.
    door.put("a.json",
             R"({"text": "x", "to": ["camp"], "staff": "a", "key": "k", "replaces": "hyesan-9"})");
    door.turns(3);
    CHECK(door.daemon.reports.size() == 1);
    CHECK(door.has("done/hyesan-1 (2)/a.json"));
    // An office that there is not is the file's fault only if the file named it.
    door.daemon.failure = Failure{exit_not_found, "not_found", "no office is named camq", "see"};
    door.put("b.json", R"({"text": "x", "to": ["camq"]})");
    door.put("c.json", R"({"text": "x"})");
    door.turns(3);
    CHECK(door.text("rejected/b.json.why").contains("camq"));
    CHECK(
        door.daemon.trouble.contains("c.json waits, and is tried again: no office is named camq"));
    door.daemon.failure.reset();
    door.turns(10);
    CHECK(door.daemon.reports.size() == 2);
}

TEST_CASE("a file is queued once, wherever the power goes", "[spool]") {
    Door door;
    door.put("a.json", R"({"text": "x", "attach": ["a.jpg"]})");
    door.put("a.jpg", "A");
    door.put("b.pdf", "B");
    const auto before = door.files();
    // After it was queued, and before that is known here.
    door.daemon.dies_after_queueing = true;
    for (int i = 0; i < 8; ++i) {
        try {
            door.turns(3);
        } catch (const PowerCut&) {
            door.restart();
        }
    }
    CHECK(door.files() == before);
    door.daemon.dies_after_queueing = false;
    door.turns(3);
    CHECK(door.daemon.reports.size() == 2);
    CHECK(door.files() == before);
    CHECK(fs::is_empty(door.folder.path() / ".taking"));
    // While the folders for a claim were made.
    fs::create_directories(door.folder.path() / ".taking/00112233/main");
    fs::create_directories(door.folder.path() / ".taking/44556677");
    door.restart();
    door.turns(2);
    CHECK(fs::is_empty(door.folder.path() / ".taking"));
}

TEST_CASE("a file that was queued stays queued if `to` is edited before that is known", "[spool]") {
    Door door;
    door.put("a.pdf", "A");
    door.daemon.dies_after_queueing = true;
    CHECK_THROWS_AS(door.turns(3), PowerCut);
    door.daemon.dies_after_queueing = false;
    door.options.to = {"camp"};
    door.restart();
    door.turns(3);
    CHECK(door.daemon.reports.size() == 1);
    CHECK(door.text("done/hyesan-1/a.pdf") == "A");
    CHECK_FALSE(door.has("rejected"));
}

TEST_CASE("a key that a JSON object gives twice for two reports rejects the second", "[spool]") {
    Door door;
    door.options.allow = {"to", "key"};
    door.restart();
    door.put("a.json", R"({"text": "x", "key": "week 12"})");
    door.put("b.json", R"({"text": "x", "key": "week 12", "to": ["camp"]})");
    door.turns(3);
    CHECK(door.daemon.reports.size() == 1);
    CHECK(door.has("rejected/b.json.why"));
}

TEST_CASE("a rejection that ends at any step goes on there", "[spool]") {
    // The folder as it is after each step of the rejection of a.json with its file a.jpg.
    const auto steps = GENERATE(range(0, 5));
    Door door;
    const fs::path claim = door.folder.path() / ".taking/00112233";
    fs::create_directories(claim / "main");
    fs::create_directories(claim / ".why");
    fs::create_directories(door.folder.path() / "rejected");
    const auto place = [&](bool is_moved, const fs::path& from, const std::string& to,
                           const std::string& content) {
        std::ofstream(is_moved ? door.folder.path() / "rejected" / to : claim / from) << content;
    };
    if (steps == 0) {
        // The reason was being written. The claim begins again.
        std::ofstream(claim / ".why/a4b1.part") << "a.js";
    } else {
        place(steps > 3, ".why/a.json", "a.json.why", "a.json was not queued.\n");
    }
    place(steps > 1, "a.jpg", "a.jpg", "A");
    place(steps > 2, "main/a.json", "a.json", R"({"text": "x", "colour": "red"})");
    const auto another_came = steps == 2;
    if (another_came) {
        door.put("rejected/a.json", "another");
        door.put("rejected/a.json.why", "another's reason");
    }
    door.restart();
    door.turns(4);
    CHECK(door.daemon.reports.empty());
    CHECK(fs::is_empty(door.folder.path() / ".taking"));
    const std::string name = another_came ? "a (2).json" : "a.json";
    CHECK(door.text("rejected/" + name).contains("colour"));
    CHECK(door.text("rejected/" + name + ".why").contains("a.json was not queued"));
    CHECK(door.text("rejected/a.jpg") == "A");
    const auto files = fs::directory_iterator(door.folder.path() / "rejected");
    CHECK(std::distance(begin(files), end(files)) == (another_came ? 5 : 3));
}

TEST_CASE("a daemon that takes nothing loses nothing, and is not asked for each file", "[spool]") {
    Door door;
    door.daemon.failure = Failure{exit_no_space, "no_space", "the store is full", "make room"};
    for (int i = 0; i < 30; ++i) {
        door.put("scan" + std::to_string(i), "x");
    }
    const auto before = door.files();
    door.turns(3);
    CHECK(door.daemon.trouble.contains("is tried again: the store is full"));
    // Nothing new is moved away meanwhile.
    std::size_t claimed = 0;
    for (const auto& entry : fs::directory_iterator(door.folder.path() / ".taking")) {
        claimed += entry.is_directory() ? 1 : 0;
    }
    CHECK(claimed <= 20);
    door.turns(20);
    CHECK(door.files() == before);
    door.daemon.failure.reset();
    door.turns(20);
    CHECK(door.daemon.reports.size() == 30);
    CHECK(door.daemon.trouble.empty());
    // A daemon that is gone ends this.
    door.daemon.failure = Failure{exit_no_daemon, "no_daemon", "no daemon", "start it"};
    door.put("last", "x");
    door.daemon.time += 5s;
    REQUIRE(door.spool->turn());
    door.daemon.time += 5s;
    CHECK_FALSE(door.spool->turn());
}

TEST_CASE("a file that is too large, or has a bad name, is rejected with a reason", "[spool]") {
    Door door;
    door.put("large", "x");
    fs::resize_file(door.folder.path() / "large", (std::uintmax_t{64} << 20) + 1);
    const std::string korean = "\xb0\xa1.txt";  // CP949
    door.put(korean, "x");
    const std::string long_name(250, 'a');
    door.put(long_name + ".json", "{");
    door.turns(4);
    CHECK(door.daemon.reports.empty());
    CHECK(door.text("rejected/large.why").contains("larger than 64 MiB"));
    CHECK(door.text("rejected/" + korean + ".why").contains("not UTF-8"));
    CHECK(door.daemon.trouble.contains("3 files could not be queued"));
    CHECK_FALSE(door.has(long_name + ".json"));
}

TEST_CASE("done/ keeps a file for as long as it was told to", "[spool]") {
    Door door;
    door.options.keep = std::chrono::days{7};
    door.restart();
    door.put("a", "x");
    door.turns(3);
    REQUIRE(door.has("done/hyesan-1/a"));
    door.daemon.extra_seconds = std::int64_t{6} * 86400;
    door.turn(2h);
    CHECK(door.has("done/hyesan-1/a"));
    door.daemon.extra_seconds = std::int64_t{8} * 86400;
    door.turn(2h);
    CHECK_FALSE(door.has("done/hyesan-1"));
}

TEST_CASE("a folder that goes away is told, and goes on when it is back", "[spool]") {
    Door door;
    door.put("a", "x");
    door.turn();
    const auto elsewhere = door.folder.path().string() + "-elsewhere";
    fs::rename(door.folder.path(), elsewhere);
    door.turns(2);
    CHECK(door.daemon.trouble.contains("cannot be read"));
    fs::rename(elsewhere, door.folder.path());
    door.turns(3);
    CHECK(door.daemon.trouble.empty());
    CHECK(door.daemon.reports.size() == 1);
}

TEST_CASE("a process that is confined to a folder opens nothing else", "[spool]") {
    const Door door;
    door.put("a", "x");
    door.put("b", "x");
    const auto child = ::fork();
    if (child == 0) {
        if (!confine_to(door.folder.path())) {
            ::_exit(9);
        }
        const auto path = door.folder.path().string();
        const bool may_read = ::open((path + "/a").c_str(), O_RDONLY) >= 0;
        const bool may_move = ::mkdir((path + "/done").c_str(), 0700) == 0 &&
                              ::rename((path + "/b").c_str(), (path + "/done/b").c_str()) == 0;
        const bool may_leave = ::open("/etc/passwd", O_RDONLY) >= 0 ||
                               ::rename((path + "/a").c_str(), (path + "-a").c_str()) == 0 ||
                               ::open((path + "-c").c_str(), O_CREAT | O_WRONLY, 0600) >= 0;
        ::_exit(may_read && may_move && !may_leave ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (WEXITSTATUS(status) == 9) {
        WARN("skipped: this kernel has no Landlock");
        return;
    }
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("what others put in place of its folders leads nowhere, and loses nothing", "[spool]") {
    Door door;
    const tests::TemporaryFolder elsewhere;
    std::ofstream(elsewhere.path() / "secret") << "key";
    fs::create_directory(elsewhere.path() / "hyesan-1");
    const auto name = GENERATE(".taking", "done", "rejected");
    CAPTURE(name);
    fs::create_directory_symlink(elsewhere.path(), door.folder.path() / name);
    door.put("a.json", R"({"text": "x"})");
    door.put("b.json", "{");
    door.daemon.extra_seconds = std::int64_t{30} * 86400;
    door.turns(20);
    CHECK(fs::exists(elsewhere.path() / "secret"));
    CHECK(fs::exists(elsewhere.path() / "hyesan-1"));
    CHECK(door.daemon.trouble.contains("is not this program's own folder"));
    CHECK(door.daemon.reports.size() <= 1);
    // Once it is away, all goes on.
    fs::remove(door.folder.path() / name);
    door.turns(20);
    CHECK(door.daemon.reports.size() == 1);
    CHECK(door.has("rejected/b.json"));
    CHECK(door.files().size() == 2);
}

TEST_CASE("links inside its folders are not followed", "[spool]") {
    Door door;
    const tests::TemporaryFolder elsewhere;
    std::ofstream(elsewhere.path() / "secret") << "key";
    fs::create_directories(door.folder.path() / ".taking" / "0011");
    fs::create_directory_symlink(elsewhere.path(), door.folder.path() / ".taking/0011/main");
    fs::create_directory_symlink(elsewhere.path(), door.folder.path() / ".taking/0022");
    fs::create_directory(door.folder.path() / "done");
    fs::create_directory_symlink(elsewhere.path(), door.folder.path() / "done/hyesan-1");
    door.daemon.extra_seconds = std::int64_t{30} * 86400;
    door.turns(10);
    CHECK(fs::exists(elsewhere.path() / "secret"));
    CHECK(door.daemon.reports.empty());
}

TEST_CASE("a folder done/ that was there before keeps what is in it", "[spool]") {
    Door door;
    fs::create_directories(door.folder.path() / "done" / "2025");
    door.put("done/2025/scan.pdf", "old");
    door.put("done/list.txt", "old");
    door.daemon.extra_seconds = std::int64_t{300} * 86400;
    door.put("a", "x");
    door.turns(5);
    CHECK(door.text("done/2025/scan.pdf") == "old");
    CHECK(door.text("done/list.txt") == "old");
    CHECK(door.has("done/hyesan-1/a"));
}

TEST_CASE("one file that cannot be queued holds up no other", "[spool]") {
    Door door;
    door.daemon.fails_for = "large";
    door.daemon.failure_for = Failure{exit_no_space, "no_space", "it does not fit", "make room"};
    door.put("large", "x");
    door.turns(3);
    CHECK(door.daemon.trouble.contains("it does not fit"));
    for (int i = 0; i < 5; ++i) {
        door.put("small" + std::to_string(i), "x");
    }
    door.turns(10);
    CHECK(door.daemon.reports.size() == 5);
    CHECK(door.daemon.trouble.contains("it does not fit"));
    // It hides nothing that needs a person.
    door.put("bad.json", "{");
    door.turns(4);
    CHECK(door.daemon.trouble.contains("it does not fit"));
    CHECK(door.daemon.trouble.contains("1 file could not be queued"));
}

TEST_CASE("a file that changes after it was claimed is queued whole", "[spool]") {
    Door door;
    door.daemon.failure = Failure{exit_no_space, "no_space", "full", "make room"};
    door.put("a", "half");
    door.turns(3);
    // Its writer had it open all the time, and goes on.
    for (const auto& entry : fs::recursive_directory_iterator(door.folder.path() / ".taking")) {
        if (entry.is_regular_file()) {
            std::ofstream(entry.path(), std::ios::app) << " and whole";
        }
    }
    door.daemon.failure.reset();
    door.turn(60s);
    CHECK(door.daemon.reports.empty());
    door.turns(2);
    REQUIRE(door.daemon.reports.size() == 1);
    CHECK(door.daemon.reports[0].attachments(0).content() == "half and whole");
}

TEST_CASE("two processes do not work on one folder", "[spool]") {
    Door door;
    door.put("a", "x");
    door.turn();
    SpoolFolder second(door.daemon, door.folder.path(), door.options);
    REQUIRE(second.turn());
    CHECK(door.daemon.trouble.contains("another process"));
    door.turns(3);
    CHECK(door.daemon.reports.size() == 1);
    door.spool.reset();
    door.put("b", "x");
    for (int i = 0; i < 4; ++i) {
        door.daemon.time += 5s;
        REQUIRE(second.turn());
    }
    CHECK(door.daemon.reports.size() == 2);
}

TEST_CASE("JSON objects that wait for files hold up no other file", "[spool]") {
    Door door;
    for (int i = 0; i < 120; ++i) {
        door.put("w" + std::to_string(i) + ".json", R"({"text": "x", "attach": ["never.jpg"]})");
    }
    door.put("photo.jpg", "x");
    door.turns(12);
    CHECK(door.daemon.reports.size() == 1);
    CHECK(door.daemon.trouble.contains("JSON files wait for other files"));
    std::string many = "\"a0\"";
    for (int i = 1; i < 65; ++i) {
        many += ", \"a" + std::to_string(i) + "\"";
    }
    Door other;
    other.put("many.json", "{\"text\": \"x\", \"attach\": [" + many + "]}");
    other.turns(4);
    CHECK(other.text("rejected/many.json.why").contains("more than 64 files"));
}
