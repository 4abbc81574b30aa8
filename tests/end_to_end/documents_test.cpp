// Goal: what an administrator is told to write or to type is what the programs take.
// Method: the example configuration is given to fieldpostd with every key in use; the manual pages
// are compared with --help of every command, in both directions.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <regex>
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

std::set<std::string> found_in(const std::string& text, const char* pattern) {
    const std::regex regex(pattern);
    std::set<std::string> all;
    for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) {
        all.insert((*at)[1].str());
    }
    return all;
}

std::set<std::string> options_in_help(const std::string& program, Words command) {
    command.insert(command.begin(), program);
    command.emplace_back("--help");
    const auto help = run({.words = command});
    REQUIRE(help.exit_code == 0);
    return found_in(help.out, "(?:^|[\n, ])--([a-z][a-z-]*)");
}

std::set<std::string> options_in_manual(const std::string& page) {
    return found_in(page, "Fl -([a-z][a-z-]*)");
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
         {"listen = ", "advertise = ", "[[peer]]", "[limits]", "store = ", "carry = "}) {
        CAPTURE(key);
        CHECK(full.find('\n' + std::string(key)) != std::string::npos);
    }
    // Were --check to look at nothing, this would pass too.
    CHECK(check(home.path(), "listens = []\n" + full).exit_code == 6);
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
    const auto commands = found_in(help.out, "\n  ([a-z]+) +[a-z]");
    CHECK(commands.size() > 10);
    for (const auto& command : commands) {
        CAPTURE(command);
        CHECK(page.find("Cm " + command) != std::string::npos);
        options.merge(options_in_help(FIELDPOST_BIN, {command}));
    }
    CHECK(options_in_manual(page) == options);
    CHECK(options_in_manual(read_file(deploy / "man" / "fieldpostd.8")) ==
          options_in_help(FIELDPOSTD_BIN, {}));
}
