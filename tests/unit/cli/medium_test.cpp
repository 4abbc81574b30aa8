// Goal: what the command writes for people replaces nothing that is there, whenever it came there.
// Method: files in a temporary folder; of two who want one name at the same moment, one gets it.
#include "cli/medium.h"

#include <barrier>
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>

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
    // Whoever was told that it has the name has it.
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
