// revoke and block: an office that nobody, or that this machine, deals with any more.
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

struct RevokeOptions {
    std::string office;
    std::string reason;
    std::vector<std::string> keep;
};

// `seen`: what a person was shown, and confirmed.
Outcome<wire::Revocation> ask_to_revoke(const Common& common, const RevokeOptions& options,
                                        bool only_look, const wire::Revocation* seen = nullptr) {
    wire::Request request;
    auto& revoke = *request.mutable_revoke();
    revoke.set_office(options.office);
    revoke.set_reason(options.reason);
    for (const auto& id : options.keep) {
        revoke.add_keep(id);
    }
    revoke.set_only_look(only_look);
    if (seen != nullptr) {
        *revoke.mutable_seen() = seen->kept();
        revoke.set_has_seen(true);
    }
    wire::Answer answer;
    if (auto asked = ask(common, request, answer, only_look ? Asking::to_see : Asking::to_change);
        !asked) {
        return std::unexpected(asked.error());
    }
    return answer.revocation();
}

std::string marks_in_words(const wire::Revocation& about) {
    return about.kept().empty()
               ? "nothing: no report of it is known here"
               : fmt::format("its reports up to {}", fmt::join(about.kept(), ", "));
}

// A person sees whom this ends, and types the name.
Outcome<void> confirm_on_terminal(const wire::Revocation& about) {
    const auto line = [](std::string_view label, const std::string& words) {
        fmt::print(stderr, "{}{}", padded(label, 13),
                   std::string_view(wrapped(words, terminal_width(), 13)).substr(13));
    };
    line("office", fmt::format("{}, {}", about.office(), about.state()));
    if (about.state() == "invited") {
        line("", "its invitation ends; it has sent nothing yet");
    } else {
        line("fingerprint", about.fingerprint());
        line("last news", about.heard_unix_s() == 0
                              ? "never"
                              : fmt::format("{}, {} ago", local_time(about.heard_unix_s()),
                                            human_length(unix_now() - about.heard_unix_s())));
        line("stays valid", marks_in_words(about));
        line("", "Later reports do not count. To move a mark: --keep ID");
        line("", "The office can never come back. Its marks can be moved later.");
    }
    fmt::print(stderr, "Type its name to cut it off: ");
    std::string typed;
    std::getline(std::cin, typed);
    if (typed != about.office()) {
        return std::unexpected(Failure{exit_failed, "not_confirmed",
                                       fmt::format("{} was not cut off", about.office()),
                                       "type its name, exactly as it stands above"});
    }
    return {};
}

int run_revoke(const Common& common, const RevokeOptions& options) {
    std::optional<wire::Revocation> seen;
    if (isatty(STDIN_FILENO) != 0) {
        auto about = ask_to_revoke(common, options, true);
        if (!about) {
            return report(common, about.error());
        }
        if (const auto confirmed = confirm_on_terminal(*about); !confirmed) {
            return report(common, confirmed.error());
        }
        seen = std::move(*about);
    }
    const auto done = ask_to_revoke(common, options, false, seen ? &*seen : nullptr);
    if (!done) {
        return report(common, done.error());
    }
    if (common.json) {
        const nlohmann::ordered_json object = {
            {"office", done->office()},
            {"roster_version", done->roster_version()},
            {"kept", std::vector<std::string>(done->kept().begin(), done->kept().end())}};
        fmt::print("{}\n", json_text(object));
    } else if (done->state() == "invited") {
        fmt::print("the invitation of {} is cancelled\n", done->office());
    } else {
        fmt::print(
            "{} is cut off\nstays valid: {}", done->office(),
            std::string_view(wrapped(marks_in_words(*done), terminal_width(), 13)).substr(13));
    }
    if (!common.json && !common.quiet && done->state() != "invited") {
        fmt::print(stderr,
                   "The news goes by link and by stick: telephone offices that are away.\n");
    }
    return exit_done;
}

int run_block(const Common& common, const std::string& office, bool undo) {
    wire::Request request;
    request.mutable_block()->set_office(office);
    request.mutable_block()->set_undo(undo);
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer, Asking::to_change); !asked) {
        return report(common, asked.error());
    }
    if (common.json) {
        const nlohmann::ordered_json object = {{"office", office}, {"blocked", !undo}};
        fmt::print("{}\n", json_text(object));
    } else if (!common.quiet) {
        fmt::print(stderr, "{} is {}\n", office,
                   undo ? "not blocked on this machine any more"
                        : "blocked on this machine. Other offices do not know of it: telephone "
                          "them and the authority");
    }
    return exit_done;
}

}  // namespace

void add_revoke(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("revoke", "on the authority: cut an office off, for good");
    auto options = std::make_shared<RevokeOptions>();
    command->add_option("OFFICE", options->office, "its name")->required();
    command
        ->add_option("--reason", options->reason,
                     "all offices read it, also the one that is cut off: name no people")
        ->required();
    command->add_option("--keep", options->keep, "an ID: the last report of its kind that counts")
        ->allow_extra_args(false);
    command->footer(
        "Reports that this office knows of stay valid, and still arrive. Later ones do not count.\n"
        "Example: fieldpost revoke hyesan --reason 'taken at a border'");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_revoke(common, *options); };
    });
}

void add_block(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("block", "have nothing to do with an office, at once");
    auto office = std::make_shared<std::string>();
    auto undo = std::make_shared<bool>(false);
    command->add_option("OFFICE", *office, "its name")->required();
    command->add_flag("--undo", *undo, "deal with it again, and show what it wrote meanwhile");
    command->footer(
        "This machine alone: it does not link to that office, seals nothing to it, carries "
        "nothing\n"
        "new of it, and shows nothing that it writes, until --undo. What is on its way to that\n"
        "office goes on. For everybody, the authority types: fieldpost revoke.\n"
        "Example: fieldpost block hyesan");
    command->callback([&common, &run, office, undo] {
        run = [&common, office, undo] { return run_block(common, *office, *undo); };
    });
}

}  // namespace fieldpost::cli
