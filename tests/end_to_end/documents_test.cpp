// Goal: everything that the documents tell an administrator to write or to type is accepted by the
// programs.
// Method: the example configuration is given to fieldpostd with every key in use; the manual pages
// are compared with --help of every command, in both directions.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "tests/end_to_end/offices.h"

using namespace fieldpost::end_to_end;

namespace {

const std::filesystem::path deploy = std::filesystem::path(FIELDPOST_SOURCE_DIR) / "deploy";

// "#key = value" is a key that is not in use, "# words" is a comment.
std::string with_every_key(const std::string& example) {
    std::string text;
    std::istringstream lines(example);
    for (std::string line; std::getline(lines, line);) {
        const bool is_key = line.size() > 1 && line[0] == '#' && line[1] != ' ';
        text += (is_key ? line.substr(1) : line) + '\n';
    }
    return text;
}

Ran check(const std::filesystem::path& home, const std::string& configuration) {
    write_file(home / "fieldpost.toml", configuration);
    return run({.words = {FIELDPOSTD_BIN, "--home", home.string(), "--check"}});
}

// The names (a-z, and - inside) that stand right behind `mark`.
std::set<std::string> names_after(std::string_view mark, std::string_view text) {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
    std::set<std::string> all;
    for (auto at = text.find(mark); at != std::string_view::npos; at = text.find(mark, at + 1)) {
        const auto rest = text.substr(at + mark.size());
        if (!rest.empty() && letters.contains(rest[0])) {
            const auto end = rest.find_first_not_of("abcdefghijklmnopqrstuvwxyz-");
            all.emplace(rest.substr(0, end));
        }
    }
    return all;
}

std::set<std::string> options_in_help(const std::string& program, Words command) {
    command.insert(command.begin(), program);
    command.emplace_back("--help");
    const auto help = run({.words = command});
    REQUIRE(help.exit_code == 0);
    auto options = names_after(" --", help.out);
    options.merge(names_after(",--", help.out));
    return options;
}

std::set<std::string> options_in_manual(const std::string& page) {
    return names_after("Fl -", page);
}

}  // namespace

TEST_CASE("the example configuration is accepted with every key in use", "[end_to_end]") {
    const fieldpost::tests::TemporaryFolder home;
    const auto example = read_file(deploy / "fieldpost.toml");
    const auto full = with_every_key(example);
    const auto as_shipped = check(home.path(), example);
    CAPTURE(as_shipped);
    CHECK(as_shipped.exit_code == 0);
    const auto all_keys = check(home.path(), full);
    CAPTURE(all_keys);
    CHECK(all_keys.exit_code == 0);
    for (const auto* key :
         {"listen = ", "advertise = ", "[[peer]]", "beacon = ", "quiet = ", "proxy = ",
          "rate_limit = ", "daily_limit = ", "window = ", "outside_window = ", "carry = true",
          "[[folder]]", "path = ", "for = ", "read_only = ", "[limits]",
          "store = ", "carry = \""}) {
        CAPTURE(key);
        CHECK(full.find('\n' + std::string(key)) != std::string::npos);
    }
    // The manual names the same keys.
    const auto page = read_file(deploy / "man" / "fieldpostd.8");
    std::istringstream lines(full);
    for (std::string line; std::getline(lines, line);) {
        const auto key = line.substr(0, line.find(" = "));
        if (!key.empty() && key[0] != '#') {
            CAPTURE(key);
            CHECK((page.find(".It Li " + key) != std::string::npos ||
                   page.find(".Li " + key + " ") != std::string::npos));
        }
    }
    // A key that no release has yet, and a misspelt key, are each named as such.
    CHECK(check(home.path(), "[retention]\nsent = \"30d\"\n").err.find("not in this release") !=
          std::string::npos);
    CHECK(check(home.path(), "[[peer]]\nadress = \"tcp://h:1\"\n")
              .err.find("adress is not a key of a peer") != std::string::npos);
    // Were --check to look at nothing, this would pass too.
    CHECK(check(home.path(), "listens = []\n" + full).exit_code == 6);
}

TEST_CASE("what is installed comes with the two targets that the operator's page builds",
          "[end_to_end]") {
    const std::filesystem::path build = FIELDPOST_BUILD_DIR;
    CHECK(read_file(deploy / "README.md").find("--target fieldpost fieldpostd\n") !=
          std::string::npos);
    const auto commands = run(
        {.words = {"/usr/bin/ninja", "-C", build, "-t", "commands", "fieldpost", "fieldpostd"}});
    REQUIRE(commands.exit_code == 0);
    const fieldpost::tests::TemporaryFolder prefix;
    const auto installed =
        run({.words = {"/usr/bin/cmake", "--install", build, "--prefix", prefix.path().string()}});
    CAPTURE(installed);
    REQUIRE(installed.exit_code == 0);
    for (const auto* file :
         {"bin/fieldpost", "bin/fieldpostd", "lib/systemd/system/fieldpost.service",
          "lib/sysusers.d/fieldpost.conf", "share/man/man1/fieldpost.1", "bin/fieldpost-sink",
          "lib/systemd/system/fieldpost-sink.service", "share/man/man1/fieldpost-sink.1",
          "share/man/man8/fieldpostd.8", "share/bash-completion/completions/fieldpost",
          "share/zsh/site-functions/_fieldpost",
          "share/fish/vendor_completions.d/fieldpost.fish"}) {
        CAPTURE(file);
        CHECK(std::filesystem::exists(prefix.path() / file));
    }
    // A generated file must be made by one of these commands: a complete build hides that.
    for (const auto* made :
         {"completions/fieldpost.bash", "completions/_fieldpost", "completions/fieldpost.fish"}) {
        CAPTURE(made);
        CHECK(commands.out.find(made) != std::string::npos);
    }
}

TEST_CASE("the example configuration says the store's true default", "[end_to_end]") {
    Network network;
    const auto limit = number_in(network.found().ask({"status"}), "/store/limit_bytes");
    const auto full = with_every_key(read_file(deploy / "fieldpost.toml"));
    CHECK(full.find(fmt::format("\nstore = \"{}GiB\"\n", limit >> 30)) != std::string::npos);
}

TEST_CASE("the manual names every option that there is, and no other", "[end_to_end]") {
    const auto page = read_file(deploy / "man" / "fieldpost.1");
    const auto help = run({.words = {FIELDPOST_BIN, "--help"}});
    auto options = options_in_help(FIELDPOST_BIN, {});
    const auto commands = names_after("\n  ", help.out);
    CHECK(commands.size() > 10);
    for (const auto& command : commands) {
        CAPTURE(command);
        CHECK(page.find("Cm " + command) != std::string::npos);
        options.merge(options_in_help(FIELDPOST_BIN, {command}));
        const auto own = run({.words = {FIELDPOST_BIN, command, "--help"}});
        const auto below = own.out.find("Subcommands:");
        if (below == std::string::npos) {
            continue;
        }
        for (const auto& word : names_after("\n  ", own.out.substr(below))) {
            CAPTURE(word);
            CHECK(page.find("Cm " + command + " Cm " + word) != std::string::npos);
            options.merge(options_in_help(FIELDPOST_BIN, {command, word}));
        }
    }
    CHECK(options_in_manual(page) == options);
    CHECK(options_in_manual(read_file(deploy / "man" / "fieldpostd.8")) ==
          options_in_help(FIELDPOSTD_BIN, {}));
    CHECK(options_in_manual(read_file(deploy / "man" / "fieldpost-sink.1")) ==
          options_in_help(FIELDPOST_SINK_BIN, {}));
}
