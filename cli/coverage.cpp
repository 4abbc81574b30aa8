#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/text.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

using nlohmann::ordered_json;

struct CoverageOptions {
    std::string type;
    std::string since;
};

Outcome<wire::Coverage> ask_coverage(const Common& common, wire::CoverageRequest question) {
    ProgressLine progress(common);
    wire::Coverage all;
    while (true) {
        wire::Request request;
        *request.mutable_coverage() = question;
        wire::Answer answer;
        if (auto asked = ask(common, request, answer); !asked) {
            return std::unexpected(std::move(asked).error());
        }
        auto& part = *answer.mutable_coverage();
        if (part.is_looking()) {
            // Parts that came before may have changed meanwhile.
            progress.show(fmt::format("looked at {} reports", part.looked_at()));
            all.Clear();
            question.clear_from();
            continue;
        }
        const bool goes_on = !question.from().empty() && all.expected_size() > 0;
        for (int i = 0; i < part.expected_size(); ++i) {
            auto& expected = *part.mutable_expected(i);
            if (i == 0 && goes_on) {
                all.mutable_expected()->rbegin()->mutable_cells()->MergeFrom(expected.cells());
            } else {
                all.mutable_expected()->Add(std::move(expected));
            }
        }
        if (answer.next_part().empty()) {
            return all;
        }
        question.set_from(answer.next_part());
    }
}

ordered_json json_of(const wire::Coverage& coverage) {
    auto array = ordered_json::array();
    for (const auto& expected : coverage.expected()) {
        for (const auto& cell : expected.cells()) {
            array.push_back(
                {{"type", expected.type()},
                 {"office", cell.office()},
                 {"period", cell.period()},
                 {"due_at", rfc3339(cell.due_unix_s())},
                 {"state", cell.state()},
                 {"ids", std::vector<std::string>(cell.ids().begin(), cell.ids().end())}});
        }
    }
    return array;
}

// Short, so that nine periods stand beside each other on 80 columns.
std::string word_of(const std::string& state) {
    return state == "nothing" ? "none" : state;
}

// The year is in the line above: "W46", "11-21"; a month keeps it.
std::string column_of(const std::string& every, const std::string& period) {
    return every == "month" ? period : period.substr(period.find('-') + 1);
}

// The number of periods that stand beside the longest name.
std::size_t periods_a_table(const wire::Coverage::Expected& expected) {
    constexpr std::size_t gap = 2;
    std::size_t name = std::string_view("OFFICE").size();
    std::size_t word = 0;
    for (const auto& cell : expected.cells()) {
        name = std::max(name, cell.office().size());
        word = std::max({word, word_of(cell.state()).size(),
                         column_of(expected.every(), cell.period()).size()});
    }
    return std::max<std::size_t>(1, (terminal_width() - name) / (gap + word));
}

void print_expected(const wire::Coverage::Expected& expected) {
    const auto s = expected.due_s();
    const auto due = s == 0           ? "at"
                     : s % 86400 == 0 ? fmt::format("{} d after", s / 86400)
                     : s % 3600 == 0  ? fmt::format("{} h after", s / 3600)
                                      : fmt::format("{} min after", s / 60);
    fmt::print("{} from {}, every {}, due {} its end\n", safe_line(expected.type()),
               expected.from(), expected.every(), due);
    if (expected.is_nobody()) {
        fmt::print("  no office is named {}\n", expected.from());
        return;
    }
    std::set<std::string> periods;
    std::map<std::string, std::map<std::string, const wire::Coverage::Cell*>> offices;
    std::size_t overdue = 0;
    for (const auto& cell : expected.cells()) {
        periods.insert(cell.period());
        offices[cell.office()][cell.period()] = &cell;
        overdue += cell.state() == "coming" || cell.state() == "nothing" ? 1 : 0;
    }
    if (offices.empty()) {
        fmt::print("  no office owes a report yet\n");
        return;
    }
    const std::vector<std::string> all(periods.begin(), periods.end());
    const auto a_table = periods_a_table(expected);
    for (std::size_t from = 0; from < all.size(); from += a_table) {
        const auto to = std::min(from + a_table, all.size());
        std::vector<std::string> head{"OFFICE"};
        for (auto i = from; i < to; ++i) {
            head.push_back(column_of(expected.every(), all[i]));
        }
        Table table(head);
        for (const auto& [office, cells] : offices) {
            std::vector<std::string> row{office};
            for (auto i = from; i < to; ++i) {
                const auto cell = cells.find(all[i]);
                row.push_back(cell == cells.end() ? "" : word_of(cell->second->state()));
            }
            table.add(std::move(row));
        }
        fmt::print("{} to {}\n{}", all[from], all[to - 1],
                   table.text(terminal_width(), {.names = {0}}));
    }
    fmt::print("{} overdue\n", overdue == 0   ? "none is"
                               : overdue == 1 ? "1 is"
                                              : fmt::format("{} are", overdue));
}

int run_coverage(const Common& common, const CoverageOptions& options) {
    wire::CoverageRequest question;
    question.set_type(options.type);
    if (!options.since.empty()) {
        const auto since = parse_time(options.since);
        if (!since) {
            return report(common, no_time(options.since));
        }
        question.set_since_unix_s(*since);
    }
    const auto coverage = ask_coverage(common, question);
    if (!coverage) {
        return report(common, coverage.error());
    }
    if (common.json) {
        fmt::print("{}\n", json_text(json_of(*coverage)));
        return exit_done;
    }
    for (const auto& expected : coverage->expected()) {
        print_expected(expected);
        fmt::print("\n");
    }
    if (coverage->expected_size() == 0) {
        fmt::print("no report is expected here; see [[expect]] in fieldpost.toml\n");
    } else {
        fmt::print(
            "here: in time. late: here, after it was due. open: not due yet.\n"
            "coming: overdue, but the office has sent something that is not here yet.\n"
            "none: overdue, and nothing of it is known here, or it was forgotten here.\n");
    }
    return exit_done;
}

}  // namespace

void add_coverage(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("coverage", "which office owes which report");
    auto options = std::make_shared<CoverageOptions>();
    command->add_option("--type", options->type, "reports of this type alone");
    command->add_option("--since", options->since,
                        "from this time on: 2026-10-01, 90d (default: 8 periods)");
    command->footer("Example: fieldpost coverage --type weekly");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_coverage(common, *options); };
    });
}

}  // namespace fieldpost::cli
