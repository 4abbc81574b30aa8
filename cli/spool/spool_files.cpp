#include "cli/spool/spool_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/medium.h"
#include "cli/text.h"
#include "proto/size_text.h"
#include "proto/typed.h"

namespace fieldpost::cli::spool_files {

namespace fs = std::filesystem;

namespace {

// On a fuller disk a file may be cut off: its writer could not go on.
constexpr std::uint64_t room_min = std::uint64_t{64} << 10;
// So that a number and this ending may follow. A name has 255 bytes.
constexpr std::size_t name_bytes_max = 240;

std::string lower(std::string_view name) {
    std::string all(name);
    std::ranges::transform(all, all.begin(), [](unsigned char c) {
        return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    });
    return all;
}

std::unexpected<Failure> failed(const fs::path& path, const std::string& what, int why) {
    return std::unexpected(
        Failure{why == ENOSPC || why == EDQUOT ? exit_no_space : exit_failed, "folder",
                fmt::format("{} {}: {}", safe_line(path.string()), what, std::strerror(why)),
                "see to the folder"});
}

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        names.push_back(at->path().filename().string());
    }
    std::ranges::sort(names);
    return names;
}

}  // namespace

bool is_never_taken(const std::string& name) {
    const auto folded = lower(name);
    return folded.starts_with('.') || folded.starts_with("~$") || folded.ends_with(".tmp") ||
           folded.ends_with(".part") || folded.ends_with(".crdownload") || folded == "thumbs.db" ||
           folded == "desktop.ini";
}

bool has_one_name(const fs::path& path) {
    struct stat about{};
    return ::lstat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 1;
}

bool is_being_written(const fs::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return errno == EWOULDBLOCK;
    }
    const bool is_busy = ::fcntl(fd, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
    ::close(fd);
    return is_busy;
}

Outcome<std::string> content_of(const fs::path& path, std::uint64_t bytes_max) {
    auto file = InputFile::open(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    if (file->size() > bytes_max) {
        return std::unexpected(
            Failure{exit_invalid, "invalid",
                    fmt::format("{} is larger than {}", safe_line(path.filename().string()),
                                exact_size(bytes_max)),
                    "send a smaller one"});
    }
    auto content = file->read(file->size() + 1);
    if (file->failure()) {
        return std::unexpected(*file->failure());
    }
    if (stamp_of(path) != file->stamp() || content.size() != file->size()) {
        return std::unexpected(
            Failure{exit_timed_out, changing,
                    fmt::format("{} changes", safe_line(path.filename().string())), "wait"});
    }
    return content;
}

Outcome<void> make_folder(const fs::path& path, bool is_for_people) {
    struct stat about{};
    if (::mkdir(path.c_str(), 0700) == 0) {
        struct stat around{};
        if (is_for_people && ::stat(path.parent_path().c_str(), &around) == 0) {
            ::chmod(path.c_str(), around.st_mode & 07777U);
        }
        return {};
    }
    if (errno != EEXIST) {
        return failed(path, "could not be made", errno);
    }
    if (::lstat(path.c_str(), &about) != 0 || !S_ISDIR(about.st_mode) ||
        about.st_uid != ::geteuid()) {
        return std::unexpected(
            Failure{exit_failed, "folder",
                    fmt::format("{} is there, and is not this program's own folder",
                                safe_line(path.filename().string())),
                    "move it away"});
    }
    return {};
}

bool is_own_folder(const fs::path& path) {
    struct stat about{};
    return ::lstat(path.c_str(), &about) == 0 && S_ISDIR(about.st_mode) &&
           about.st_uid == ::geteuid();
}

std::vector<std::string> names_in_own(const fs::path& folder) {
    return is_own_folder(folder) ? names_in(folder) : std::vector<std::string>{};
}

bool is_named_as_done(const std::string& name) {
    const auto id = name.substr(0, name.find(' '));
    return id.find('-') != std::string::npos &&
           id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.~") == std::string::npos;
}

Outcome<void> move(const fs::path& from, const fs::path& to) {
    return ::rename(from.c_str(), to.c_str()) == 0 ? Outcome<void>{}
                                                   : failed(from, "could not be moved", errno);
}

fs::path free_name(const fs::path& folder, const std::string& name) {
    const fs::path wanted(cut_text(name, name_bytes_max));
    auto path = folder / wanted;
    const auto is_free = [](const fs::path& candidate) {
        std::error_code error;
        return !fs::exists(fs::symlink_status(candidate, error));
    };
    for (int i = 2; !is_free(path) || !is_free(path.string() + std::string(why_ending)); ++i) {
        path = folder /
               fmt::format("{} ({}){}", wanted.stem().string(), i, wanted.extension().string());
    }
    return path;
}

bool is_json(const std::string& name) {
    return lower(name).ends_with(".json");
}

bool is_full(const fs::path& folder) {
    struct statvfs about{};
    return ::statvfs(folder.c_str(), &about) == 0 && about.f_blocks > 0 &&
           std::uint64_t{about.f_bavail} * about.f_frsize < room_min;
}

}  // namespace fieldpost::cli::spool_files
