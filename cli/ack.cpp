#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/batches.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/words.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

struct AckOptions {
    std::vector<std::string> ids;
    std::string outcome = "accepted";
    std::string note;
    std::string staff;
};

wire::Request request_for(const AckOptions& options, std::span<const std::string> ids,
                          bool only_check) {
    wire::Request request;
    auto& ack = *request.mutable_ack();
    for (const auto& id : ids) {
        ack.add_ids(id);
    }
    ack.set_outcome(outcome_of(options.outcome));
    ack.set_note(options.note);
    ack.set_staff(options.staff);
    ack.set_utc_offset_min(utc_offset_minutes());
    ack.set_only_check(only_check);
    return request;
}

void print(const Common& common, const AckOptions& options, const wire::Answer& answer) {
    for (const auto& entry : answer.entries()) {
        if (common.json) {
            const nlohmann::json object = {{"id", entry.id()}, {"state", entry.state()}};
            fmt::print("{}\n", json_text(object));
            continue;
        }
        fmt::print("{} {}\n", entry.id(), entry.state());
        if (entry.recipients_size() > 0 && !common.quiet) {
            const auto& before = entry.recipients(0);
            fmt::print(stderr, "{} was answered before: {}{}, {}; now: {}\n", entry.id(),
                       word_of(before.outcome()),
                       before.staff().empty() ? "" : " by " + safe_line(before.staff()),
                       local_time(before.acknowledged_unix_s()), options.outcome);
        }
    }
}

int run_ack(const Common& common, const AckOptions& options) {
    return ask_in_batches(
        common, options.ids, answers_a_commit,
        [&](std::span<const std::string> ids, bool only_check) {
            return request_for(options, ids, only_check);
        },
        [&](const wire::Answer& answer) { print(common, options, answer); });
}

}  // namespace

void add_ack(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("ack", "answer for a report that was received");
    auto options = std::make_shared<AckOptions>();
    if (const char* staff = std::getenv("FIELDPOST_STAFF"); staff != nullptr) {
        options->staff = staff;
    }
    command->add_option("ID", options->ids, "hyesan-42; several are allowed")->required();
    command->add_option("--outcome", options->outcome, "accepted, correct or refused")
        ->check(CLI::IsMember({"accepted", "correct", "refused"}));
    command->add_option("--note", options->note, "a few words for the author");
    command->add_option("--staff", options->staff, "who answers");
    command->footer("Example: fieldpost ack hyesan-42 --note \"plaster is on its way\"");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_ack(common, *options); };
    });
}

}  // namespace fieldpost::cli
