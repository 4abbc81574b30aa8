// fieldpost: the command that staff use. Its surface is a contract that outside scripts rely on.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstring>

#include "cli/command.h"
#include "cli/text.h"
#include "crypto/office_home.h"
#include "crypto/secret.h"
#include "proto/report.h"

namespace {

using namespace fieldpost::cli;

void add_commands(CLI::App& app, const Common& common, Run& run) {
    const auto group = [&](const char* name, auto... add) {
        (add(app, common, run), ...);
        for (auto* command : app.get_subcommands({})) {
            if (command->get_group() == "Subcommands") {
                command->group(name);
            }
        }
    };
    group("Reports", add_queue, add_list, add_show, add_ack, add_trace, add_wait);
    group("Does it work?", add_status, add_peers, add_attention);
    group("The network", add_init, add_invite, add_join, add_roster);
}

// An option may be wrong before --json is read.
bool asks_for_json(int argc, char* argv[]) {
    for (int i = 1; i < argc && std::strcmp(argv[i], "--") != 0; ++i) {
        if (std::strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

// What is given on the command line ends up in reports, and those are UTF-8.
bool all_utf8(int argc, char* argv[]) {
    return std::all_of(argv, argv + argc,
                       [](const char* word) { return fieldpost::is_valid_utf8(word); });
}

std::string one_line(std::string words) {
    while (!words.empty() && words.back() == '\n') {
        words.pop_back();
    }
    std::ranges::replace(words, '\n', ' ');
    return words;
}

}  // namespace

int main(int argc, char* argv[]) {
    CLI::App app{"Reports that arrive, from offices that are rarely online.", "fieldpost"};
    app.set_version_flag("--version", "fieldpost " FIELDPOST_VERSION);
    app.fallthrough();
    app.require_subcommand(0, 1);
    Common common;
    common.home = fieldpost::crypto::default_home();
    std::string timeout;
    std::string color = "auto";
    app.add_option("--home", common.home, "the office's own folder");
    app.add_flag("--json", common.json, "machine output: one JSON document");
    app.add_option("--timeout", timeout, "how long the daemon may stay silent: 10s");
    app.add_flag("--quiet", common.quiet, "no words on standard error but errors");
    app.add_option("--color", color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    app.footer("Help on one: fieldpost queue --help");

    if (!all_utf8(argc, argv)) {
        common.json = asks_for_json(argc, argv);
        return report(common, {exit_invalid, "invalid", "an argument is not UTF-8",
                               "use a terminal with a UTF-8 locale"});
    }
    Run run;
    add_commands(app, common, run);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) {
            return app.exit(error);  // help, version
        }
        common.json = asks_for_json(argc, argv);
        const auto chosen = app.get_subcommands();
        return report(common, {exit_usage, "usage", one_line(error.what()),
                               chosen.empty() ? "see: fieldpost --help"
                                              : fmt::format("see: fieldpost {} --help",
                                                            chosen.front()->get_name())});
    }
    if (!run) {
        fmt::print("{}", app.help());
        return exit_usage;
    }
    if (!timeout.empty()) {
        const auto seconds = parse_duration(timeout);
        if (!seconds || *seconds == 0) {
            return report(common, {exit_usage, "usage", fmt::format("{} is no duration", timeout),
                                   "write it as 30s or 15min"});
        }
        common.timeout_s = *seconds;
    }
    common.color = color_of(color);
    fieldpost::crypto::start();
    return run();
}
