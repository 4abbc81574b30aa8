#include "cli/event_program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "cli/text.h"

namespace fieldpost::cli {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto time_max = 60s;
constexpr auto end_max = 5s;

// A file without a name: a program that does not read its input keeps nobody waiting.
int input_file(const std::string& input) {
    const int fd = ::memfd_create("event", MFD_CLOEXEC);
    if (fd >= 0 && (::write(fd, input.data(), input.size()) != static_cast<ssize_t>(input.size()) ||
                    ::lseek(fd, 0, SEEK_SET) != 0)) {
        ::close(fd);
        return -1;
    }
    return fd;
}

// Calls nothing but what is allowed between fork and exec.
[[noreturn]] void become(const char* path, int input, pid_t parent) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() == parent && ::dup2(input, STDIN_FILENO) == STDIN_FILENO) {
        char* const words[] = {const_cast<char*>(path), nullptr};
        ::execv(path, words);
    }
    ::_exit(127);
}

}  // namespace

Outcome<std::string> find_program(const std::string& name) {
    namespace fs = std::filesystem;
    std::vector<fs::path> folders;
    if (name.contains('/')) {
        folders.emplace_back(fs::current_path());
    } else if (const char* path = std::getenv("PATH"); path != nullptr) {
        std::string_view rest = path;
        while (!rest.empty()) {
            const auto end = std::min(rest.find(':'), rest.size());
            folders.emplace_back(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    for (const auto& folder : folders) {
        const auto path = folder / name;
        std::error_code ignored;
        if (fs::is_regular_file(path, ignored) && ::access(path.c_str(), X_OK) == 0) {
            return path.string();
        }
    }
    return std::unexpected(Failure{exit_not_found, "not_found",
                                   fmt::format("there is no program {}", safe_line(name)),
                                   "give its path; is it executable?"});
}

std::string run_program(const std::string& path, const std::string& input) {
    const int in = input_file(input);
    if (in < 0) {
        return fmt::format("no input for it: {}", std::strerror(errno));
    }
    std::signal(SIGCHLD, SIG_DFL);  // whoever started this may have ignored it
    const auto parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        become(path.c_str(), in, parent);
    }
    ::close(in);
    if (child < 0) {
        return fmt::format("it cannot be started: {}", std::strerror(errno));
    }
    ::setpgid(child, child);  // whoever comes first, it or this
    const auto until = Clock::now() + time_max;
    auto look_again = 1ms;
    int status = 0;
    pid_t ended = 0;
    bool is_killed = false;
    while ((ended = ::waitpid(child, &status, WNOHANG)) == 0) {
        if (Clock::now() >= until + end_max) {
            return "it does not end, even though it was killed";
        }
        if (Clock::now() >= until && !std::exchange(is_killed, true)) {
            ::kill(-child, SIGKILL);
            ::kill(child, SIGKILL);  // it may have left its group
        }
        std::this_thread::sleep_for(look_again);
        look_again = std::min(2 * look_again, 50ms);
    }
    if (is_killed) {
        return fmt::format("it took longer than {} seconds, and was ended", time_max.count());
    }
    if (ended < 0) {
        return fmt::format("its end is not known: {}", std::strerror(errno));
    }
    if (WIFSIGNALED(status)) {
        return fmt::format("signal {} ended it", WTERMSIG(status));
    }
    return WEXITSTATUS(status) == 0 ? "" : fmt::format("it exited with {}", WEXITSTATUS(status));
}

}  // namespace fieldpost::cli
