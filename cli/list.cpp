#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/report_filter.h"
#include "cli/reports.h"
#include "cli/text.h"
#include "cli/words.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

constexpr int on_a_terminal = 50;

struct ListOptions {
    ReportFilter filter;
    std::string before;
    int limit = -1;
};

// The state, and after it an outcome that needs the author. Lists have no room for "accepted".
std::string state_words(const wire::Entry& entry) {
    if (entry.forgotten_unix_s() != 0) {
        return entry.state() + ", forgotten";
    }
    if (entry.withdrawn_unix_s() != 0) {
        return entry.state() + ", withdrawn";
    }
    if (entry.after_cut_off()) {
        return entry.state() + ", beyond cut-off";
    }
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
std::string grouped(std::uint64_t number) {
    const auto digits = std::to_string(number);
    std::string words;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) {
            words += ',';
        }
        words += digits[i];
    }
    return words;
}

std::vector<std::string> row_for(const wire::Entry& entry) {
    return {id_of(entry),
            with_whom(entry),
            state_words(entry),
            got(entry),
            human_age(unix_now() - entry.received_unix_s()),
            human_size(entry.size_bytes()),
            safe_line(entry.subject().empty() ? entry.preview() : entry.subject())};
}

Table table_of_reports() {
    return Table({"ID", "WITH", "STATE", "GOT", "AGE", "SIZE", "SUBJECT"});
}

std::string next_text(Table& table) {
    return table.next_text(terminal_width(), {.right = {4, 5}, .names = {1}});
}

// Asks for one page after the other, until `take` has enough.
using TakePage = std::function<bool(const wire::Answer&)>;
Outcome<void> each_page(const Common& common, wire::Request request, const TakePage& take) {
    ProgressLine progress(common);
    std::uint64_t found = 0;
    while (true) {
        wire::Answer answer;
        if (auto asked = ask(common, request, answer); !asked) {
            return asked;
        }
        found += static_cast<std::uint64_t>(answer.entries_size());
        progress.clear();
        if (!take(answer) || answer.next_seq() == 0) {
            return {};
        }
        // A filter may have to look at every report.
        progress.show(fmt::format("{} found; looking for more", grouped(found)));
        request.mutable_list()->set_from_seq(answer.next_seq());
    }
}

// The newest reports that fit, the newest first: one more than `limit` if there are more.
struct Newest {
    std::vector<wire::Entry> entries;
    // The number of all that fit, if the daemon can tell.
    std::optional<std::uint64_t> total;
};
Outcome<Newest> newest(const Common& common, wire::Request request, std::size_t limit) {
    Newest found;
    auto& list = *request.mutable_list();
    list.set_newest_first(true);
    list.set_limit(static_cast<std::uint32_t>(limit + 1));
    auto asked = each_page(common, std::move(request), [&](const wire::Answer& answer) {
        if (answer.has_total()) {
            found.total = answer.total();
        }
        for (const auto& entry : answer.entries()) {
            if (found.entries.size() <= limit) {
                found.entries.push_back(entry);
            }
        }
        return found.entries.size() <= limit;
    });
    return asked ? Outcome<Newest>(std::move(found)) : std::unexpected(asked.error());
}

// Prints the reports that arrived from `from` to `to`, without keeping them. Returns the ID of the
// first.
Outcome<std::string> print_between(const Common& common, wire::Request request, std::uint64_t from,
                                   std::uint64_t to) {
    std::string first;
    request.mutable_list()->set_from_seq(from);
    const auto each = [&](const std::function<void(const wire::Entry&)>& one,
                          const std::function<void()>& page_ends) {
        return each_page(common, request, [&](const wire::Answer& answer) {
            bool is_over = false;
            for (const auto& entry : answer.entries()) {
                is_over = is_over || entry.seq() > to;
                if (!is_over) {
                    first = first.empty() ? entry.id() : first;
                    one(entry);
                }
            }
            page_ends();
            return !is_over;
        });
    };
    if (common.json) {
        auto separator = "[";
        const auto printed = each(
            [&](const wire::Entry& entry) {
                fmt::print("{}{}", std::exchange(separator, ",\n"), json_text(list_json(entry)));
            },
            [] {});
        if (!printed) {
            // The list stays open, so that nobody takes it for the whole list.
            return std::unexpected(printed.error());
        }
        fmt::print("{}]\n", separator[0] == '[' ? "[" : "");
        return first;
    }
    // The list is asked for twice: for the widths of the columns, and to print.
    auto table = table_of_reports();
    const auto measured =
        each([&](const wire::Entry& entry) { table.measure(row_for(entry)); }, [] {});
    if (!measured) {
        return std::unexpected(measured.error());
    }
    const auto printed = each([&](const wire::Entry& entry) { table.add(row_for(entry)); },
                              [&] { fmt::print("{}", next_text(table)); });
    return printed ? Outcome<std::string>(first) : std::unexpected(printed.error());
}

// Prints nothing if there are no more. `first` is the ID of the oldest report that was printed.
void say_that_there_are_more(const Common& common, const Newest& found, std::size_t shown,
                             const std::string& first) {
    if (found.entries.size() <= shown || common.quiet) {
        return;
    }
    const auto which = found.total
                           ? fmt::format("{} of {}, newest last", shown, grouped(*found.total))
                           : fmt::format("The last {}; there are more", shown);
    fmt::print(stderr,
               "{}. GOT: recipients that have it. All: list --limit 0\n"
               "The page before: --before {}\n",
               which, first);
}

void print_newest(const Common& common, const Newest& found, std::size_t limit) {
    const auto shown = std::min(found.entries.size(), limit);
    const auto entries = std::span(found.entries).first(shown) | std::views::reverse;
    if (common.json) {
        auto array = nlohmann::ordered_json::array();
        for (const auto& entry : entries) {
            array.push_back(list_json(entry));
        }
        fmt::print("{}\n", json_text(array));
        return;
    }
    auto table = table_of_reports();
    for (const auto& entry : entries) {
        table.add(row_for(entry));
    }
    fmt::print("{}", next_text(table));
    say_that_there_are_more(common, found, shown, shown == 0 ? "" : entries.front().id());
}

// The number of reports that are kept in memory, to be printed the newest last.
constexpr std::size_t kept_max = 1000;

int run_list(const Common& common, const ListOptions& options) {
    wire::Request request;
    auto& list = *request.mutable_list();
    if (const auto filled = fill(options.filter, list); !filled) {
        return report(common, filled.error());
    }
    list.set_before(options.before);
    const bool is_limited =
        options.limit > 0 || (options.limit < 0 && isatty(STDOUT_FILENO) != 0 && !common.json);
    if (!is_limited) {
        const auto printed = print_between(common, request, 0, UINT64_MAX);
        return printed ? static_cast<int>(exit_done) : report(common, printed.error());
    }
    const auto limit = static_cast<std::size_t>(options.limit > 0 ? options.limit : on_a_terminal);
    list.set_want_total(!common.json);
    list.set_only_seq(limit > kept_max);
    const auto found = newest(common, request, limit);
    if (!found) {
        return report(common, found.error());
    }
    if (limit > kept_max && !found->entries.empty()) {
        list.set_only_seq(false);
        const auto shown = std::min(found->entries.size(), limit);
        const auto first = print_between(common, request, found->entries[shown - 1].seq(),
                                         found->entries.front().seq());
        if (!first) {
            return report(common, first.error());
        }
        if (!common.json) {
            say_that_there_are_more(common, *found, shown, *first);
        }
        return exit_done;
    }
    print_newest(common, *found, limit);
    return exit_done;
}

}  // namespace

void add_list(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("list", "one line a report, newest last");
    auto options = std::make_shared<ListOptions>();
    add_filter(*command, options->filter);
    command->add_option("--before", options->before, "older than this ID");
    command->add_option("--limit", options->limit, "the last N; 0: all")
        ->check(CLI::NonNegativeNumber);
    command->footer("Example: fieldpost list --inbox --since 7d");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_list(common, *options); };
    });
}

}  // namespace fieldpost::cli
