#include "daemon/runtime/folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/close_range.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "proto/typed.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t troubles_bytes_max = 1024;
constexpr std::chrono::milliseconds start_again_after = 10s;
// How often the daemon looks whether the process has ended.
constexpr std::chrono::milliseconds look_every = 10s;

// The command is installed beside the daemon.
std::string command() {
    std::error_code unknown;
    return (std::filesystem::read_symlink("/proc/self/exe", unknown).parent_path() / "fieldpost")
        .string();
}

pid_t run(const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (const auto& word : words) {
        arguments.push_back(const_cast<char*>(word.c_str()));
    }
    arguments.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child != 0) {
        return child;
    }
    // Only what may be called between fork and exec while other threads hold locks.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (::getppid() == parent && nothing >= 0 && ::dup2(nothing, STDIN_FILENO) >= 0 &&
        ::dup2(STDERR_FILENO, STDOUT_FILENO) >= 0) {
        ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
        ::execv(arguments[0], arguments.data());
    }
    ::_exit(127);
}

}  // namespace

std::vector<FolderWork> folder_works(const Configuration& configuration) {
    std::vector<FolderWork> works;
    for (const auto& folder : configuration.folders) {
        std::vector<std::string> words = {"bundle", "follow", folder.path};
        for (const auto& office : folder.offices) {
            words.insert(words.end(), {"--for", office});
        }
        if (folder.is_read_only) {
            words.emplace_back("--read-only");
        }
        works.push_back({folder.path, std::move(words)});
    }
    for (const auto& spool : configuration.spools) {
        std::vector<std::string> words = {"spool", spool.path, "--keep",
                                          fmt::format("{}s", spool.keep_seconds)};
        for (const auto& to : spool.to) {
            words.insert(words.end(), {"--to", to});
        }
        for (const auto& key : spool.allow) {
            words.insert(words.end(), {"--allow", key});
        }
        works.push_back({spool.path, std::move(words)});
    }
    return works;
}

void Folders::keep(const std::vector<FolderWork>& wanted) {
    std::erase_if(folders_, [&](const Followed& folder) {
        const bool stays = std::ranges::find(wanted, folder.work) != wanted.end();
        if (!stays && folder.process > 0) {
            // It may hang in a share that does not answer: nobody waits for it.
            ::kill(folder.process, SIGTERM);
            ending_.push_back(folder.process);
        }
        return !stays;
    });
    for (const auto& work : wanted) {
        const auto is_same = [&](const Followed& folder) { return folder.work == work; };
        if (std::ranges::none_of(folders_, is_same)) {
            folders_.push_back({work});
        }
    }
}

void Folders::start(Followed& folder, Instant now) {
    std::vector<std::string> words = {command(), "--home", home_.folder().string()};
    words.insert(words.end(), folder.work.words.begin(), folder.work.words.end());
    folder.process = run(words);
    folder.start_at = now + start_again_after;
    spdlog::info("{} is looked after by process {}", folder.work.path, folder.process);
}

void Folders::turn(Instant now) {
    std::erase_if(ending_, [](pid_t process) { return ::waitpid(process, nullptr, WNOHANG) != 0; });
    for (auto& folder : folders_) {
        int status = 0;
        if (folder.process > 0 && ::waitpid(folder.process, &status, WNOHANG) != 0) {
            folder.process = -1;
            folder.start_at = now + start_again_after;
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
                continue;  // it wants to be started anew
            }
            folder.trouble = fmt::format(
                "what looks after it ended ({} {})", WIFSIGNALED(status) ? "signal" : "exit code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            spdlog::warn("{}: {}", folder.work.path, folder.trouble);
        }
        if (folder.process <= 0 && folder.start_at <= now) {
            start(folder, now);
        }
    }
    look_at_ = now + look_every;
}

std::optional<Instant> Folders::wake_at() const {
    return folders_.empty() && ending_.empty() ? std::nullopt : std::optional(look_at_);
}

void Folders::note(const std::string& path, std::string trouble) {
    for (auto& folder : folders_) {
        if (folder.work.path == path) {
            folder.trouble = std::move(trouble);
            return;
        }
    }
}

std::optional<engine::Input> Folders::take_news() {
    std::vector<std::string> troubles;
    for (const auto& folder : folders_) {
        if (!folder.trouble.empty()) {
            troubles.push_back(fmt::format("{}: {}", folder.work.path, folder.trouble));
        }
    }
    const auto all = fmt::format("{}", fmt::join(troubles, "; "));
    const std::string trouble(cut_text(all, troubles_bytes_max));
    if (std::exchange(told_, trouble) == trouble) {
        return std::nullopt;
    }
    return engine::MachineTrouble{engine::What::folder, trouble};
}

}  // namespace fieldpost::runtime
