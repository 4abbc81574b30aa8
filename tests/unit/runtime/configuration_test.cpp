// Goal: nothing that stands in the place of fieldpost.toml holds up the daemon, or ends it.
// Method: things that are no file, and files that are no TOML, in a temporary folder.
#include "daemon/runtime/configuration.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/support/temporary_folder.h"

using namespace fieldpost;
using namespace fieldpost::runtime;

namespace {

struct Home {
    tests::TemporaryFolder folder;
    std::filesystem::path file = folder.path() / "fieldpost.toml";

    [[nodiscard]] Result<Configuration> read() const { return read_configuration(file, {}); }
    static void write(const std::filesystem::path& path, std::string_view text) {
        std::ofstream(path) << text;
    }
};

constexpr std::string_view good_words = "beacon = false\n";

}  // namespace

TEST_CASE("a pipe, a folder or a device in the place of the configuration is refused at once",
          "[configuration]") {
    const Home home;
    SECTION("a pipe that nobody writes to") {
        REQUIRE(::mkfifo(home.file.c_str(), 0600) == 0);
    }
    SECTION("a link to such a pipe") {
        const auto pipe = home.folder.path() / "pipe";
        REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
        std::filesystem::create_symlink(pipe, home.file);
    }
    SECTION("a folder") {
        std::filesystem::create_directory(home.file);
    }
    SECTION("a device that never ends") {
        std::filesystem::create_symlink("/dev/zero", home.file);
    }
    SECTION("a link to itself") {
        std::filesystem::create_symlink(home.file, home.file);
    }
    const auto read = home.read();
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::malformed);
    CHECK(read.error().detail.find("fieldpost.toml cannot be read") != std::string::npos);
}

TEST_CASE("a link to a configuration is read, and no file is an empty one", "[configuration]") {
    const Home home;
    REQUIRE(home.read());
    CHECK(home.read()->beacon);
    Home::write(home.folder.path() / "elsewhere", good_words);
    std::filesystem::create_symlink("elsewhere", home.file);
    REQUIRE(home.read());
    CHECK_FALSE(home.read()->beacon);
}

TEST_CASE("a configuration without end is not read to its end", "[configuration]") {
    const Home home;
    Home::write(home.file,
                std::string(good_words) + std::string((1U << 20) - good_words.size(), '#'));
    REQUIRE(home.read());
    CHECK_FALSE(home.read()->beacon);
    std::filesystem::resize_file(home.file, std::uintmax_t{1} << 32);
    REQUIRE_FALSE(home.read());
    CHECK(home.read().error().detail.find("larger than 1048576 bytes") != std::string::npos);
}

TEST_CASE("a table whose name begins with what no name has is an error of its line",
          "[configuration]") {
    const Home home;
    const std::string header = GENERATE("[!peer]", "[[!peer]]", "[주소]", "[=]", "[\x01]", "[ \v]");
    CAPTURE(header);
    Home::write(home.file, std::string(good_words) + "\n" + header + "\naddress = 1\n");
    const auto read = home.read();
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::malformed);
    CHECK(read.error().detail.contains("line 3: "));
}

TEST_CASE("letters that are not ASCII stand only between quotes and in comments",
          "[configuration]") {
    const Home home;
    const std::string good =
        GENERATE("# 주소\n", "beacon = true # é\n", "\xEF\xBB\xBF# é\nbeacon = true\n",
                 "listen = [\"tcp://*:1\"] # \"é\n");
    CAPTURE(good);
    Home::write(home.file, good);
    CHECK(home.read());
    // Strings of each kind end where toml++ ends them, so what follows them is looked at.
    const std::string before = GENERATE("", "beacon = true\n\n", "a = \"x\\\"é\"", "a = 'x\\'",
                                        "a = \"\"\"é\"\"\n\"\"\"\"\"", "a = '''\né''''",
                                        "a = \"é\n", "# é\n", "a = 1b'''''''");
    CAPTURE(before);
    Home::write(home.file, before + "é = 1\n\n");
    const auto read = home.read();
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::malformed);
    const auto line = 1 + std::ranges::count(before, '\n');
    CHECK(read.error().detail.contains("line " + std::to_string(line) + ": outside quotes"));
}

TEST_CASE("what is expected is read, and what is no expectation is an error of its line",
          "[configuration]") {
    const Home home;
    Home::write(home.file,
                "[[expect]]\ntype = \"주간\"\nfrom = \"@field\"\nevery = \"week\"\ndue = \"2d\"\n"
                "period_field = \"week\"\n[[expect]]\ntype = \"stock\"\nfrom = \"hyesan\"\n"
                "every = \"month\"\n");
    const auto read = home.read();
    REQUIRE(read);
    CHECK(read->expectations ==
          std::vector<Expectation>{{"주간", "@field", Every::week, 2 * 86400, "week"},
                                   {"stock", "hyesan", Every::month, 0, ""}});
    const std::string good = "type = \"a\"\nfrom = \"hq\"\nevery = \"day\"\n";
    const std::string bad = GENERATE_COPY(
        std::string("from = \"hq\"\nevery = \"day\"\n"),
        std::string("type = \"a\"\nevery = \"day\"\n"),
        std::string("type = \"a\"\nfrom = \"hq\"\n"), good + "due = \"soon\"\n", good + "due = 2\n",
        good + "due = \"-2d\"\n", good + "days = 2\n", good + "period_field = \"\"\n",
        std::string("type = \"\"\nfrom = \"hq\"\nevery = \"day\"\n"),
        std::string("type = \"a\"\nfrom = \"@nobody\"\nevery = \"day\"\n"),
        std::string("type = \"a\"\nfrom = \"hq\"\nevery = \"year\"\n"),
        good + "[[expect]]\n" + good);
    CAPTURE(bad);
    Home::write(home.file, "[[expect]]\n" + bad);
    const auto refused = home.read();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail.contains("line "));
    Home::write(home.file, "[expect]\n" + good);
    CHECK_FALSE(home.read());
    std::string many;
    for (int i = 0; i < 33; ++i) {
        many +=
            "[[expect]]\ntype = \"a" + std::to_string(i) + "\"\nfrom = \"hq\"\nevery = \"day\"\n";
    }
    Home::write(home.file, many);
    CHECK_FALSE(home.read());
}

TEST_CASE("a spool is read, and what is no spool is an error of its line", "[configuration]") {
    const Home home;
    Home::write(home.file,
                "[[spool]]\npath = \"/srv/a\"\nto = [\"hq\", \"@field\"]\n"
                "allow = [\"staff\"]\nkeep = \"1d\"\n"
                "[[spool]]\npath = \"/srv/b\"\nto = [\"hq\"]\n");
    const auto read = home.read();
    REQUIRE(read);
    CHECK(read->spools ==
          std::vector<SpoolConfiguration>{{"/srv/a", {"hq", "@field"}, {"staff"}, 86400},
                                          {"/srv/b", {"hq"}, {}, 7 * 86400}});
    const std::string good = "path = \"/srv/a\"\nto = [\"hq\"]\n";
    const std::string bad = GENERATE_COPY(
        std::string("to = [\"hq\"]\n"), std::string("path = \"/srv/a\"\n"),
        std::string("path = \"srv\"\nto = [\"hq\"]\n"), std::string("path = \"/srv/a\"\nto = []\n"),
        std::string("path = \"/srv/a\"\nto = \"hq\"\n"),
        std::string("path = \"/srv/a\"\nto = [\"@nobody\"]\n"), good + "allow = [\"text\"]\n",
        good + "keep = \"long\"\n", good + "subject = \"x\"\n", good + "[[spool]]\n" + good,
        good + "[[folder]]\npath = \"/srv/a\"\n");
    CAPTURE(bad);
    Home::write(home.file, "[[spool]]\n" + bad);
    const auto refused = home.read();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail.contains("line "));
}
