// init and join: they make a network, and turn a new machine into an office of it.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/words.h"
#include "crypto/invite.h"
#include "crypto/register_seal.h"
#include "crypto/roster.h"
#include "daemon/home/office_home.h"
#include "proto/control.pb.h"
#include "proto/duration_text.h"
#include "proto/limits.h"
#include "proto/office_statement.h"
#include "proto/report.h"

namespace fieldpost::cli {

namespace {

constexpr std::size_t invite_bytes_max = 16U << 20;
constexpr std::uint16_t first_epoch = 1;

WallTime now() {
    return WallTime::from_unix(unix_now());
}

Incarnation new_incarnation(std::uint16_t ordinal) {
    Incarnation incarnation{ordinal, 0};
    crypto::fill_random(std::as_writable_bytes(std::span(&incarnation.random, 1)));
    return incarnation;
}

crypto::MailKeys new_mail_keys() {
    auto mail = crypto::MailKeys::random();
    mail.prekeys.emplace(first_epoch, crypto::BoxKeyPair::random());
    return mail;
}

struct Links {
    std::vector<std::string> listen;
    std::vector<std::string> advertise;
};

void add_links(CLI::App& command, Links& links) {
    command.add_option("--listen", links.listen, "address to listen on, tcp://*:6743")
        ->allow_extra_args(false);
    command
        .add_option("--advertise", links.advertise,
                    "address at which others reach this office; may be repeated")
        ->allow_extra_args(false);
}

Outcome<void> check_links(const Links& links) {
    for (const auto& endpoint : links.listen) {
        if (!is_listen_endpoint(endpoint)) {
            return std::unexpected(Failure{exit_invalid, "invalid",
                                           fmt::format("{} is no address to listen on", endpoint),
                                           "write it as tcp://*:6743"});
        }
    }
    for (const auto& endpoint : links.advertise) {
        if (!is_endpoint(endpoint)) {
            return std::unexpected(Failure{exit_invalid, "invalid",
                                           fmt::format("{} is no address", endpoint),
                                           "write it as tcp://HOST:PORT"});
        }
    }
    return {};
}

// Root makes the office for the owner of the folder, because that user runs its daemon.
void become_owner_of(const std::filesystem::path& home) {
    struct stat info{};
    if (::geteuid() == 0 && ::stat(home.c_str(), &info) == 0 && info.st_uid != 0 &&
        (::setegid(info.st_gid) != 0 || ::seteuid(info.st_uid) != 0)) {
        ensure(false, "root may become anybody");
    }
}

// Writes the options of the command line as the configuration that the daemon reads.
Result<void> write_configuration(const home::OfficeHome& home, const Links& links) {
    std::string text;
    const auto add = [&](std::string_view key, const std::vector<std::string>& values) {
        if (!values.empty()) {
            text += fmt::format("{} = [\"{}\"]\n", key, fmt::join(values, "\", \""));
        }
    };
    add("listen", links.listen);
    add("advertise", links.advertise);
    return home::write_whole(home.configuration(), as_bytes(text), 0640);
}

int print_office(const Common& common, const std::string& office, const std::string& network,
                 Incarnation incarnation, const std::string& fingerprint) {
    if (common.json) {
        const nlohmann::ordered_json object = {{"office", office},
                                               {"network", network},
                                               {"incarnation", incarnation.ordinal},
                                               {"fingerprint", fingerprint}};
        fmt::print("{}\n", json_text(object));
    } else {
        fmt::print("office       {}, network {}\nfingerprint  {}\n", office, safe_line(network),
                   fingerprint);
    }
    if (!common.json && !common.quiet) {
        fmt::print(stderr, "Start it now: {}\n", how_to_start(common.home));
    }
    return exit_done;
}

// --- init
// -----------------------------------------------------------------------------------------

struct InitOptions {
    std::string office;
    std::string network;
    Links links;
};

int run_init(const Common& common, const InitOptions& options) {
    const home::OfficeHome home(common.home);
    if (const auto checked = check_links(options.links); !checked) {
        return report(common, checked.error());
    }
    if (!is_office_name(options.office)) {
        return report(common, {exit_invalid, "invalid",
                               fmt::format("{} is no name for an office", options.office),
                               "use a-z, 0-9 and -, and nothing that looks like an ID"});
    }
    if (options.network.empty() || options.network.size() > limits::network_name_bytes_max ||
        has_control(options.network)) {
        return report(common, {exit_invalid, "invalid",
                               "the network's name has 1 to 64 bytes and no control character",
                               "choose another"});
    }
    become_owner_of(common.home);
    auto machine = crypto::MachineKeys::random(crypto::FoundingKey::random());
    auto mail = new_mail_keys();
    mail.authority = crypto::SigningKey::random();
    Founding founding;
    founding.network_name = options.network;
    founding.at = now();
    founding.founding_key_hash = crypto::founding_key_hash(machine.founding_key);
    founding = crypto::sign_founding(*mail.authority, founding);
    auto roster = crypto::Roster::found(founding);
    ensure(roster.has_value(), "what was just signed verifies");
    Admit admit;
    admit.role = Role::hq;
    admit.identity = machine.identity.public_key();
    admit.link = machine.link.public_key;
    admit.mail = mail.signing.public_key();
    admit.name = options.office;
    RosterChange change;
    change.at = now();
    change.statements = {admit};
    crypto::sign_change(*mail.authority, *roster, change);
    const home::OfficeIdentity identity{admit.index, new_incarnation(1), now()};
    if (const auto made = home.create(machine, mail, founding, identity, {{change}, {}}, {});
        !made) {
        return report(common, failure_of(made.error()));
    }
    if (const auto written = write_configuration(home, options.links); !written) {
        return report(common, failure_of(written.error()));
    }
    return print_office(
        common, options.office, options.network, identity.incarnation,
        crypto::fingerprint(roster->network(), admit.identity, admit.link, admit.mail));
}

// --- join
// -----------------------------------------------------------------------------------------

struct JoinOptions {
    std::string file;
    std::string code;
    Links links;
};

Outcome<std::string> code_for(const JoinOptions& options, BytesView file) {
    if (!options.code.empty() || !crypto::invite_needs_code(file)) {
        return options.code;
    }
    if (isatty(STDIN_FILENO) == 0) {
        return std::unexpected(
            Failure{exit_usage, "usage", "this invitation needs its code", "give it with --code"});
    }
    fmt::print(stderr, "Code: ");
    std::string code;
    std::getline(std::cin, code);
    return code;
}

int run_join(const Common& common, const JoinOptions& options) {
    const home::OfficeHome home(common.home);
    if (const auto checked = check_links(options.links); !checked) {
        return report(common, checked.error());
    }
    if (home.is_office()) {
        return report(common, {exit_refused, "refused",
                               fmt::format("an office lives in {} already", common.home.string()),
                               "choose another --home"});
    }
    const auto file = home::read_whole(options.file, invite_bytes_max);
    if (!file) {
        return report(common, failure_of(file.error()));
    }
    const auto code = code_for(options, *file);
    if (!code) {
        return report(common, code.error());
    }
    auto invite = crypto::open_invite(*file, *code);
    if (!invite) {
        const bool is_refused = invite.error().code == Errc::untrusted;
        return report(common,
                      {is_refused ? exit_refused : exit_invalid, is_refused ? "refused" : "invalid",
                       is_refused ? invite.error().detail
                                  : fmt::format("{} is no whole invitation", options.file),
                       is_refused ? "say the code again, or ask the authority for another file"
                                  : "ask the authority for the file again"});
    }
    auto roster = crypto::Roster::found(invite->founding);
    for (const auto& change : invite->roster) {
        if (const auto applied = roster->apply(change); !applied) {
            return report(common, failure_of(applied.error()));
        }
    }
    const auto* invited = roster->find(invite->index);
    if (invited == nullptr || invited->state != crypto::OfficeState::invited) {
        return report(common, {exit_invalid, "invalid", "this invitation is for nobody",
                               "ask the authority for another"});
    }
    if (invited->expires < now()) {
        return report(common, {exit_refused, "expired", "this invitation has expired",
                               "ask the authority for another"});
    }
    become_owner_of(common.home);
    const auto machine = crypto::MachineKeys::random(std::move(invite->founding_key));
    const auto mail = new_mail_keys();
    const auto mark = crypto::first_mark(now(), invited->since);
    const home::OfficeIdentity identity{invite->index, new_incarnation(invited->first_ordinal),
                                        mark};
    invite->registers.push_back(crypto::make_enrolment(
        crypto::one_time_signing_key(invite->seed), machine, mail.signing.public_key(),
        roster->network(), invite->index, {identity.incarnation, 0}, mark));
    if (const auto made = home.create(machine, mail, invite->founding, identity,
                                      {invite->roster, invite->registers}, invite->seed.view());
        !made) {
        return report(common, failure_of(made.error()));
    }
    if (const auto written = write_configuration(home, options.links); !written) {
        return report(common, failure_of(written.error()));
    }
    return print_office(common, invited->name, invite->founding.network_name, identity.incarnation,
                        crypto::fingerprint(roster->network(), machine.identity.public_key(),
                                            machine.link.public_key, mail.signing.public_key()));
}

}  // namespace

void add_init(CLI::App& app, const Common& common, Run& run) {
    auto* command =
        app.add_subcommand("init", "make a new network, with this machine as authority");
    auto options = std::make_shared<InitOptions>();
    command->add_option("OFFICE", options->office, "this office's name")->required();
    command->add_option("--network", options->network, "the network's name")->required();
    add_links(*command, options->links);
    command->footer("Example: fieldpost init hq --network reha --listen tcp://*:6743");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_init(common, *options); };
    });
}

void add_join(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("join", "on a new machine: join with an invitation");
    auto options = std::make_shared<JoinOptions>();
    command->add_option("INVITE", options->file, "the invitation file")->required();
    command->add_option("--code", options->code, "the code that was told by voice");
    add_links(*command, options->links);
    command->footer("Example: fieldpost join hyesan.invite");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_join(common, *options); };
    });
}

}  // namespace fieldpost::cli
