#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/reports.h"
#include "cli/text.h"
#include "cli/words.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

constexpr int on_a_terminal = 50;

struct ListOptions {
    bool inbox = false;
    bool outbox = false;
    bool carried = false;
    std::string state;
    std::string from;
    std::string to;
    std::string type;
    std::string since;
    std::string held_by;
    std::string before;
    std::string priority;
    std::string outcome;
    std::string grep;
    bool unanswered = false;
    bool all_versions = false;
    int limit = -1;
};

// The state, and after it an outcome that needs the author. Lists have no room for "accepted".
std::string state_words(const wire::Entry& entry) {
    if (!entry.replaced_by().empty()) {
        return "replaced";
    }
    const bool is_told = entry.state() == "acknowledged" &&
                         entry.outcome() != wire::OUTCOME_ACCEPTED &&
                         entry.outcome() != wire::OUTCOME_NONE;
    return is_told ? entry.state() + ", " + word_of(entry.outcome()) : entry.state();
}

// The number of recipients that have it.
std::string got(const wire::Entry& entry) {
    if (entry.box() != wire::BOX_OUTBOX) {
        return "";
    }
    const auto having = std::ranges::count_if(entry.recipients(), [](const auto& recipient) {
        return recipient.state() == "delivered" || recipient.state() == "acknowledged";
    });
    return fmt::format("{}/{}", having, entry.recipients_size());
}

// "1,204".
std::string grouped(std::uint32_t number) {
    auto digits = std::to_string(number);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

void print_table(const Common& common, const wire::Answer& answer) {
    Table table({"ID", "WITH", "STATE", "GOT", "AGE", "SIZE", "SUBJECT"});
    for (const auto& entry : answer.entries()) {
        const auto age = unix_now() - entry.received_unix_s();
        table.add({id_of(entry), with_whom(entry), state_words(entry), got(entry), human_age(age),
                   human_size(entry.size_bytes()),
                   safe_line(entry.subject().empty() ? entry.preview() : entry.subject())});
    }
    fmt::print("{}", table.text(terminal_width(), {.right = {4, 5}, .names = {1}}));
    const auto shown = static_cast<std::uint32_t>(answer.entries_size());
    if (!answer.has_more() || common.quiet) {
        return;
    }
    // Without a filter all reports are counted. With a filter a count would have to look at every
    // report.
    const auto which = answer.total() > shown
                           ? fmt::format("{} of {}, newest last", shown, grouped(answer.total()))
                           : fmt::format("The last {}; there are more", shown);
    fmt::print(stderr,
               "{}. GOT: recipients that have it. All: list --limit 0\n"
               "The page before: --before {}\n",
               which, answer.entries(0).id());
}

int run_list(const Common& common, const ListOptions& options) {
    wire::Request request;
    auto& list = *request.mutable_list();
    const bool any_box = options.inbox || options.outbox || options.carried;
    if (options.inbox || !any_box) {
        list.add_boxes(wire::BOX_INBOX);
    }
    if (options.outbox || !any_box) {
        list.add_boxes(wire::BOX_OUTBOX);
    }
    if (options.carried) {
        list.add_boxes(wire::BOX_CARRIED);
    }
    list.set_state(options.state);
    list.set_from(options.from);
    list.set_to(options.to);
    list.set_type(options.type);
    list.set_held_by(options.held_by);
    list.set_before(options.before);
    if (!options.priority.empty()) {
        list.set_priority(priority_of(options.priority));
    }
    if (!options.outcome.empty()) {
        list.set_outcome(outcome_of(options.outcome));
    }
    list.set_grep(options.grep);
    list.set_unanswered(options.unanswered);
    list.set_all_versions(options.all_versions);
    if (!options.since.empty()) {
        const auto since = parse_time(options.since);
        if (!since) {
            return report(common,
                          {exit_invalid, "invalid", fmt::format("{} is no time", options.since),
                           "write 2026-11-21, an age such as 7d, or RFC 3339"});
        }
        list.set_since_unix_s(*since);
    }
    const bool is_limited =
        options.limit > 0 || (options.limit < 0 && isatty(STDOUT_FILENO) != 0 && !common.json);
    list.set_want_total(is_limited && !common.json);
    list.set_limit(
        is_limited ? static_cast<std::uint32_t>(options.limit > 0 ? options.limit : on_a_terminal)
                   : 0);
    wire::Answer answer;
    if (const auto asked = ask(common, request, answer); !asked) {
        return report(common, asked.error());
    }
    if (common.json) {
        auto array = nlohmann::ordered_json::array();
        for (const auto& entry : answer.entries()) {
            array.push_back(list_json(entry));
        }
        fmt::print("{}\n", json_text(array));
    } else {
        print_table(common, answer);
    }
    return exit_done;
}

}  // namespace

void add_list(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("list", "one line a report, newest last");
    auto options = std::make_shared<ListOptions>();
    command->add_flag("--inbox", options->inbox, "what was received here");
    command->add_flag("--outbox", options->outbox, "what was queued here");
    command->add_flag("--carried", options->carried, "what is carried for others");
    command->add_option("--state", options->state, "queued, carried, delivered ...")
        ->check(
            CLI::IsMember({"queued", "carried", "delivered", "acknowledged", "expired", "failed"}));
    command->add_option("--from", options->from, "by this office");
    command->add_option("--to", options->to, "to this office or @group");
    command->add_option("--type", options->type, "of this form");
    command->add_option("--since", options->since, "arrived here since: 2026-11-21, 7d");
    command->add_option("--held-by", options->held_by, "own ones that this office says it carries");
    command->add_option("--priority", options->priority, "urgent, normal or bulk")
        ->check(CLI::IsMember({"urgent", "normal", "bulk"}));
    command->add_option("--outcome", options->outcome, "answered so: accepted, correct or refused")
        ->check(CLI::IsMember({"accepted", "correct", "refused"}));
    command->add_flag("--unanswered", options->unanswered,
                      "received here, and not answered by this office");
    command->add_option("--grep", options->grep, "with this in subject, text or fields");
    command->add_flag("--all-versions", options->all_versions, "corrected ones too");
    command->add_option("--before", options->before, "older than this ID");
    command->add_option("--limit", options->limit, "the last N; 0: all")
        ->check(CLI::NonNegativeNumber);
    command->footer("Example: fieldpost list --inbox --since 7d");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_list(common, *options); };
    });
}

}  // namespace fieldpost::cli
