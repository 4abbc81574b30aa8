// Goal: half a report is never queued, and a command never waits longer than it was told. Method:
// the command is fed by pipes and terminals that break off, by files that change, and asks a daemon
// that is stopped.
#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
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

// Runs `fieldpost queue` with this standard input, which `feed` gives it or breaks off.
int queue_with(const Office& office, int input, const std::function<void()>& feed,
               bool is_its_terminal) {
    const auto home = office.home().string();
    const pid_t child = ::fork();
    if (child == 0) {
        ::setsid();
        ::dup2(input, STDIN_FILENO);
        if (is_its_terminal) {
            ::signal(SIGHUP, SIG_IGN);  // as under nohup, or a shell that is gone
        }
        ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
        ::dup2(STDOUT_FILENO, STDERR_FILENO);
        ::closefrom(3);
        ::execl(FIELDPOST_BIN, FIELDPOST_BIN, "--home", home.c_str(), "queue", "--to", "hq",
                nullptr);
        ::_exit(127);
    }
    ::close(input);
    feed();
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
        const auto code = queue_with(
            at.office, terminal,
            [&] {
                const std::string_view begun = "오늘 환자 열두 명이\n왔습니다. 그리고";
                CHECK(::write(master, begun.data(), begun.size()) > 0);
                std::this_thread::sleep_for(300ms);
                ::close(master);
            },
            true);
        CHECK(code == 1);
    }
    CHECK(reports_in(at.office) == 0);
}

TEST_CASE("a pipe that cannot wait is waited for, and is whole at its end", "[input]") {
    Hyesan at;
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    REQUIRE(::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
    const auto code = queue_with(
        at.office, ends[0],
        [&] {
            for (const std::string_view part : {"첫째 ", "둘째"}) {
                std::this_thread::sleep_for(200ms);
                CHECK(::write(ends[1], part.data(), part.size()) > 0);
            }
            ::close(ends[1]);
        },
        false);
    CHECK(code == 0);
    CHECK(at.office.run({"show", "hyesan-1", "--raw"}).out == "첫째 둘째");
}

TEST_CASE("what cannot be read to its end is not queued", "[input]") {
    Hyesan at;
    // Reading a folder fails, as a bad sector does.
    const int folder = ::open("/", O_RDONLY | O_DIRECTORY);
    REQUIRE(folder >= 0);
    CHECK(queue_with(at.office, folder, [] {}, false) == 1);
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
