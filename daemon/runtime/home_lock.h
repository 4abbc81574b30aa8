// Lets one daemon run in a home, as the owner of the home.
#pragma once

#include <filesystem>
#include <utility>

#include "proto/result.h"

namespace fieldpost::runtime {

// The keys of an office are its own: nobody else runs it, root included, or its files change hands.
// untrusted: it is another user's, or closed to this one.
Result<void> check_owner(const std::filesystem::path& home);

// Held until the process ends.
class HomeLock {
public:
    // refused: another daemon holds it; the words name its process.
    static Result<HomeLock> take(const std::filesystem::path& path);
    ~HomeLock();
    HomeLock(HomeLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    HomeLock& operator=(HomeLock&&) = delete;
    HomeLock(const HomeLock&) = delete;
    HomeLock& operator=(const HomeLock&) = delete;

private:
    explicit HomeLock(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace fieldpost::runtime
