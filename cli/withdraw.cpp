#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/batches.h"
#include "cli/json.h"
#include "cli/text.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

struct WithdrawOptions {
    std::vector<std::string> ids;
    std::string reason;
};

wire::Request request_for(const WithdrawOptions& options, std::span<const std::string> ids,
                          bool only_check) {
    wire::Request request;
    auto& withdraw = *request.mutable_withdraw();
    for (const auto& id : ids) {
        withdraw.add_ids(id);
    }
    withdraw.set_reason(options.reason);
    withdraw.set_utc_offset_min(utc_offset_minutes());
    withdraw.set_only_check(only_check);
    return request;
}

std::string consequence_for(const wire::Entry& entry) {
    if (entry.is_repeat()) {
        return "already, " + local_time(entry.withdrawn_unix_s()) + "; that reason stands";
    }
    if (entry.never_left()) {
        return "it never left this office";
    }
    const auto having = std::ranges::count_if(entry.recipients(), [](const auto& one) {
        return one.state() == "delivered" || one.state() == "acknowledged";
    });
    if (having == 0) {
        return "no recipient is known to have it; other offices drop it once they hear of it";
    }
    return fmt::format("{} of {} recipients {} it and can still read it; {} told why", having,
                       entry.recipients_size(), having == 1 ? "has" : "have",
                       having == 1 ? "it is" : "they are");
}

void print(const Common& common, const wire::Answer& answer) {
    for (const auto& entry : answer.entries()) {
        if (common.json) {
            const nlohmann::ordered_json object = {{"id", entry.id()}, {"state", entry.state()}};
            fmt::print("{}\n", json_text(object));
            continue;
        }
        fmt::print("{} withdrawn: {}\n", entry.id(), consequence_for(entry));
        if (!entry.standing().empty() && !common.quiet) {
            fmt::print(stderr, "{} counts now. To take it back too: fieldpost withdraw {}\n",
                       entry.standing(), entry.standing());
        }
    }
    for (const auto& words : answer.left_out()) {
        fmt::print(stderr, "fieldpost: cannot be told why: {}\n", safe_line(words));
    }
}

int run_withdraw(const Common& common, const WithdrawOptions& options) {
    return ask_in_batches(
        common, options.ids, slow_changes_a_commit,
        [&](std::span<const std::string> ids, bool only_check) {
            return request_for(options, ids, only_check);
        },
        [&](const wire::Answer& answer) { print(common, answer); });
}

}  // namespace

void add_withdraw(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("withdraw", "take back a report of this office");
    auto options = std::make_shared<WithdrawOptions>();
    command->add_option("ID", options->ids, "hyesan-42; several are allowed")->required();
    command->add_option("--reason", options->reason, "a few words, for its recipients")->required();
    command->footer(
        "A report that has not left yet never leaves. A recipient that has it is told the reason.\n"
        "Example: fieldpost withdraw hyesan-42 --reason \"wrong patient\"");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_withdraw(common, *options); };
    });
}

}  // namespace fieldpost::cli
