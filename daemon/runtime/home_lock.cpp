#include "daemon/runtime/home_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

namespace fieldpost::runtime {

Result<void> check_owner(const std::filesystem::path& home) {
    struct stat info{};
    if (::stat(home.c_str(), &info) != 0) {
        return errno == EACCES
                   ? fail(Errc::untrusted, fmt::format("{} is closed to this user", home.string()))
                   : ok();
    }
    if (info.st_uid != ::geteuid()) {
        return fail(Errc::untrusted, fmt::format("{} belongs to another user; run fieldpostd as "
                                                 "that one",
                                                 home.string()));
    }
    return ok();
}

Result<HomeLock> HomeLock::take(const std::filesystem::path& path) {
    HomeLock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.fd_ < 0) {
        return fail(Errc::unavailable,
                    fmt::format("cannot open {}: {}", path.string(), std::strerror(errno)));
    }
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
        std::array<char, 32> pid{};
        const auto got = ::pread(lock.fd_, pid.data(), pid.size() - 1, 0);
        return fail(Errc::refused,
                    fmt::format("another fieldpostd (pid {}) has this home",
                                std::string_view(
                                    pid.data(), static_cast<std::size_t>(std::max<long>(0, got)))));
    }
    const auto own = std::to_string(::getpid());
    if (::ftruncate(lock.fd_, 0) != 0 || ::pwrite(lock.fd_, own.data(), own.size(), 0) < 0) {
        return fail(Errc::unavailable, "cannot write the lock");
    }
    return lock;
}

HomeLock::~HomeLock() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

}  // namespace fieldpost::runtime
