// fieldpost: the command that staff use. Its surface is a contract that outside scripts rely on.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "crypto/secret.h"

namespace {

using namespace fieldpost::cli;

std::filesystem::path default_home() {
    if (const char* home = std::getenv("FIELDPOST_HOME"); home != nullptr && *home != '\0') {
        return home;
    }
    std::error_code ignored;
    if (std::filesystem::exists("/var/lib/fieldpost", ignored)) {
        return "/var/lib/fieldpost";
    }
    if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0') {
        return std::filesystem::path(data) / "fieldpost";
    }
    const char* user = std::getenv("HOME");
    return std::filesystem::path(user == nullptr ? "/" : user) / ".local/share/fieldpost";
}

}  // namespace

int main(int argc, char* argv[]) {
    CLI::App app{"Reports that arrive, from offices that are rarely online."};
    app.set_version_flag("--version", "fieldpost " FIELDPOST_VERSION);
    app.fallthrough();
    app.require_subcommand(0, 1);
    Common common;
    common.home = default_home();
    app.add_option("--home", common.home, "the office's own folder");
    app.add_flag("--json", common.json, "machine output: one JSON document");
    app.add_option("--timeout", common.timeout_s, "seconds the daemon may stay silent");

    Run run;
    add_queue(app, common, run);
    add_list(app, common, run);
    add_show(app, common, run);
    add_ack(app, common, run);
    add_trace(app, common, run);
    add_status(app, common, run);
    add_peers(app, common, run);
    add_init(app, common, run);
    add_invite(app, common, run);
    add_join(app, common, run);
    add_roster(app, common, run);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? exit_done : exit_usage;
    }
    if (!run) {
        fmt::print("{}", app.help());
        return exit_usage;
    }
    fieldpost::crypto::start();
    return run();
}
