#include "cli/mounts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/stat.h>
#include <mntent.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>

#include "cli/text.h"

namespace fieldpost::cli {

namespace fs = std::filesystem;

namespace {

std::optional<struct statx> about(const fs::path& path) {
    struct statx found{};
    return ::statx(AT_FDCWD, path.c_str(), AT_NO_AUTOMOUNT,
                   STATX_INO | STATX_MTIME | STATX_CTIME | STATX_MNT_ID, &found) == 0
               ? std::optional(found)
               : std::nullopt;
}

bool is_mount_root(const fs::path& path) {
    const auto found = about(path);
    return found && (found->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

std::string number_of(const struct statx& found) {
    return fmt::format("{}:{}:{}", found.stx_dev_major, found.stx_dev_minor, found.stx_ino);
}

// The path without links, so that the mount point of the folder is one of its parents.
fs::path resolved(const fs::path& folder) {
    std::error_code error;
    auto path = fs::weakly_canonical(folder, error);
    return error ? fs::absolute(folder, error) : path;
}

}  // namespace

std::optional<fs::path> missing_mount(const fs::path& folder, const std::string& table,
                                      const std::function<bool(const fs::path&)>& is_mounted) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(
        ::fmemopen(const_cast<char*>(table.data()), table.size(), "r"), ::fclose);
    if (!file) {
        return std::nullopt;  // an empty table
    }
    std::optional<fs::path> missing;
    std::array<char, 4096> line{};
    struct mntent entry{};
    while (::getmntent_r(file.get(), &entry, line.data(), line.size()) != nullptr) {
        const fs::path point = fs::path(entry.mnt_dir).lexically_normal();
        const auto inside = folder.lexically_relative(point);
        const bool is_below = point.is_absolute() && !inside.empty() && *inside.begin() != "..";
        if (is_below && std::strcmp(entry.mnt_type, "swap") != 0 && !is_mounted(point)) {
            missing = point;
        }
    }
    return missing;
}

std::optional<fs::path> missing_mount(const fs::path& folder) {
    std::ifstream file("/etc/fstab");
    const std::string table(std::istreambuf_iterator<char>(file), {});
    return missing_mount(resolved(folder), table, is_mount_root);
}

Outcome<FolderPlace> place_of(const fs::path& folder) {
    const auto path = resolved(folder);
    const auto own = about(path);
    if (!own || !S_ISDIR(own->stx_mode)) {
        return std::unexpected(
            Failure{exit_not_found, "not_found",
                    fmt::format("{}: cannot be read: {}", safe_line(folder.string()),
                                own ? "it is no folder" : strerror(errno)),
                    "check the path"});
    }
    if (const auto missing = missing_mount(path)) {
        return std::unexpected(
            Failure{exit_not_found, "not_found",
                    fmt::format("nothing is mounted at {}", safe_line(missing->string())),
                    "put the medium in, or mount it"});
    }
    auto root = path;
    while (root != root.root_path() && !is_mount_root(root)) {
        root = root.parent_path();
    }
    FolderPlace place;
    place.mount = root.string();
    place.folder = number_of(*own);
    place.names = fmt::format("{}.{:09} {}.{:09}", own->stx_mtime.tv_sec, own->stx_mtime.tv_nsec,
                              own->stx_ctime.tv_sec, own->stx_ctime.tv_nsec);
    struct statfs system{};
    const auto top = about(root);
    if (top && ::statfs(root.c_str(), &system) == 0) {
        std::array<int, 2> id{};
        std::memcpy(id.data(), &system.f_fsid, sizeof id);
        place.medium = fmt::format("{} {} {} {}", number_of(*top), top->stx_mnt_id, id[0], id[1]);
    }
    return place;
}

}  // namespace fieldpost::cli
