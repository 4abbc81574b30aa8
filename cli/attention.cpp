#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/text.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

using nlohmann::ordered_json;

struct AttentionOptions {
    std::vector<std::uint32_t> dismiss;
    bool check = false;
};

ordered_json json_of(const wire::Item& item) {
    return {{"no", item.no()},
            {"what", item.what()},
            {"severity", item.severity()},
            {"since_at", rfc3339(item.since_unix_s())},
            {"id", text_or_null(item.id())},
            {"office", text_or_null(item.office())},
            {"count", item.count()},
            {"detail", text_or_null(item.detail())},
            {"next", text_or_null(item.next())},
            {"dismissed_at", time_or_null(item.dismissed_unix_s())}};
}

// The number of cells before the name that an item is about, and before the lines below it.
constexpr std::size_t about_from = 54;
constexpr std::size_t indent = 5;

bool any_left(const wire::Answer& answer) {
    return std::ranges::any_of(answer.items(),
                               [](const auto& item) { return item.dismissed_unix_s() == 0; });
}

void print_items(const Common& common, const wire::Answer& answer) {
    if (answer.items_size() == 0) {
        fmt::print("nothing needs a person\n");
        return;
    }
    for (const auto& item : answer.items()) {
        const bool is_dismissed = item.dismissed_unix_s() != 0;
        const bool is_urgent = item.severity() == "urgent" && !is_dismissed;
        std::string about = item.office();
        if (!item.id().empty()) {
            about += item.count() > 1 ? ", last " + item.id() : ", " + item.id();
        }
        const auto word = is_dismissed ? "dismissed" : item.severity();
        const auto what =
            item.count() > 1 ? fmt::format("{} x{}", item.what(), item.count()) : item.what();
        const auto at = local_time(is_dismissed ? item.dismissed_unix_s() : item.since_unix_s());
        fmt::print("{:>3}  {}  {} {}", item.no(),
                   is_urgent ? painted(common, padded(word, 9)) : padded(word, 9), padded(what, 19),
                   at);
        const auto width = terminal_width();
        const bool fits = about_from + cells(about) <= width;
        fmt::print("{}", fits ? "  " + about + "\n" : "\n" + wrapped(about, width, indent));
        if (!item.detail().empty()) {
            fmt::print("{}", wrapped(safe_line(item.detail()), width, indent));
        }
        if (!is_dismissed && !item.next().empty()) {
            fmt::print("{}", wrapped(item.next(), width, indent));
        }
    }
    if (any_left(answer) && !common.quiet) {
        fmt::print(stderr, "When it is seen to: fieldpost attention --dismiss NO\n");
    }
}

int run_attention(const Common& common, const AttentionOptions& options) {
    wire::Answer answer;
    if (!options.dismiss.empty()) {
        wire::Request request;
        for (const auto number : options.dismiss) {
            request.mutable_attention()->add_dismiss(number);
        }
        if (const auto asked = ask(common, request, answer, Asking::to_change); !asked) {
            return report(common, asked.error());
        }
        answer.Clear();
    }
    do {
        wire::Request request;
        request.mutable_attention()->set_from(answer.next_part());
        wire::Answer page;
        if (const auto asked = ask(common, request, page); !asked) {
            return report(common, asked.error());
        }
        answer.clear_next_part();
        answer.MergeFrom(page);
    } while (!answer.next_part().empty());
    // Urgent items first, in the order in which they began.
    std::ranges::stable_sort(*answer.mutable_items(), {}, [](const wire::Item& item) {
        return std::pair(item.severity() != "urgent", item.no());
    });
    if (common.json) {
        auto array = ordered_json::array();
        for (const auto& item : answer.items()) {
            array.push_back(json_of(item));
        }
        fmt::print("{}\n", json_text(array));
    } else {
        print_items(common, answer);
    }
    return options.check && any_left(answer) ? exit_needs_a_person : exit_done;
}

}  // namespace

void add_attention(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("attention", "what needs a person, urgent first");
    auto options = std::make_shared<AttentionOptions>();
    command->add_option("--dismiss", options->dismiss, "these numbers have been seen to");
    command->add_flag("--check", options->check, "exit 9 if anything is left");
    command->footer("Example: fieldpost attention --dismiss 3");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_attention(common, *options); };
    });
}

}  // namespace fieldpost::cli
