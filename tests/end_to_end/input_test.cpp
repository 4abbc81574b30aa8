// Goal: half a report is never queued, and a command never waits longer than it was told. Method:
// the command is fed by pipes and terminals that break off, by files that change, and asks a daemon
// that is stopped.
#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;
using namespace std::chrono_literals;

namespace {

std::size_t reports_in(const Office& office) {
    return office.ask({"list", "--outbox"}).size();
}

// Runs `fieldpost queue WORDS...` with this standard input, which `feed` gives it or breaks off.
// Drafts go into the office's folder.
int queue_with(const Office& office, int input, const std::function<void()>& feed,
               const Words& words = {"--to", "hq"}) {
    Words all = {FIELDPOST_BIN, "--home", office.home().string(), "queue"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (auto& word : all) {
        arguments.push_back(word.data());
    }
    arguments.push_back(nullptr);
    const auto state = office.home().parent_path() / "state";
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();
        ::signal(SIGHUP, SIG_IGN);  // as under nohup, or a shell that is gone
        ::setenv("XDG_STATE_HOME", state.c_str(), 1);
        ::dup2(input, STDIN_FILENO);
        ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
        ::dup2(STDOUT_FILENO, STDERR_FILENO);
        ::closefrom(3);
        ::execv(FIELDPOST_BIN, arguments.data());
        ::_exit(127);
    }
    ::close(input);
    feed();
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Types at a terminal, once the command has made it ready.
int type(const Office& office, std::string_view keys, const Words& words = {"--to", "hq"},
         const std::function<void()>& before_the_end = {}) {
    int master = -1;
    int terminal = -1;
    REQUIRE(::openpty(&master, &terminal, nullptr, nullptr, nullptr) == 0);
    const int held = ::dup(terminal);  // so that early typing is not lost
    const auto code = queue_with(
        office, terminal,
        [&] {
            const auto is_raw = [&] {
                termios now{};
                return ::tcgetattr(held, &now) == 0 && (now.c_lflag & ICANON) == 0;
            };
            if (!eventually(is_raw)) {
                ::close(held);
                ::close(master);
                return;
            }
            CHECK(::write(master, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
            if (before_the_end) {
                std::this_thread::sleep_for(200ms);
                before_the_end();
            }
            const char end = 4;
            CHECK(::write(master, &end, 1) == 1);
        },
        words);
    ::close(held);
    ::close(master);
    return code;
}

std::vector<std::filesystem::path> drafts_of(const Office& office) {
    std::vector<std::filesystem::path> drafts;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(
             office.home().parent_path() / "state" / "fieldpost", none)) {
        drafts.push_back(entry.path());
    }
    return drafts;
}

struct Hyesan {
    Network network;
    Office& hq = network.found();
    Office& office = network.add(hq, "hyesan", "field");
};

}  // namespace

TEST_CASE("a terminal that hangs up in mid-sentence queues nothing", "[input]") {
    Hyesan at;
    for (int i = 0; i < 6; ++i) {
        int master = -1;
        int terminal = -1;
        REQUIRE(::openpty(&master, &terminal, nullptr, nullptr, nullptr) == 0);
        const auto code = queue_with(at.office, terminal, [&] {
            std::this_thread::sleep_for(300ms);
            const std::string_view begun = "오늘 환자 열두 명이\n왔습니다. 그리고";
            CHECK(::write(master, begun.data(), begun.size()) > 0);
            std::this_thread::sleep_for(300ms);
            ::close(master);
        });
        CHECK(code == 1);
    }
    CHECK(reports_in(at.office) == 0);
    // The text typed so far is not lost.
    const auto drafts = drafts_of(at.office);
    REQUIRE_FALSE(drafts.empty());
    CHECK(read_file(drafts.back()) == "오늘 환자 열두 명이\n왔습니다. 그리고");
}

TEST_CASE("a line of any length is taken whole from a terminal, and can be mended", "[input]") {
    Hyesan at;
    std::string line;
    for (int i = 0; i < 2000; ++i) {
        line += "가";
    }
    REQUIRE(type(at.office, line + "\r끝") == 0);
    CHECK(at.office.run({"show", "hyesan-1", "--raw"}).out == line + "\n끝");
    // Backspace takes a letter, Ctrl-W a word, Ctrl-U a line; an arrow and other controls nothing.
    REQUIRE(type(at.office,
                 "틀린\x15"
                 "환자 열두 병\x7f명 없다\x17왔다\x1b[D\x01\x1b[200~.\x1b[201~") == 0);
    CHECK(at.office.run({"show", "hyesan-2", "--raw"}).out == "환자 열두 명 왔다.");
    // A lone Escape takes nothing with it.
    REQUIRE(type(at.office, "\x1b가나\x1b[다") == 0);
    CHECK(at.office.run({"show", "hyesan-3", "--raw"}).out == "가나다");
    // With an attachment a text is asked for too, and may be empty.
    write_file(at.network.folder() / "사진.jpg", "one");
    REQUIRE(type(at.office, "",
                 {"--to", "hq", "--attach", (at.network.folder() / "사진.jpg").string()}) == 0);
    CHECK(reports_in(at.office) == 4);
}

TEST_CASE("what was typed survives a daemon that went, and is taken up again", "[input]") {
    Hyesan at;
    // A mistake is told before anything is typed: the terminal is never made ready.
    int master = -1;
    int terminal = -1;
    REQUIRE(::openpty(&master, &terminal, nullptr, nullptr, nullptr) == 0);
    CHECK(queue_with(at.office, terminal, [] {}, {"--to", "hqq"}) == 4);
    ::close(master);
    REQUIRE(::openpty(&master, &terminal, nullptr, nullptr, nullptr) == 0);
    CHECK(queue_with(at.office, terminal, [] {},
                     {"--to", "hq", "--field", "a=1", "--field", "a=2"}) == 6);
    ::close(master);
    CHECK(type(at.office, "두 쪽짜리 글", {"--to", "hq"}, [&] { at.office.kill(); }) == 3);
    const auto drafts = drafts_of(at.office);
    REQUIRE(drafts.size() == 1);
    CHECK(read_file(drafts.front()) == "두 쪽짜리 글");
    struct stat info{};
    REQUIRE(::stat(drafts.front().c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0600);
    at.office.start();
    const Words again = {"--to", "hq", "--draft"};
    CHECK(queue_with(at.office, ::open("/dev/null", O_RDONLY), [] {}, again) == 0);
    CHECK(at.office.run({"show", ids_of(at.office.ask({"list"})).front(), "--raw"}).out ==
          "두 쪽짜리 글");
    CHECK(drafts_of(at.office).empty());
    // An editor that writes nothing, or fails, leaves no draft that hides another.
    for (const auto* editor : {"true", "false"}) {
        ::setenv("EDITOR", editor, 1);
        CHECK(queue_with(at.office, ::open("/dev/null", O_RDONLY), [] {},
                         {"--to", "hq", "--edit"}) != 0);
        CHECK(drafts_of(at.office).empty());
    }
    ::setenv("EDITOR", "sh -c 'echo 편집기에서 > \"$0\"'", 1);
    CHECK(queue_with(at.office, ::open("/dev/null", O_RDONLY), [] {}, {"--to", "hq", "--edit"}) ==
          0);
    ::unsetenv("EDITOR");
    CHECK(at.office.run({"list", "--grep", "편집기에서"}).out.find("편집기에서") !=
          std::string::npos);
    CHECK(queue_with(at.office, ::open("/dev/null", O_RDONLY), [] {}, again) == 4);
}

TEST_CASE("a pipe that cannot wait is waited for, and is whole at its end", "[input]") {
    Hyesan at;
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    const auto code = queue_with(at.office, ends[0], [&] {
        for (const std::string_view part : {"첫째 ", "둘째"}) {
            std::this_thread::sleep_for(200ms);
            CHECK(::write(ends[1], part.data(), part.size()) > 0);
        }
        ::close(ends[1]);
    });
    CHECK(code == 0);
    CHECK(at.office.run({"show", "hyesan-1", "--raw"}).out == "첫째 둘째");
}

TEST_CASE("what cannot be read to its end is not queued", "[input]") {
    Hyesan at;
    // Reading a folder fails, as a bad sector does.
    const int folder = ::open("/", O_RDONLY | O_DIRECTORY);
    REQUIRE(folder >= 0);
    CHECK(queue_with(at.office, folder, [] {}) == 1);
    CHECK(reports_in(at.office) == 0);
}

TEST_CASE("a report whose ID could not be printed is said to be queued all the same", "[input]") {
    Hyesan at;
    const auto ran = run({.words = {"/bin/sh", "-c",
                                    std::string(FIELDPOST_BIN) + " --home " +
                                        at.office.home().string() + " queue --to hq > /dev/full"},
                          .input = "보고"});
    CHECK(ran.exit_code == 8);
    CHECK(ran.err.find("hyesan-1 is queued, but its ID could not be written") != std::string::npos);
    CHECK(reports_in(at.office) == 1);
}

TEST_CASE("a daemon that is stopped with a full queue costs no more than the time-out", "[input]") {
    Hyesan at;
    REQUIRE(::kill(at.office.daemon_pid(), SIGSTOP) == 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = (at.office.home() / "control").string();
    REQUIRE(path.size() < sizeof address.sun_path);
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    std::vector<int> waiting;
    while (true) {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        waiting.push_back(fd);
        if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
            break;
        }
    }
    CHECK(errno == EAGAIN);
    const auto ran = at.office.run({"--timeout", "1s", "status"});
    CHECK(ran.exit_code == 8);
    CHECK(ran.err.find("stopped or busy") != std::string::npos);
    for (const int fd : waiting) {
        ::close(fd);
    }
    REQUIRE(::kill(at.office.daemon_pid(), SIGCONT) == 0);
    CHECK(at.office.run({"status"}).exit_code == 0);
}

TEST_CASE("an office made under a strict umask is open to its group all the same", "[input]") {
    Network network;
    const auto home = network.folder() / "strict";
    const auto ran = run({.words = {"/bin/sh", "-c",
                                    "umask 077; " + std::string(FIELDPOST_BIN) + " --home " +
                                        home.string() + " init strict --network reha"}});
    REQUIRE(ran.exit_code == 0);
    const auto mode_of = [&](const std::string& name) {
        struct stat info{};
        REQUIRE(::stat((home / name).c_str(), &info) == 0);
        return info.st_mode & 0777U;
    };
    CHECK(mode_of("") == 0750);
    for (const auto* shared : {"founding", "office", "fieldpost.toml"}) {
        CAPTURE(shared);
        CHECK(mode_of(shared) == 0640);
    }
    CHECK(mode_of("keys") == 0700);
    CHECK(mode_of("keys/machine") == 0600);
}

TEST_CASE("an attachment whose name a folder refuses is saved under a plainer one", "[input]") {
    Hyesan at;
    const auto folder = at.network.folder() / "files";
    const auto out = at.network.folder() / "saved";
    std::filesystem::create_directory(folder);
    std::filesystem::create_directory(out);
    const std::string longest = std::string(251, 'x') + ".jpg";
    write_file(folder / longest, "one");
    write_file(folder / "plan.txt", "two");
    const auto id = at.office.queue({"--to", "hq", "--attach", (folder / longest).string(),
                                     "--attach", (folder / "plan.txt").string()},
                                    "사진");
    // The second time "(2)" makes the long name too long for the disk.
    for (int i = 0; i < 2; ++i) {
        const auto ran = at.office.run({"show", id, "--save", out.string()});
        CAPTURE(ran);
        CHECK(ran.exit_code == 0);
        CHECK(ran.err.find("saved     plan") != std::string::npos);
    }
    CHECK(read_file(out / longest) == "one");
    CHECK(read_file(out / (std::string(100, 'x') + ".jpg")) == "one");
    CHECK(read_file(out / "plan (2).txt") == "two");
    CHECK(at.office.run({"show", "ｈｙｅｓａｎ－１\n", "--raw"}).out == "사진");
}
