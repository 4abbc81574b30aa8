// A disk that is full soon, or taken out, for tests that run as root.
#pragma once

#include <sys/mount.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace fieldpost::end_to_end {

// A small disk of its own, gone with the test, and in any case with the process.
class SmallDisk {
public:
    SmallDisk(const std::filesystem::path& at, const std::string& size) : at_(at) {
        static const bool is_apart =
            ::unshare(CLONE_NEWNS) == 0 && ::mount("", "/", "", MS_REC | MS_PRIVATE, "") == 0;
        std::filesystem::create_directories(at_);
        is_there_ =
            is_apart && ::mount("tmpfs", at_.c_str(), "tmpfs", 0, ("size=" + size).c_str()) == 0;
    }
    ~SmallDisk() { take_out(); }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    [[nodiscard]] bool is_there() const { return is_there_; }
    // As a stick is pulled: also while somebody writes to it.
    void take_out() {
        if (std::exchange(is_there_, false)) {
            ::umount2(at_.c_str(), MNT_DETACH);
        }
    }
    void make_read_only() const {
        REQUIRE(::mount("", at_.c_str(), "", MS_REMOUNT | MS_RDONLY, "") == 0);
    }
    // Fills the disk until not one byte more fits. Returns the file that fills it.
    [[nodiscard]] std::filesystem::path fill() const {
        auto filler = at_ / "filler";
        std::ofstream out(filler, std::ios::binary);
        const std::string block(4096, 'x');
        while (out.write(block.data(), 4096).flush()) {
        }
        return filler;
    }

private:
    std::filesystem::path at_;
    bool is_there_ = false;
};

}  // namespace fieldpost::end_to_end
