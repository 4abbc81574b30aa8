// Goal: a file that the command writes for people replaces no other file, even one that came at the
// last moment.
// Method: files in a temporary folder; of two writers that want one name at the same moment, one
// gets it.
#include "cli/medium.h"

#include <fmt/format.h>

#include <barrier>
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <thread>

#include "cli/mounts.h"
#include "tests/support/temporary_folder.h"

using namespace fieldpost;
using namespace fieldpost::cli;

namespace {

std::string text_in(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("of two files that take one name at the same moment one is there and the other stays",
          "[medium]") {
    const tests::TemporaryFolder folder;
    constexpr int rounds = 2000;
    std::barrier both(2);
    std::array<int, 2> taken{};
    const auto run = [&](std::size_t side) {
        for (int round = 0; round < rounds; ++round) {
            const auto from = folder.path() / fmt::format("{}-{}.part", round, side);
            std::ofstream(from) << side;
            both.arrive_and_wait();
            taken[side] += name_new(from, folder.path() / fmt::format("{}.bin", round)) ? 1 : 0;
        }
    };
    std::thread other(run, 1);
    run(0);
    other.join();
    CHECK(taken[0] + taken[1] == rounds);
    // The writer that was told it has the name has it.
    int zeros = 0;
    for (int round = 0; round < rounds; ++round) {
        zeros += text_in(folder.path() / fmt::format("{}.bin", round)) == "0" ? 1 : 0;
    }
    CHECK(zeros == taken[0]);
}

TEST_CASE("a file takes no name that something has, and says so", "[medium]") {
    const tests::TemporaryFolder folder;
    const auto path = folder.path() / "to-hq.bin";
    auto file = OutputFile::create(path).value();
    REQUIRE(file.write("new").has_value());
    REQUIRE(file.close().has_value());
    SECTION("a file") {
        std::ofstream(path) << "old";
    }
    SECTION("a link to nothing") {
        std::filesystem::create_symlink("nowhere", path);
    }
    const auto type = std::filesystem::symlink_status(path).type();
    const auto finished = file.finish();
    REQUIRE_FALSE(finished.has_value());
    CHECK(finished.error().exit == exit_invalid);
    CHECK(std::filesystem::symlink_status(path).type() == type);
    CHECK(text_in(path) != "new");
}

TEST_CASE("a file is removed only as long as it is the one that was looked at", "[medium]") {
    const tests::TemporaryFolder folder;
    const auto path = folder.path() / "a.bin";
    std::ofstream(path) << "ours";
    const auto ours = stamp_of(path).value();
    SECTION("it is") {
        REQUIRE(remove_file(path, ours).has_value());
        CHECK_FALSE(std::filesystem::exists(path));
    }
    SECTION("another one has its name") {
        std::ofstream(folder.path() / "b.bin") << "letter";
        std::filesystem::rename(folder.path() / "b.bin", path);
        REQUIRE(remove_file(path, ours).has_value());
        CHECK(text_in(path) == "letter");
    }
    SECTION("it is a link now") {
        std::filesystem::remove(path);
        std::filesystem::create_symlink("nowhere", path);
        REQUIRE(remove_file(path, ours).has_value());
        CHECK(std::filesystem::is_symlink(path));
    }
}

TEST_CASE("names that may be plain files are listed, up to a limit", "[medium]") {
    const tests::TemporaryFolder folder;
    for (const auto* name : {"a", "b", "\xff\xfe", ".hidden"}) {
        std::ofstream(folder.path() / name) << "x";
    }
    std::filesystem::create_directory(folder.path() / "folder");
    std::set<std::string> names;
    const auto note = [&](const std::string& name) { names.insert(name); };
    CHECK(list_names(folder.path(), 3, note).value());
    CHECK(names == std::set<std::string>{"a", "b", "\xff\xfe"});
    names.clear();
    CHECK_FALSE(list_names(folder.path(), 2, note).value());
    CHECK(names.size() == 2);
    CHECK_FALSE(list_names(folder.path() / "not there", 2, note).has_value());
}

TEST_CASE("a mount point that is listed and not mounted is missing to all below it", "[medium]") {
    const std::string table =
        "# a comment\n"
        "UUID=1 / ext4 defaults 0 1\n"
        "LABEL=STICK /media/my\\040stick vfat noauto,user 0 0\n"
        "/dev/sdb1 /srv ext4 defaults 0 2\n"
        "/dev/sdc1 none swap sw 0 0\n";
    std::set<std::filesystem::path> mounted{"/", "/srv"};
    const auto missing = [&](const char* folder) {
        return missing_mount(folder, table,
                             [&](const auto& path) { return mounted.contains(path); });
    };
    CHECK(missing("/media/my stick") == "/media/my stick");
    CHECK(missing("/media/my stick/bundles") == "/media/my stick");
    CHECK_FALSE(missing("/media/my stick 2"));
    CHECK_FALSE(missing("/media"));
    CHECK_FALSE(missing("/srv/exchange"));
    CHECK_FALSE(missing("/var/none"));
    mounted.erase("/srv");
    CHECK(missing("/srv/exchange") == "/srv");
    CHECK_FALSE(missing_mount("/srv", "", [](const auto&) { return false; }));
}

TEST_CASE("a folder's place tells its mount and its medium", "[medium]") {
    const tests::TemporaryFolder folder;
    const auto first = place_of(folder.path()).value();
    CHECK(folder.path().string().starts_with(first.mount));
    CHECK(place_of(folder.path()).value() == first);
    CHECK(place_of("/proc").value().mount == "/proc");
    CHECK_FALSE(place_of(folder.path() / "not there").has_value());
    std::filesystem::create_directory(folder.path() / "inside");
    const auto inside = place_of(folder.path() / "inside").value();
    CHECK(inside.medium == first.medium);
    CHECK(inside.folder != first.folder);
    CHECK(place_of(folder.path()).value().names != first.names);
}
