// fieldpost: the command that staff use. Its interface is a contract that outside scripts rely on.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "cli/command.h"
#include "cli/text.h"
#include "crypto/secret.h"
#include "daemon/home/office_home.h"
#include "proto/duration_text.h"
#include "proto/report.h"

namespace fieldpost::cli {

// Each stands in a file of its own, or with those that are like it.
AddCommand add_ack, add_attention, add_block, add_bundle, add_completion, add_continue,
    add_coverage, add_export, add_forget, add_init, add_invite, add_join, add_list, add_peers,
    add_queue, add_revoke, add_roster, add_show, add_spool, add_status, add_sync, add_trace,
    add_wait, add_watch, add_withdraw;

}  // namespace fieldpost::cli

namespace {

using namespace fieldpost;
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
    group("Reports", add_queue, add_list, add_show, add_ack, add_withdraw, add_trace, add_wait,
          add_forget);
    group("Headquarters", add_export, add_coverage);
    group("Does it work?", add_status, add_peers, add_attention, add_watch, add_sync);
    group("By hand", add_bundle, add_spool);
    group("The network", add_init, add_invite, add_join, add_roster, add_revoke, add_block,
          add_continue);
    group("Besides", add_completion);
}

// An option may be wrong before --json is parsed.
bool asks_for_json(int argc, char* argv[]) {
    for (int i = 1; i < argc && std::strcmp(argv[i], "--") != 0; ++i) {
        if (std::strcmp(argv[i], "--json") == 0) {
            return true;
        }
    }
    return false;
}

// Opens standard streams that the caller closed. Otherwise a file or socket of ours would get such
// a number, and be written to.
void hold_standard_streams() {
    int fd = 0;
    do {
        fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    ::close(fd);
}

// An option without its value is most often a script variable that was not set.
std::string empty_option(const CLI::App& app) {
    constexpr std::array<std::string_view, 4> may_be_empty = {"--subject", "--staff", "--note",
                                                              "--code"};
    for (const auto* option : app.get_options()) {
        const auto name = option->get_name();
        if (std::ranges::find(may_be_empty, name) != may_be_empty.end()) {
            continue;
        }
        for (const auto& value : option->results()) {
            if (value.empty()) {
                return name;
            }
        }
    }
    for (const auto* chosen : app.get_subcommands()) {
        if (auto name = empty_option(*chosen); !name.empty()) {
            return name;
        }
    }
    return {};
}

// Commands that the manual announces. A person who types one has made no mistake.
bool is_planned(std::string_view command) {
    constexpr std::array<std::string_view, 8> planned = {"doctor", "passphrase", "lock", "unlock",
                                                         "backup", "restore",    "wipe", "retire"};
    return std::ranges::find(planned, command) != planned.end();
}

std::string words_of(const CLI::ParseError& error, const CLI::App& app) {
    std::string words = error.what();
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && app.get_subcommands().empty()) {
        const auto command = words.substr(words.rfind(' ') + 1);
        return is_planned(command) ? fmt::format("{} is not in this release", command)
                                   : fmt::format("there is no command {}", command);
    }
    const auto chosen = app.get_subcommands();
    if (words == "A subcommand is required" && !chosen.empty()) {
        std::vector<std::string> names;
        for (const auto* below : chosen.front()->get_subcommands({})) {
            names.push_back(below->get_name());
        }
        return fmt::format("{} needs one of {}", chosen.front()->get_name(),
                           fmt::join(names, ", "));
    }
    if (const auto at = words.find(": At Most 1 required"); at != std::string::npos) {
        return words.substr(0, at) + " may be given once";
    }
    return words;
}

int run_and_check_output(const Common& common, const Run& run) {
    int code = exit_failed;
    try {
        code = run();
        if (code != exit_done || (std::fflush(stdout) == 0 && std::ferror(stdout) == 0)) {
            return code;
        }
    } catch (const std::system_error&) {
        // fmt could not write; errno still says why.
    }
    const int why = errno;
    return report(common, {why == ENOSPC ? exit_no_space : exit_failed, "output",
                           fmt::format("the output could not be written: {}", std::strerror(why)),
                           "write it elsewhere; what was asked is done"});
}

// Arguments go into reports, and reports are UTF-8.
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
    hold_standard_streams();
    CLI::App app{"Reports that arrive, from offices that are rarely online.", "fieldpost"};
    app.set_version_flag("--version", "fieldpost " FIELDPOST_VERSION);
    app.fallthrough();
    app.require_subcommand(0, 1);
    Common common;
    common.home = fieldpost::home::default_home();
    std::string timeout;
    std::string color = "auto";
    app.add_option("--home", common.home, "the office's own folder");
    app.add_flag("--json", common.json, "machine output: one JSON document");
    app.add_option("--timeout", timeout, "how long the daemon may stay silent: 10s");
    app.add_flag("--quiet", common.quiet, "no words on standard error but errors and warnings");
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
        return report(common, {exit_usage, "usage", one_line(words_of(error, app)),
                               chosen.empty() ? "see: fieldpost --help"
                                              : fmt::format("see: fieldpost {} --help",
                                                            chosen.front()->get_name())});
    }
    if (!run) {
        fmt::print("{}", app.help());
        return exit_usage;
    }
    if (const auto name = empty_option(app); !name.empty()) {
        return report(common, {exit_invalid, "invalid", fmt::format("{} has no value", name),
                               "give it one, or leave it out"});
    }
    if (!timeout.empty()) {
        const auto seconds = parse_duration(timeout);
        if (!seconds || *seconds == 0) {
            return report(common, no_duration(timeout));
        }
        common.timeout_s = *seconds;
        common.has_timeout = true;
    }
    common.color = color_of(color);
    fieldpost::crypto::start();
    return run_and_check_output(common, run);
}
