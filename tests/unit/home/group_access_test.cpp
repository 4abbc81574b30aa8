// Goal: a further group reaches a file, and what others see and may do stays as it was.
#include "daemon/home/group_access.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <catch2/catch.hpp>

#include "tests/support/temporary_folder.h"

using namespace fieldpost;

TEST_CASE("a group is let through, and the mode stays", "[home]") {
    const tests::TemporaryFolder folder;
    const auto home = folder.path() / "home";
    std::filesystem::create_directory(home);
    const auto mode = [&] {
        struct stat info{};
        REQUIRE(::stat(home.c_str(), &info) == 0);
        return info.st_mode & 07777U;
    };
    const auto list_bytes = [&] {
        return ::getxattr(home.c_str(), "system.posix_acl_access", nullptr, 0);
    };
    REQUIRE(::chmod(home.c_str(), 0750) == 0);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(home::grant(home, 54321, home::Access::pass_through).has_value());
        CHECK(mode() == 0750);
        // A head of four bytes, and eight for each entry: owner, group, the further group, mask,
        // others. It is not added again.
        CHECK(list_bytes() == 4 + 5 * 8);
    }
    // As systemd does at each start.
    REQUIRE(::chmod(home.c_str(), 0750) == 0);
    CHECK(list_bytes() == 4 + 5 * 8);
    CHECK_FALSE(home::grant(folder.path() / "no", 54321, home::Access::pass_through).has_value());
}

TEST_CASE("a group that this machine does not have", "[home]") {
    CHECK_FALSE(home::group_id("no-group-of-this-name"));
    CHECK(home::group_id("root") == 0);
}
