#include "cli/medium.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "cli/text.h"
#include "crypto/secret.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;

namespace {

std::unexpected<Failure> trouble(const fs::path& path, const std::string& what, int why) {
    const auto words = fmt::format("{}: {}: {}", safe_line(path.string()), what, strerror(why));
    switch (why) {
        case ENOSPC:
        case EDQUOT:
            return std::unexpected(
                Failure{exit_no_space, "no_space", words, "free space there, then try again"});
        case EACCES:
        case EPERM:
        case EROFS:
            return std::unexpected(
                Failure{exit_refused, "no_access", words, "can you write there?"});
        case ENOENT:
        case ENOTDIR:
            return std::unexpected(Failure{exit_not_found, "not_found", words, "check the path"});
        default:
            return std::unexpected(
                Failure{exit_failed, "medium", words, "is the medium still there? try again"});
    }
}

fs::path folder_of(const fs::path& path) {
    return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

std::int64_t nanoseconds(const timespec& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

Stamp stamp_of(const struct stat& about) {
    return {about.st_size, nanoseconds(about.st_mtim), nanoseconds(about.st_ctim), about.st_dev,
            about.st_ino};
}

}  // namespace

std::optional<Stamp> stamp_of(const fs::path& path) {
    struct stat about{};
    return ::lstat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode)
               ? std::optional(stamp_of(about))
               : std::nullopt;
}

Outcome<InputFile> InputFile::open(const fs::path& path) {
    // O_NONBLOCK: the call must not wait for a program at the other end of a pipe.
    const int fd = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ELOOP
                   ? std::unexpected(Failure{exit_invalid, "invalid",
                                             fmt::format("{} is a link", safe_line(path.string())),
                                             "name the file itself"})
                   : trouble(path, "cannot be read", errno);
    }
    struct stat about{};
    if (::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        ::close(fd);
        return std::unexpected(Failure{exit_invalid, "invalid",
                                       fmt::format("{} is no file", safe_line(path.string())),
                                       "name a bundle, or a folder with bundles"});
    }
    return InputFile(fd, stamp_of(about));
}

InputFile::~InputFile() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

std::string InputFile::read(std::size_t bytes) {
    std::string some(bytes, '\0');
    std::size_t done = 0;
    while (done < bytes && !failure_) {
        const auto got = ::read(fd_, some.data() + done, bytes - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            failure_ = trouble("the file", "cannot be read any further", errno).error();
        }
        if (got <= 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    some.resize(done);
    return some;
}

bool is_still_there(const fs::path& path) {
    const auto listed = list_names(folder_of(path), 1, [](const auto&) {});
    return InputFile::open(path).has_value() && listed.has_value();
}

Outcome<bool> list_names(const fs::path& folder, std::size_t names_max,
                         const std::function<void(const std::string&)>& see) {
    const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
    if (!open) {
        return trouble(folder, "cannot be read", errno);
    }
    std::size_t names = 0;
    while (true) {
        errno = 0;
        const auto* entry = ::readdir(open.get());
        if (entry == nullptr) {
            return errno == 0 ? Outcome<bool>(true) : trouble(folder, "cannot be read", errno);
        }
        // A hidden file is in use by some program, such as a copy that is not whole yet.
        const bool may_be_plain = entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN;
        if (entry->d_name[0] == '.' || !may_be_plain) {
            continue;
        }
        if (++names > names_max) {
            return false;
        }
        see(entry->d_name);
    }
}

Outcome<std::vector<fs::path>> files_of(const fs::path& folder) {
    std::vector<std::pair<std::int64_t, fs::path>> found;
    const auto listed = list_names(folder, SIZE_MAX, [&](const std::string& name) {
        if (const auto stamp = stamp_of(folder / name)) {
            found.emplace_back(stamp->size, folder / name);
        }
    });
    if (!listed) {
        return std::unexpected(listed.error());
    }
    std::ranges::sort(found);
    std::vector<fs::path> files;
    files.reserve(found.size());
    for (auto& [size, path] : found) {
        files.push_back(std::move(path));
    }
    return files;
}

Outcome<void> sync_folder(const fs::path& folder) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_synced = fd >= 0 && ::syncfs(fd) == 0;
    const int why = errno;
    if (fd >= 0) {
        ::close(fd);
    }
    return is_synced ? Outcome<void>{} : trouble(folder, "could not be synced", why);
}

OutputFile::OutputFile(int fd, fs::path path, fs::path temporary)
    : fd_(fd), path_(std::move(path)), temporary_(std::move(temporary)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      size_(other.size_) {}

namespace {

constexpr int new_file = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

}  // namespace

Outcome<OutputFile> OutputFile::create(const fs::path& path, const std::string& name) {
    auto temporary = name.empty() ? new_name(folder_of(path)).replace_extension(".part")
                                  : folder_of(path) / name;
    // Everybody may read it, because the file is noise without the keys. The user at the next
    // office is another user here.
    const int fd = ::open(temporary.c_str(), new_file, 0644);
    return fd < 0 ? trouble(folder_of(path), "cannot be written to", errno)
                  : Outcome<OutputFile>(OutputFile(fd, path, temporary));
}

Outcome<OutputFile> OutputFile::create_private(const fs::path& path) {
    const fs::path temporary = path.string() + ".part";
    const int fd =
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0) {
        return trouble(folder_of(path), "cannot be written to", errno);
    }
    // A process that writes this file holds the lock. If the process before us has finished, the
    // name belongs to another file by now.
    struct stat ours{};
    struct stat named{};
    const bool is_ours = ::flock(fd, LOCK_EX | LOCK_NB) == 0 && ::fstat(fd, &ours) == 0 &&
                         ::stat(temporary.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
                         ours.st_dev == named.st_dev;
    if (!is_ours || ::ftruncate(fd, 0) != 0) {
        ::close(fd);
        return std::unexpected(
            Failure{exit_failed, "busy",
                    fmt::format("another process writes {} just now", safe_line(path.string())),
                    "wait until it has ended, then try again"});
    }
    return OutputFile(fd, path, temporary);
}

Outcome<OutputFile> OutputFile::create_private_in(const fs::path& folder) {
    const auto temporary = new_name(folder).replace_extension(".part");
    const int fd = ::open(temporary.c_str(), new_file, S_IRUSR);
    return fd < 0 ? trouble(folder, "cannot be written to", errno)
                  : Outcome<OutputFile>(OutputFile(fd, temporary, temporary));
}

OutputFile::~OutputFile() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
    if (!temporary_.empty()) {
        ::unlink(temporary_.c_str());
    }
}

Outcome<void> OutputFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto done = ::write(fd_, bytes.data(), bytes.size());
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return trouble(path_, "could not be written", errno);
        }
        size_ += static_cast<std::uint64_t>(done);
        bytes.remove_prefix(static_cast<std::size_t>(done));
    }
    return {};
}

Outcome<void> OutputFile::close() {
    return ::fsync(fd_) == 0 && ::close(std::exchange(fd_, -1)) == 0
               ? Outcome<void>{}
               : trouble(path_, "could not be written", errno);
}

bool name_new(const fs::path& from, const fs::path& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return true;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return false;
    }
    // NFS and some other file systems do not know the flag. A hard link does not replace an
    // existing file either.
    if (::link(from.c_str(), to.c_str()) == 0) {
        ::unlink(from.c_str());
        return true;
    }
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS && errno != EMLINK) {
        return false;
    }
    // Without hard links (FAT through FUSE) the best way is to look first. A file that appears
    // between the two calls is replaced.
    if (std::error_code error; fs::exists(fs::symlink_status(to, error))) {
        errno = EEXIST;
        return false;
    }
    return ::rename(from.c_str(), to.c_str()) == 0;
}

Outcome<void> OutputFile::finish() {
    if (!name_new(temporary_, path_)) {
        return errno == EEXIST ? std::unexpected(Failure{
                                     exit_invalid, "invalid",
                                     fmt::format("{} is there already", safe_line(path_.string())),
                                     "choose another name"})
                               : trouble(path_, "could not be named", errno);
    }
    temporary_.clear();
    return sync_folder(folder_of(path_));
}

Outcome<void> OutputFile::replace() {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
        return trouble(path_, "could not be named", errno);
    }
    temporary_.clear();
    return sync_folder(folder_of(path_));
}

fs::path new_name(const fs::path& folder) {
    while (true) {
        std::array<std::byte, 4> bytes{};
        crypto::fill_random(bytes);
        auto path = folder / (to_hex(bytes) + ".bin");
        if (std::error_code error; !fs::exists(fs::symlink_status(path, error))) {
            return path;
        }
    }
}

Outcome<void> remove_file(const fs::path& path, const Stamp& stamp) {
    if (stamp_of(path) != stamp) {
        return {};
    }
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
        return trouble(path, "could not be removed", errno);
    }
    return sync_folder(folder_of(path));
}

std::uint64_t free_bytes(const fs::path& folder) {
    struct statvfs about{};
    return ::statvfs(folder.c_str(), &about) == 0 ? std::uint64_t{about.f_bavail} * about.f_frsize
                                                  : 0;
}

}  // namespace fieldpost::cli
