#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/batches.h"
#include "cli/json.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

wire::Request request_for(std::span<const std::string> ids, bool only_check) {
    wire::Request request;
    auto& forget = *request.mutable_forget();
    for (const auto& id : ids) {
        forget.add_ids(id);
    }
    forget.set_only_check(only_check);
    return request;
}

void print(const Common& common, const wire::Answer& answer) {
    for (const auto& entry : answer.entries()) {
        if (common.json) {
            fmt::print("{}\n", json_text(nlohmann::json{{"id", entry.id()}}));
        } else {
            fmt::print("{} forgotten here; saved files and other offices are not touched\n",
                       entry.id());
        }
    }
}

}  // namespace

void add_forget(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("forget", "destroy the readable copy here, at once");
    auto ids = std::make_shared<std::vector<std::string>>();
    command->add_option("ID", *ids, "hyesan-42; several are allowed")->required();
    command->footer(
        "This cannot be undone. Other offices keep their copies. Other versions of the report,\n"
        "exported files and backups are not touched.\n"
        "Example: fieldpost forget hyesan-42");
    command->callback([&common, &run, ids] {
        run = [&common, ids] {
            return ask_in_batches(common, *ids, slow_changes_a_commit, request_for,
                                  [&](const wire::Answer& answer) { print(common, answer); });
        };
    });
}

}  // namespace fieldpost::cli
