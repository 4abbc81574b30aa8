// continue: a person says that this copy of the office goes on, and no other.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/text.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

Outcome<wire::Continuation> ask_to_continue(const Common& common, bool only_look) {
    wire::Request request;
    request.mutable_continue_here()->set_only_look(only_look);
    wire::Answer answer;
    if (auto asked = ask(common, request, answer, only_look ? Asking::to_see : Asking::to_change);
        !asked) {
        return std::unexpected(asked.error());
    }
    return answer.continuation();
}

Outcome<void> confirm_on_terminal(const wire::Continuation& about) {
    const auto words = fmt::format(
        "On {}, another office had reports of this office that this machine does not have. Its "
        "home "
        "was put back from a copy, or another machine runs a copy of it. First export what only "
        "the other machine has. Then switch it off, for good. Then go on here.",
        local_time(about.caught_unix_s()));
    fmt::print(stderr, "{}", wrapped(words, terminal_width(), 0));
    if (about.is_authority()) {
        fmt::print(stderr, "{}",
                   wrapped("This is the authority. If it invited or cut off anybody after the copy "
                           "was made, let it meet two other offices instead: otherwise the network "
                           "has two rosters, and no change counts any more.",
                           terminal_width(), 0));
    }
    fmt::print(stderr, "Type the name of this office to go on here: ");
    std::string typed;
    std::getline(std::cin, typed);
    if (typed != about.office()) {
        return std::unexpected(Failure{exit_failed, "not_confirmed", "nothing has changed",
                                       "type the name, exactly as fieldpost status shows it"});
    }
    return {};
}

int run_continue(const Common& common) {
    if (isatty(STDIN_FILENO) != 0) {
        const auto about = ask_to_continue(common, true);
        if (!about) {
            return report(common, about.error());
        }
        if (const auto confirmed = confirm_on_terminal(*about); !confirmed) {
            return report(common, confirmed.error());
        }
    }
    const auto done = ask_to_continue(common, false);
    if (!done) {
        return report(common, done.error());
    }
    if (common.json) {
        const nlohmann::ordered_json object = {{"office", done->office()},
                                               {"incarnation", done->incarnation()}};
        fmt::print("{}\n", json_text(object));
    } else if (!common.quiet) {
        fmt::print(stderr, "{0} goes on here. Its new reports have IDs such as {0}.{1}-1.\n",
                   done->office(), done->incarnation());
    }
    return exit_done;
}

}  // namespace

void add_continue(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("continue", "this copy of the office goes on, no other");
    command->footer(
        "For an office whose home was put back from a copy twice, or runs on two machines; see:\n"
        "fieldpost attention. Switch every other copy off first, for good.\n"
        "Example: fieldpost continue");
    command->callback([&common, &run] { run = [&common] { return run_continue(common); }; });
}

}  // namespace fieldpost::cli
