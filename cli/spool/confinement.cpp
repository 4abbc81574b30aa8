#include "cli/spool/confinement.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace fieldpost::cli {

namespace {

// Before version 2 no file could be moved to another folder.
constexpr long version_min = 2;
constexpr long version_of_truncate = 3;
// Not in the headers of Debian 12.
constexpr std::uint64_t access_truncate = std::uint64_t{1} << 14U;

constexpr std::uint64_t access_read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
// The rights that this process uses in its folder.
constexpr std::uint64_t access_work = access_read | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                      LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                      LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER;
constexpr std::uint64_t access_other = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                       LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                       LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

bool allow(int rules, const char* path, std::uint64_t access) {
    const int fd = ::open(path, O_PATH | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const landlock_path_beneath_attr rule{.allowed_access = access, .parent_fd = fd};
    const bool is_allowed =
        ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    ::close(fd);
    return is_allowed;
}

}  // namespace

bool confine_to(const std::filesystem::path& folder) {
    const long version =
        ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < version_min) {
        return false;
    }
    const auto truncate = version >= version_of_truncate ? access_truncate : 0;
    const landlock_ruleset_attr attributes{.handled_access_fs =
                                               access_work | access_other | truncate};
    const int rules =
        static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
    if (rules < 0) {
        return false;
    }
    // The C library reads the zone again and again. Where it is not there, the time is UTC.
    (void)allow(rules, "/etc/localtime", LANDLOCK_ACCESS_FS_READ_FILE);
    (void)allow(rules, "/usr/share/zoneinfo", access_read);
    const bool is_confined = allow(rules, folder.c_str(), access_work | truncate) &&
                             ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                             ::syscall(SYS_landlock_restrict_self, rules, 0) == 0;
    ::close(rules);
    return is_confined;
}

}  // namespace fieldpost::cli
