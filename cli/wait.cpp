#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "cli/batches.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "proto/control.pb.h"
#include "proto/duration_text.h"

namespace fieldpost::cli {

namespace {

using namespace std::chrono_literals;

struct WaitOptions {
    std::vector<std::string> ids;
    std::string state;
    std::string timeout;
};

int rank_of(const std::string& state) {
    constexpr std::array<const char*, 4> order = {"queued", "carried", "delivered", "acknowledged"};
    const auto found = std::ranges::find(order, state);
    return found == order.end() ? -1 : static_cast<int>(found - order.begin());
}

wire::Request request_for_states(std::span<const std::string> ids, bool only_check) {
    wire::Request request;
    request.mutable_show()->set_only_check(only_check);
    request.mutable_show()->mutable_ids()->Assign(ids.begin(), ids.end());
    request.mutable_show()->set_only_states(true);
    return request;
}

void print_reached(const Common& common, const wire::Entry& entry) {
    if (common.json) {
        const nlohmann::ordered_json object = {
            {"id", entry.id()}, {"state", entry.state()}, {"reason", text_or_null(entry.reason())}};
        fmt::print("{}\n", json_text(object));
    } else {
        fmt::print("{} {}{}{}{}\n", entry.id(), entry.state(), entry.reason().empty() ? "" : ": ",
                   entry.reason(), entry.withdrawn_unix_s() != 0 ? ", withdrawn" : "");
    }
    std::fflush(stdout);
}

std::string waiting_words(const wire::Answer& answer, const std::set<std::string>& told,
                          const std::string& state, std::chrono::steady_clock::time_point begun) {
    std::vector<std::string> under_way;
    for (const auto& entry : answer.entries()) {
        if (!told.contains(entry.id())) {
            under_way.push_back(fmt::format("{} {}", entry.id(), entry.state()));
        }
    }
    const auto waited =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begun);
    return fmt::format("{}; waiting for {}, {}", fmt::join(under_way, ", "), state,
                       human_length(waited.count()));
}

int run_wait(const Common& common, const WaitOptions& options) {
    std::optional<std::chrono::steady_clock::time_point> end;
    if (!options.timeout.empty() || common.has_timeout) {
        const auto seconds = options.timeout.empty() ? std::optional(common.timeout_s)
                                                     : parse_duration(options.timeout);
        if (!seconds) {
            return report(common, no_duration(options.timeout));
        }
        end = std::chrono::steady_clock::now() + std::chrono::seconds{*seconds};
    }
    std::set<std::string> told;
    bool any_failed = false;
    auto pause = 100ms;
    ProgressLine progress(common);
    const auto begun = std::chrono::steady_clock::now();
    while (true) {
        wire::Answer answer;
        const auto asked = ask_in_pages(common, options.ids, request_for_states,
                                        [&](const wire::Answer& page) -> Outcome<void> {
                                            answer.MergeFrom(page);
                                            return {};
                                        });
        progress.clear();
        if (!asked) {
            return report(common, asked.error());
        }
        for (const auto& entry : answer.entries()) {
            // Nobody is expected to answer a report that was taken back.
            const bool is_too_late =
                entry.withdrawn_unix_s() != 0 && rank_of(entry.state()) < rank_of(options.state);
            const bool has_failed = rank_of(entry.state()) < 0 || is_too_late;
            if ((has_failed || rank_of(entry.state()) >= rank_of(options.state)) &&
                told.insert(entry.id()).second) {
                any_failed = any_failed || has_failed;
                print_reached(common, entry);
            }
        }
        if (std::ranges::all_of(answer.entries(), [&](const wire::Entry& entry) {
                return told.contains(entry.id());
            })) {
            return any_failed ? exit_needs_a_person : exit_done;
        }
        std::vector<std::string> missing;
        for (const auto& entry : answer.entries()) {
            if (!told.contains(entry.id())) {
                missing.push_back(entry.id());
            }
        }
        if (answer.is_cut_off()) {
            return report(common,
                          {exit_refused, "revoked",
                           fmt::format("this office was cut off, so these stay as they are: {}",
                                       fmt::join(missing, ", ")),
                           "see: fieldpost status", missing});
        }
        if (end && std::chrono::steady_clock::now() >= *end) {
            return report(common, {exit_timed_out, "timed_out",
                                   fmt::format("not {} in time: {}; it still goes on",
                                               options.state, fmt::join(missing, ", ")),
                                   "see: fieldpost trace", missing});
        }
        auto rest = pause;
        if (end) {
            rest = std::min(rest, std::chrono::duration_cast<std::chrono::milliseconds>(
                                      *end - std::chrono::steady_clock::now()) +
                                      1ms);
        }
        progress.show(waiting_words(answer, told, options.state, begun));
        std::this_thread::sleep_for(rest);
        pause = std::min(2 * pause, std::chrono::milliseconds{1000});
    }
}

}  // namespace

void add_wait(CLI::App& app, const Common& common, Run& run) {
    auto* command =
        app.add_subcommand("wait", "until a report is carried, delivered, acknowledged");
    auto options = std::make_shared<WaitOptions>();
    command->add_option("ID", options->ids, "hyesan-42; several are allowed")->required();
    command->add_option("--for", options->state, "carried, delivered or acknowledged")
        ->required()
        ->check(CLI::IsMember({"carried", "delivered", "acknowledged"}));
    command->add_option("--timeout", options->timeout, "give up after 30s, 15min, 36h; it goes on");
    command->footer("Example: fieldpost wait hyesan-42 --for delivered --timeout 36h");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_wait(common, *options); };
    });
}

}  // namespace fieldpost::cli
