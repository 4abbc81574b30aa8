#include "tests/bench/meters.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "proto/result.h"

namespace fieldpost::bench {

namespace {

std::ifstream proc(pid_t process, const char* file) {
    return std::ifstream(fmt::format("/proc/{}/{}", process, file));
}

// "Name:   123 kB"
std::uint64_t kilobytes_of(const std::string& line) {
    return std::stoull(line.substr(line.find(':') + 1)) * 1024;
}

}  // namespace

Seconds cpu_of(pid_t process) {
    auto in = proc(process, "stat");
    std::string line;
    std::getline(in, line);
    // The name in brackets may hold anything; utime and stime are the 12th and 13th after it.
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) {
        fields >> skipped;
    }
    std::uint64_t user = 0;
    std::uint64_t system = 0;
    fields >> user >> system;
    ensure(!fields.fail(), "a process that runs has a stat");
    return Seconds(static_cast<double>(user + system) /
                   static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

Seconds cpu_here() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return Seconds(static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9);
}

Memory resident_beyond(pid_t process, const std::string& map) {
    Memory memory;
    bool is_counted = false;
    bool has_any = false;
    auto maps = proc(process, "smaps");
    for (std::string line; std::getline(maps, line);) {
        const auto head = line.substr(0, line.find(' '));
        if (!head.ends_with(':')) {  // "7f00-7f10 r--s 0000 fe:00 12 /the/file"
            is_counted = !line.ends_with(map);
            has_any = true;
        } else if (head == "Rss:" && is_counted) {
            memory.bytes += kilobytes_of(line);
        }
    }
    return has_any ? memory : anonymous(process);
}

Memory anonymous(pid_t process) {
    Memory memory;
    auto status = proc(process, "status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("RssAnon:")) {
            return {kilobytes_of(line), true};
        }
    }
    return memory;
}

bool run_quickly(const std::vector<std::string>& words, const std::filesystem::path& input) {
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, input.c_str(), O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    std::vector<char*> pointers;
    for (const auto& word : words) {
        pointers.push_back(const_cast<char*>(word.c_str()));
    }
    pointers.push_back(nullptr);
    pid_t child = -1;
    int status = -1;
    const bool is_started = ::posix_spawn(&child, words.front().c_str(), &files, nullptr,
                                          pointers.data(), environ) == 0;
    ::posix_spawn_file_actions_destroy(&files);
    return is_started && ::waitpid(child, &status, 0) == child && status == 0;
}

std::string machine(const std::filesystem::path& folder) {
    std::string model = "unknown processor";
    std::ifstream in("/proc/cpuinfo");
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("model name")) {
            model = line.substr(line.find(": ") + 2);
            break;
        }
    }
    constexpr std::array<std::pair<long, const char*>, 5> known = {{{0xEF53, "ext4"},
                                                                    {0x58465342, "xfs"},
                                                                    {0x9123683E, "btrfs"},
                                                                    {0x794C7630, "overlayfs"},
                                                                    {0x01021994, "tmpfs"}}};
    struct statfs info{};
    ::statfs(folder.c_str(), &info);
    auto file_system = fmt::format("file system {:#x}", static_cast<unsigned long>(info.f_type));
    for (const auto& [number, name] : known) {
        if (number == info.f_type) {
            file_system = name;
        }
    }
    std::ifstream load_file("/proc/loadavg");
    std::string load;
    load_file >> load;
    return fmt::format("{} cores, {}, {}, load {}", std::thread::hardware_concurrency(), model,
                       file_system, load);
}

}  // namespace fieldpost::bench
