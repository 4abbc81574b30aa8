#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/words.h"
#include "crypto/roster.h"
#include "daemon/home/office_home.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

using nlohmann::ordered_json;

ordered_json counts_of(const google::protobuf::Map<std::string, std::uint32_t>& counts,
                       std::initializer_list<const char*> names) {
    ordered_json object;
    for (const auto* name : names) {
        const auto found = counts.find(name);
        object[name] = found == counts.end() ? 0 : found->second;
    }
    return object;
}

ordered_json status_json(const wire::Status& status) {
    return {
        {"version", status.version()},
        {"office", status.office()},
        {"network", status.network()},
        {"role", word_of(status.role())},
        {"state", status.state()},
        {"fingerprint",
         status.fingerprint().empty() ? ordered_json(nullptr) : ordered_json(status.fingerprint())},
        {"incarnation", status.incarnation()},
        {"stopped", status.is_stopped()},
        {"started_at", rfc3339(status.started_unix_s())},
        {"mail", status.mail()},
        {"outbox", counts_of(status.outbox(), {"queued", "carried", "delivered", "acknowledged",
                                               "expired", "failed"})},
        {"inbox", counts_of(status.inbox(), {"unacknowledged", "acknowledged"})},
        {"carrying", {{"records", status.carrying_records()}, {"bytes", status.carrying_bytes()}}},
        {"peers", {{"connected", status.peers_connected()}, {"known", status.peers_known()}}},
        {"store",
         {{"used_bytes", status.store_used_bytes()}, {"limit_bytes", status.store_limit_bytes()}}},
        {"clock",
         {{"now_at", rfc3339(status.now_unix_s())},
          {"offset_ms", status.has_clock_offset_ms() ? ordered_json(status.clock_offset_ms())
                                                     : ordered_json(nullptr)},
          {"doubtful", status.clock_doubtful()}}},
        {"attention", {{"urgent", status.attention_urgent()}, {"other", status.attention_other()}}},
        {"overdue", status.has_overdue() ? ordered_json(status.overdue()) : ordered_json(nullptr)},
        {"roster_version", status.roster_version()},
        {"longest_batch_ms", status.longest_batch_ms()},
    };
}

std::uint32_t count(const google::protobuf::Map<std::string, std::uint32_t>& counts,
                    const char* name) {
    const auto found = counts.find(name);
    return found == counts.end() ? 0 : found->second;
}

void print_status(const wire::Status& status) {
    const auto line = [](std::string_view label, const std::string& words) {
        // The label stands in place of the first line's indent.
        const auto lines = wrapped(words, terminal_width(), 10);
        fmt::print("{:<9} {}", label, std::string_view(lines).substr(10));
    };
    line("office",
         fmt::format("{} ({}), network {}, {}       fieldpost {}, up {}", status.office(),
                     word_of(status.role()), safe_line(status.network()), status.state(),
                     status.version(), human_length(unix_now() - status.started_unix_s())));
    if (status.state() == "revoked") {
        line("cut off",
             "nothing is sent any more; reading and export still work. Ask the authority");
    }
    if (status.is_stopped()) {
        line("stopped",
             "nothing new can be written here; mail of others still passes. See: fieldpost "
             "attention");
    }
    line("mail", status.mail() == "unprotected" ? "open, without a passphrase" : status.mail());
    auto links = fmt::format("{} connected", status.connected_size());
    if (status.connected_size() > 0) {
        links += fmt::format(" ({})", fmt::join(status.connected(), ", "));
    }
    if (status.waiting_size() > 0) {
        links += fmt::format(", {} waiting ({})", status.waiting_size(),
                             fmt::join(status.waiting(), ", "));
    }
    line("links", links);
    std::string outbox;
    std::uint32_t total = 0;
    for (const auto* name :
         {"queued", "carried", "delivered", "acknowledged", "expired", "failed"}) {
        const auto number = count(status.outbox(), name);
        total += number;
        if (number > 0) {
            outbox += fmt::format("{}{} {}", outbox.empty() ? "" : ", ", number, name);
        }
    }
    line("outbox", outbox.empty() ? "empty" : fmt::format("{}: {}", total, outbox));
    if (status.to_send_records() > 0) {
        line("to send",
             fmt::format("{} that no other office has yet", human_size(status.to_send_bytes())));
    }
    const auto unanswered = count(status.inbox(), "unacknowledged");
    line("inbox", fmt::format("{}: {} to acknowledge",
                              unanswered + count(status.inbox(), "acknowledged"), unanswered));
    if (status.has_overdue()) {
        line("coverage", status.overdue() == 0
                             ? "no report is overdue"
                             : fmt::format("{} overdue. See: fieldpost coverage",
                                           status.overdue() == 1
                                               ? "1 report is"
                                               : fmt::format("{} reports are", status.overdue())));
    }
    line("store",
         fmt::format("{} of {}, {} of it carried for others", human_size(status.store_used_bytes()),
                     human_size(status.store_limit_bytes()), human_size(status.carrying_bytes())));
    auto clock = local_time(status.now_unix_s()) + " " + zone_of(status.now_unix_s());
    if (status.clock_doubtful()) {
        clock += ", in doubt";
    }
    if (status.has_clock_offset_ms()) {
        const auto seconds = std::abs(status.clock_offset_ms()) / 1000;
        clock += seconds == 0 ? ", as that of the office met last"
                              : fmt::format(", within {} s of the office met last", seconds);
    }
    line("clock", clock);
    const auto items = status.attention_urgent() + status.attention_other();
    if (items > 0) {
        line("attention", fmt::format("{}, {} urgent. See: fieldpost attention", items,
                                      status.attention_urgent() == 0 ? "none"
                                      : status.attention_urgent() == 1
                                          ? "one"
                                          : std::to_string(status.attention_urgent())));
    }
}

// Without a daemon, the home still says which office this is.
int print_without_daemon(const Common& common, const Failure& failure) {
    const home::OfficeHome home(common.home);
    const auto founding = home.founding();
    const auto identity = home.identity();
    const auto copy = home.roster_copy();
    if (!founding || !identity || !copy) {
        return report(common, failure);
    }
    auto roster = crypto::Roster::found(*founding);
    for (const auto& change : copy->roster) {
        if (!roster || !roster->apply(change)) {
            return report(common, failure);
        }
    }
    const auto* us = roster->find(identity->index);
    // Before the office is admitted, the roster does not have its keys. Afterwards not every user
    // may read its keys.
    const auto machine = home.machine_keys();
    const auto mail = home.mail_keys();
    const auto print =
        us != nullptr && us->has_keys()
            ? crypto::fingerprint(roster->network(), us->identity, us->link, us->mail)
        : machine && mail
            ? crypto::fingerprint(roster->network(), machine->identity.public_key(),
                                  machine->link.public_key, mail->signing.public_key())
            : "";
    if (common.json) {
        // Fields that only the daemon knows are left out.
        const ordered_json object = {{"office", us == nullptr ? "" : us->name},
                                     {"network", founding->network_name},
                                     {"fingerprint", text_or_null(print)}};
        fmt::print("{}\n", json_text(object));
    } else {
        fmt::print("office       {}, network {}\nfingerprint  {}\n", us == nullptr ? "?" : us->name,
                   safe_line(founding->network_name), print);
    }
    return report(common, failure);
}

int run_status(const Common& common) {
    wire::Request request;
    request.mutable_status();
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer); !asked) {
        return asked.error().exit == exit_no_daemon ? print_without_daemon(common, asked.error())
                                                    : report(common, asked.error());
    }
    if (common.json) {
        fmt::print("{}\n", json_text(status_json(answer.status())));
    } else {
        print_status(answer.status());
    }
    return exit_done;
}

std::string when(std::int64_t unix_seconds) {
    return unix_seconds == 0 ? "never" : human_age(unix_now() - unix_seconds);
}

int run_peers(const Common& common) {
    wire::Request request;
    request.mutable_peers();
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer); !asked) {
        return report(common, asked.error());
    }
    // The daemon counts the waiting records in parts, and goes on with its links between them.
    std::map<std::uint32_t, std::pair<std::uint32_t, std::uint64_t>> waiting;  // by index
    while (true) {
        for (const auto& peer : answer.peers()) {
            waiting[peer.index()].first += peer.pending_records();
            waiting[peer.index()].second += peer.pending_bytes();
        }
        if (answer.next_part().empty()) {
            break;
        }
        request.mutable_peers()->set_from(answer.next_part());
        if (const auto asked = ask(common, request, answer); !asked) {
            return report(common, asked.error());
        }
    }
    for (auto& peer : *answer.mutable_peers()) {
        peer.set_pending_records(waiting[peer.index()].first);
        peer.set_pending_bytes(waiting[peer.index()].second);
    }
    auto array = ordered_json::array();
    Table table({"OFFICE", "LINK", "HEARD", "MET", "TO SEND", "WHY, AND WHAT NEXT"});
    for (const auto& peer : answer.peers()) {
        array.push_back(
            {{"office", peer.office()},
             {"state", peer.state()},
             {"reason", text_or_null(peer.reason())},
             {"address", text_or_null(peer.address())},
             {"next_attempt_at", time_or_null(peer.next_attempt_unix_s())},
             {"heard_at", time_or_null(peer.heard_unix_s())},
             {"met_at", time_or_null(peer.met_unix_s())},
             {"rtt_ms", peer.has_rtt_ms() ? ordered_json(peer.rtt_ms()) : ordered_json(nullptr)},
             {"version", text_or_null(peer.version())},
             {"roster_version", peer.roster_version()},
             {"sent_bytes", peer.sent_bytes()},
             {"received_bytes", peer.received_bytes()},
             {"pending_records", peer.pending_records()},
             {"pending_bytes", peer.pending_bytes()},
             {"small_segments", peer.has_small_segments()}});
        auto why = peer.state() == "connected" ? peer.address()
                   : peer.state() == "none"    ? "no address: by way of another"
                                               : peer.reason();
        if (peer.state() == "connected" && !peer.reason().empty()) {
            why = "urgent only, " + peer.reason();
        } else if (peer.reason() == "other_machine") {
            why = "another machine uses this office's keys: see fieldpost attention";
        } else if (peer.reason() == "no_greeting") {
            why = "no office answers there, but something does";
        } else if (peer.reason() == "not_dialled") {
            why = "an address to be set by hand: see fieldpost.toml";
        }
        std::ranges::replace(why, '_', ' ');
        if (peer.has_rtt_ms()) {
            why += fmt::format("{}{} ms", why.empty() ? "" : ", ", peer.rtt_ms());
        }
        if (peer.has_small_segments()) {
            why += fmt::format("{}small packets only", why.empty() ? "" : ", ");
        }
        if (peer.next_attempt_unix_s() != 0) {
            const auto left = peer.next_attempt_unix_s() - unix_now();
            why += why.empty() ? "" : "; ";
            why += left <= 0 ? "tries now" : "tries again in " + human_length(left);
        }
        const auto waits =
            peer.pending_records() == 0
                ? ""
                : fmt::format("{}, {}", peer.pending_records(), human_size(peer.pending_bytes()));
        table.add({peer.office(), peer.state(), when(peer.heard_unix_s()), when(peer.met_unix_s()),
                   waits, why});
    }
    if (common.json) {
        fmt::print("{}\n", json_text(array));
    } else {
        fmt::print("{}HEARD: a signed word of it, by any path. MET: itself.\n",
                   table.text(terminal_width(), {.is_last_whole = true}));
    }
    return exit_done;
}

int confirm(const Common& common, const std::string& office) {
    wire::Request request;
    request.mutable_roster()->set_confirm(office);
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer, Asking::to_change); !asked) {
        return report(common, asked.error());
    }
    if (common.json) {
        const ordered_json object = {{"office", office}, {"confirmed", true}};
        fmt::print("{}\n", json_text(object));
    } else if (!common.quiet) {
        fmt::print(stderr, "{} is confirmed on this machine\n", office);
    }
    return exit_done;
}

int run_roster(const Common& common) {
    wire::Request request;
    request.mutable_roster();
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer); !asked) {
        return report(common, asked.error());
    }
    const auto& roster = answer.roster();
    auto offices = ordered_json::array();
    Table table({"NAME", "ROLE", "STATE", "HEARD", "CONFIRMED"});
    for (const auto& office : roster.offices()) {
        offices.push_back({{"name", office.name()},
                           {"role", word_of(office.role())},
                           {"state", office.state()},
                           {"fingerprint", text_or_null(office.fingerprint())},
                           {"endpoints", std::vector<std::string>(office.endpoints().begin(),
                                                                  office.endpoints().end())},
                           {"heard_at", time_or_null(office.heard_unix_s())},
                           {"confirmed", office.confirmed()},
                           {"blocked", office.blocked()},
                           {"reason", text_or_null(office.reason())}});
        table.add({office.name(), word_of(office.role()),
                   office.blocked() ? office.state() + ", blocked" : office.state(),
                   when(office.heard_unix_s()), office.confirmed() ? "yes" : ""});
        if (!office.fingerprint().empty()) {
            // Not cut at any width, because it is read out over the telephone.
            table.add_line("  " + office.fingerprint());
        }
        if (!office.reason().empty()) {
            table.add_line("  cut off: " + safe_line(office.reason()));
        }
    }
    if (common.json) {
        const ordered_json object = {{"network", roster.network()},
                                     {"version", roster.version()},
                                     {"authority", roster.authority()},
                                     {"offices", offices}};
        fmt::print("{}\n", json_text(object));
    } else {
        fmt::print("network {}, version {}, authority {}\n{}", safe_line(roster.network()),
                   roster.version(), roster.authority(), table.text(terminal_width()));
    }
    return exit_done;
}

}  // namespace

void add_status(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("status", "this office at a glance");
    command->footer("Example: fieldpost status");
    command->callback([&common, &run] { run = [&common] { return run_status(common); }; });
}

void add_peers(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("peers", "each other office: how it is reached or why not");
    command->footer("Example: fieldpost peers");
    command->callback([&common, &run] { run = [&common] { return run_peers(common); }; });
}

void add_roster(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("roster", "every office of the network");
    command->footer("Example: fieldpost roster");
    command->callback([&common, &run] {
        if (!run) {
            run = [&common] { return run_roster(common); };
        }
    });
    auto* confirmed =
        command->add_subcommand("confirm", "its fingerprint was compared with its people");
    auto office = std::make_shared<std::string>();
    confirmed->add_option("OFFICE", *office, "an office")->required();
    confirmed->footer("Example: fieldpost roster confirm hyesan");
    confirmed->callback(
        [&common, &run, office] { run = [&common, office] { return confirm(common, *office); }; });
}

}  // namespace fieldpost::cli
