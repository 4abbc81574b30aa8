// invite, revoke and block: who belongs to the network, and with whom this machine deals.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/words.h"
#include "crypto/invite.h"
#include "daemon/home/office_home.h"
#include "proto/control.pb.h"
#include "proto/duration_text.h"

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

// A person sees which machine this ends, and types the name. `replaced`: a new machine follows.
Outcome<void> confirm_on_terminal(const wire::Revocation& about, bool replaced) {
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
        line("",
             replaced
                 ? "Later reports of the old machine do not count, also those that are still "
                   "on the way. To let more count, later: fieldpost revoke, with --keep and "
                   "an ID of the old machine"
                 : "Later reports do not count: offices that carry them throw them away. If later "
                   "ones are known to be right, stop here, and give their IDs with --keep");
        line("",
             replaced ? "The old machine can never come back." : "The office can never come back.");
    }
    fmt::print(stderr, "Type its name to {}: ",
               about.state() == "revoked" ? "set anew what stays valid of this machine"
               : replaced                 ? "cut the old machine off"
                                          : "cut it off");
    std::string typed;
    std::getline(std::cin, typed);
    if (typed != about.office()) {
        return std::unexpected(Failure{
            exit_failed, "not_confirmed",
            about.state() == "revoked" ? fmt::format("nothing of {} was changed", about.office())
                                       : fmt::format("{} was not cut off", about.office()),
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
        if (const auto confirmed = confirm_on_terminal(*about, false); !confirmed) {
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
            "{}\nstays valid: {}",
            done->state() == "revoked"
                ? fmt::format("{} was cut off before; what stays valid is set anew", done->office())
                : done->office() + " is cut off",
            std::string_view(wrapped(marks_in_words(*done), terminal_width(), 13)).substr(13));
    }
    if (!common.json && !common.quiet && done->state() != "invited") {
        fmt::print(stderr,
                   "The news goes by link and by stick: telephone offices that are away.\n");
    }
    return exit_done;
}

struct InviteOptions {
    std::string office;
    std::string role;  // empty: not given
    std::string valid = "30d";
    bool replace = false;
    bool no_code = false;
    std::string output;
};

Outcome<void> check_output(const std::filesystem::path& path) {
    std::error_code error;
    const auto folder = std::filesystem::absolute(path).parent_path();
    if (!std::filesystem::is_directory(folder, error)) {
        return std::unexpected(Failure{exit_not_found, "not_found",
                                       fmt::format("there is no folder {}", folder.string()),
                                       "choose another with --output; nobody was invited"});
    }
    if (std::filesystem::exists(path, error)) {
        return std::unexpected(
            Failure{exit_refused, "refused", fmt::format("{} is there already", path.string()),
                    "delete it if it is to be replaced, or choose another with --output; "
                    "nobody was invited"});
    }
    if (::access(folder.c_str(), W_OK) != 0) {
        return std::unexpected(Failure{exit_refused, "no_access",
                                       fmt::format("cannot write in {}", folder.string()),
                                       "choose another with --output; nobody was invited"});
    }
    return {};
}

// Before a machine is cut off that may still be in use, a person on a terminal sees it. Nothing: no
// machine is cut off, or nobody sits there.
Outcome<std::optional<wire::Revocation>> look_at_old_machine(const Common& common,
                                                             const InviteOptions& options) {
    std::optional<wire::Revocation> seen;
    if (!options.replace || isatty(STDIN_FILENO) == 0) {
        return seen;
    }
    wire::Request request;
    request.mutable_invite()->set_office(options.office);
    request.mutable_invite()->set_valid_s(1);
    request.mutable_invite()->set_replace(true);
    request.mutable_invite()->set_only_look(true);
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer); !asked) {
        return std::unexpected(asked.error());
    }
    if (!answer.revocation().office().empty()) {
        if (const auto confirmed = confirm_on_terminal(answer.revocation(), true); !confirmed) {
            return std::unexpected(confirmed.error());
        }
        seen = answer.revocation();
    }
    return seen;
}

int run_invite(const Common& common, const InviteOptions& options) {
    const auto valid = parse_duration(options.valid);
    if (!valid || *valid == 0) {
        return report(common, no_duration(options.valid));
    }
    const auto path = options.output.empty() ? options.office + ".invite" : options.output;
    // Checked before anything is signed. Otherwise an office could be invited without an invitation
    // file, and would be lost.
    if (const auto usable = check_output(path); !usable) {
        return report(common, usable.error());
    }
    const auto seen = look_at_old_machine(common, options);
    if (!seen) {
        return report(common, seen.error());
    }
    wire::Request request;
    auto& wanted = *request.mutable_invite();
    wanted.set_office(options.office);
    wanted.set_role(role_of(options.role.empty() ? "field" : options.role));
    wanted.set_valid_s(*valid);
    wanted.set_replace(options.replace);
    if (*seen) {
        *wanted.mutable_seen() = (*seen)->kept();
        wanted.set_has_seen(true);
    }
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer, Asking::to_change); !asked) {
        return report(common, asked.error());
    }
    const auto invite = crypto::decode_invite_content(as_bytes(answer.invitation().content()));
    if (!invite) {
        return report(common, failure_of(invite.error()));
    }
    const auto code = options.no_code ? "" : crypto::random_invite_code();
    const auto file = crypto::seal_invite(*invite, code);
    if (!file) {
        return report(common, failure_of(file.error()));
    }
    if (const auto written = home::write_whole(std::filesystem::absolute(path), *file, 0600);
        !written) {
        auto failure = failure_of(written.error());
        if (answer.invitation().has_cut_off()) {
            failure.what += "; the old machine is cut off already";
        }
        failure.next =
            "type the same command again, perhaps with another --output: it makes a new invitation";
        return report(common, failure);
    }
    if (common.json) {
        nlohmann::ordered_json object = {
            {"office", options.office},
            {"file", path},
            {"code", code.empty() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(code)},
            {"expires_at", rfc3339(answer.invitation().expires_unix_s())}};
        if (options.replace) {
            const auto& kept = answer.invitation().kept();
            object["cut_off"] = answer.invitation().has_cut_off();
            object["kept"] = std::vector<std::string>(kept.begin(), kept.end());
        }
        fmt::print("{}\n", json_text(object));
    } else {
        if (!code.empty()) {
            fmt::print("{}\n", code);
        }
    }
    if (!common.json && !common.quiet) {
        if (answer.invitation().is_anew()) {
            fmt::print(stderr, "The earlier invitation of {} is good for nothing now.\n",
                       options.office);
        }
        if (answer.invitation().has_cut_off()) {
            wire::Revocation about;
            *about.mutable_kept() = answer.invitation().kept();
            fmt::print(
                stderr, "The old machine of {} is cut off\nstays valid: {}", options.office,
                std::string_view(wrapped(marks_in_words(about), terminal_width(), 13)).substr(13));
        }
        fmt::print(stderr, "wrote     {}\n{}", path,
                   code.empty()
                       ? "It opens without a code: keep it as you would a key.\n"
                       : "Tell the code by voice; on the new machine: fieldpost join FILE\n");
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

void add_invite(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand(
        "invite", "on the authority: invite a new office, or an office on a new machine");
    auto options = std::make_shared<InviteOptions>();
    command->add_option("OFFICE", options->office, "its name")->required();
    auto* role = command->add_option("--role", options->role, "field, relay or hq; default field")
                     ->check(CLI::IsMember({"field", "relay", "hq"}));
    command->add_option("--valid", options->valid, "how long the invitation is good");
    command
        ->add_flag("--replace", options->replace,
                   "the office on a new machine, with its role; the old machine is cut off")
        ->excludes(role);
    command->add_flag("--no-code", options->no_code, "a file that opens without a code");
    command->add_option("--output", options->output, "the file; default OFFICE.invite");
    command->footer(
        "With --replace every office sends again, to the new machine, what the old one is not "
        "known\n"
        "to have. Reports of the new machine have IDs such as hyesan.2-1.\n"
        "Example: fieldpost invite hyesan --role field\n"
        "Example: fieldpost invite hyesan --replace");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_invite(common, *options); };
    });
}

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
