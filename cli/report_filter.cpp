#include "cli/report_filter.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/text.h"
#include "cli/words.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

void add_filter(CLI::App& command, ReportFilter& filter) {
    command.add_flag("--inbox", filter.inbox, "what was received here");
    command.add_flag("--outbox", filter.outbox, "what was queued here");
    command.add_flag("--carried", filter.carried, "what is carried for others");
    command.add_option("--state", filter.state, "queued, carried, delivered ...")
        ->check(
            CLI::IsMember({"queued", "carried", "delivered", "acknowledged", "expired", "failed"}));
    command.add_option("--from", filter.from, "by this office");
    command.add_option("--to", filter.to, "to this office or @group");
    command.add_option("--type", filter.type, "of this form");
    command.add_option("--since", filter.since, "arrived here since: 2026-11-21, 7d");
    command.add_option("--held-by", filter.held_by, "own ones that this office says it carries");
    command.add_option("--priority", filter.priority, "urgent, normal or bulk")
        ->check(CLI::IsMember({"urgent", "normal", "bulk"}));
    command.add_option("--outcome", filter.outcome, "answered so: accepted, correct or refused")
        ->check(CLI::IsMember({"accepted", "correct", "refused"}));
    command.add_flag("--unanswered", filter.unanswered,
                     "received here, and not answered by this office");
    command.add_option("--grep", filter.grep, "with this in subject, text or fields");
    command.add_flag("--all-versions", filter.all_versions, "corrected and withdrawn ones too");
}

nlohmann::ordered_json json_of(const ReportFilter& filter) {
    auto json = nlohmann::ordered_json::object();
    const auto add = [&](const char* key, const auto& value) {
        if (value != std::decay_t<decltype(value)>{}) {
            json[key] = value;
        }
    };
    add("inbox", filter.inbox);
    add("outbox", filter.outbox);
    add("carried", filter.carried);
    add("state", filter.state);
    add("from", filter.from);
    add("to", filter.to);
    add("type", filter.type);
    add("since", filter.since);
    add("held_by", filter.held_by);
    add("priority", filter.priority);
    add("outcome", filter.outcome);
    add("grep", filter.grep);
    add("unanswered", filter.unanswered);
    add("all_versions", filter.all_versions);
    return json;
}

Outcome<void> fill(const ReportFilter& filter, wire::ListRequest& list) {
    const bool any_box = filter.inbox || filter.outbox || filter.carried;
    if (filter.inbox || !any_box) {
        list.add_boxes(wire::BOX_INBOX);
    }
    if (filter.outbox || !any_box) {
        list.add_boxes(wire::BOX_OUTBOX);
    }
    if (filter.carried) {
        list.add_boxes(wire::BOX_CARRIED);
    }
    list.set_state(filter.state);
    list.set_from(filter.from);
    list.set_to(filter.to);
    list.set_type(filter.type);
    list.set_held_by(filter.held_by);
    if (!filter.priority.empty()) {
        list.set_priority(priority_of(filter.priority));
    }
    if (!filter.outcome.empty()) {
        list.set_outcome(outcome_of(filter.outcome));
    }
    list.set_grep(filter.grep);
    list.set_unanswered(filter.unanswered);
    list.set_all_versions(filter.all_versions);
    if (!filter.since.empty()) {
        const auto since = parse_time(filter.since);
        if (!since) {
            return std::unexpected(no_time(filter.since));
        }
        list.set_since_unix_s(*since);
    }
    return {};
}

}  // namespace fieldpost::cli
