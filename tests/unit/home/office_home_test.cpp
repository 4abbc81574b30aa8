// Goal: secrets are never written into a file that somebody else made.
// Method: things of another user at the file's name and beside it, in a temporary folder.
#include "daemon/home/office_home.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/network.h"
#include "tests/support/temporary_folder.h"

using namespace fieldpost;
using namespace fieldpost::tests;

TEST_CASE("a secret file is new, whatever lies at its name or beside it", "[home]") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "hyesan.invite";
    // A file of another user, which that user can read. Its links have the names that a writer
    // might use first.
    const auto others = folder.path() / "other";
    std::ofstream(others) << "mine";
    for (const auto* name : {"hyesan.invite.new", "hyesan.invite.tmp", "hyesan.invite.part"}) {
        std::filesystem::create_hard_link(others, folder.path() / name);
    }
    SECTION("a file at its name") {
        std::filesystem::create_hard_link(others, path);
    }
    SECTION("a link at its name") {
        std::filesystem::create_symlink(others, path);
    }
    SECTION("a pipe at its name") {
        REQUIRE(::mkfifo(path.c_str(), 0666) == 0);
    }
    REQUIRE(home::write_whole(path, bytes_of("secret"), 0600).has_value());
    struct stat about{};
    REQUIRE(::lstat(path.c_str(), &about) == 0);
    CHECK(S_ISREG(about.st_mode));
    CHECK((about.st_mode & 07777U) == 0600);
    CHECK(about.st_nlink == 1);
    CHECK(home::read_whole(path, 100).value() == bytes_of("secret"));
    CHECK(home::read_whole(others, 100).value() == bytes_of("mine"));
    // Nothing else is left: "other", its three names, and the file.
    const std::filesystem::directory_iterator all(folder.path());
    CHECK(std::distance(begin(all), end(all)) == 5);
}

TEST_CASE("a file that cannot take its place leaves nothing behind", "[home]") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "taken";
    std::filesystem::create_directories(path / "inside");
    CHECK_FALSE(home::write_whole(path, bytes_of("secret"), 0600).has_value());
    const std::filesystem::directory_iterator all(folder.path());
    CHECK(std::distance(begin(all), end(all)) == 1);
}
