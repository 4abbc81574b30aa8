// `export`: reports for other programs, in a file that is whole or not there.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/attachments.h"
#include "cli/command.h"
#include "cli/export/attachment_files.h"
#include "cli/export/csv.h"
#include "cli/export/workbook.h"
#include "cli/json.h"
#include "cli/medium.h"
#include "cli/progress.h"
#include "cli/report_filter.h"
#include "cli/reports.h"
#include "cli/text.h"
#include "cli/words.h"
#include "proto/bytes.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

struct ExportOptions {
    ReportFilter filter;
    std::string format = "csv";
    std::string output;
    std::string cursor;
    std::string attachments;
    std::string delimiter = ",";
};

// Where the export goes: standard output, or a file that appears when it is whole.
class Output {
public:
    static Outcome<Output> open(const std::string& path) {
        Output output;
        if (!path.empty() && path != "-") {
            auto file = OutputFile::create_private(path);
            if (!file) {
                return std::unexpected(file.error());
            }
            output.file_.emplace(std::move(*file));
        }
        return output;
    }
    Outcome<void> write(std::string_view bytes) {
        if (file_) {
            return file_->write(bytes);
        }
        if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size()) {
            return std::unexpected(not_taken());
        }
        return {};
    }
    // Afterwards all is on the disk, under its name.
    Outcome<void> finish() {
        if (!file_) {
            return std::fflush(stdout) == 0 ? Outcome<void>{} : std::unexpected(not_taken());
        }
        auto closed = file_->close();
        return closed ? file_->replace() : closed;
    }

private:
    Output() = default;
    static Failure not_taken() {
        return {exit_failed, "failed", "standard output takes no more",
                "look at the program that reads it"};
    }
    std::optional<OutputFile> file_;
};

using TakeEntry = std::function<Outcome<void>(const wire::Entry&)>;

// Gives `take` what fits, in the order of arrival, up to the arrival `last`.
Outcome<void> each_report(const Common& common, wire::Request request, std::uint64_t last,
                          ProgressLine& progress, const TakeEntry& take) {
    auto& list = *request.mutable_list();
    list.set_with_content(true);
    std::uint64_t done = 0;
    while (true) {
        wire::Answer answer;
        if (auto asked = ask(common, request, answer); !asked) {
            return asked;
        }
        for (const auto& entry : answer.entries()) {
            if (entry.seq() > last) {
                return {};
            }
            if (auto taken = take(entry); !taken) {
                return taken;
            }
            ++done;
        }
        if (answer.next_seq() == 0 || answer.next_seq() > last) {
            return {};
        }
        progress.show(fmt::format("{} reports", done));
        list.set_from_seq(answer.next_seq());
    }
}

// The newest change and the newest arrival, when the export begins.
struct Beginning {
    std::uint64_t change = 0;
    std::uint64_t last = 0;
};
Outcome<Beginning> beginning(const Common& common, wire::Request request) {
    Beginning begins;
    wire::Request feed;
    feed.mutable_feed()->set_only_end(true);
    wire::Answer answer;
    if (auto asked = ask(common, feed, answer); !asked) {
        return std::unexpected(asked.error());
    }
    begins.change = answer.feed().newest();
    auto& list = *request.mutable_list();
    list.set_newest_first(true);
    list.set_only_seq(true);
    list.set_limit(1);
    do {
        if (auto asked = ask(common, request, answer); !asked) {
            return std::unexpected(asked.error());
        }
        list.set_from_seq(answer.next_seq());
    } while (answer.entries_size() == 0 && answer.next_seq() != 0);
    begins.last = answer.entries_size() == 0 ? 0 : answer.entries(0).seq();
    return begins;
}

ordered_json with_head(std::uint64_t change, const std::string& op, const ordered_json& rest) {
    ordered_json line{{"change", change}, {"op", op}};
    for (const auto& [key, value] : rest.items()) {
        if (key != "change") {  // a report has one of its own: of its newest change
            line[key] = value;
        }
    }
    return line;
}

// A report as one line, with the sums of its attachments. Saves them if they are wanted.
Outcome<std::string> report_line(const Common& common, const ExportOptions& options,
                                 std::uint64_t change, const wire::Entry& entry) {
    const auto sums = options.attachments.empty()
                          ? sums_of(common, entry)
                          : save_attachments(common, options.attachments, entry);
    if (!sums) {
        return std::unexpected(sums.error());
    }
    return json_text(with_head(change, "report", show_json(entry, *sums))) + "\n";
}

ordered_json change_json(const wire::Change& change) {
    const auto& entry = change.entry();
    ordered_json line{{"id", entry.id()},
                      {"hash", entry.is_open() ? ordered_json(to_hex(as_bytes(entry.hash())))
                                               : ordered_json(nullptr)}};
    if (change.op() == "replaced") {
        line["replaced_by"] = text_or_null(entry.replaced_by());
    } else if (change.op() == "answer") {
        line["answer_id"] = change.answer_id();
        line["office"] = change.office();
        line["outcome"] = text_or_null(word_of(change.outcome()));
        line["note"] = text_or_null(change.note());
        line["staff"] = text_or_null(change.staff());
        line["at"] = time_or_null(change.at_unix_s());
    } else if (change.op() == "state") {
        line["office"] = change.office();
        line["state"] = change.state();
        line["reason"] = text_or_null(change.reason());
        line["at"] = time_or_null(change.at_unix_s());
    }
    return with_head(change.number(), change.op(), line);
}

// --- the file of a cursor: the place, and the filter that it belongs to

struct Cursor {
    std::string place;  // opaque; empty: the beginning
    ordered_json filter;
};

Failure bad_cursor(const std::string& path, const std::string& why, const std::string& next) {
    return {exit_invalid, "invalid", fmt::format("{} {}", safe_line(path), why), next};
}

Outcome<Cursor> read_cursor(const std::string& path, const ordered_json& filter) {
    std::error_code error;
    if (!fs::exists(path, error)) {
        return Cursor{"", filter};
    }
    std::ifstream in(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto json = ordered_json::parse(text, nullptr, false);
    const bool has_both = json.is_object() && json.contains("place") && json["place"].is_string() &&
                          json.contains("filter");
    const auto place = has_both ? from_hex(json["place"].get<std::string>()) : std::nullopt;
    if (!in || !place) {
        return std::unexpected(
            bad_cursor(path, "is no cursor", "name another file, or take it away to begin anew"));
    }
    if (json["filter"] != filter) {
        return std::unexpected(bad_cursor(path, "belongs to an export with another filter",
                                          "use one cursor for each filter"));
    }
    return Cursor{std::string(as_text(*place)), filter};
}

Outcome<void> write_cursor(const std::string& path, const Cursor& cursor, std::uint64_t change) {
    auto file = OutputFile::create_private(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    const ordered_json json{
        {"place", to_hex(as_bytes(cursor.place))}, {"change", change}, {"filter", cursor.filter}};
    auto done = file->write(json.dump(2) + "\n");
    done = done ? file->close() : done;
    return done ? file->replace() : done;
}

int run_with_cursor(const Common& common, const ExportOptions& options,
                    const wire::ListRequest& filter) {
    auto cursor = read_cursor(options.cursor, json_of(options.filter));
    if (!cursor) {
        return report(common, cursor.error());
    }
    auto output = Output::open(options.output);
    if (!output) {
        return report(common, output.error());
    }
    ProgressLine progress(common);
    wire::Request request;
    *request.mutable_feed()->mutable_filter() = filter;
    // Who has a report has to hear that another one corrects it.
    request.mutable_feed()->mutable_filter()->set_all_versions(true);
    std::uint64_t told = 0;
    std::uint64_t newest = 0;
    // What changes meanwhile is told the next time, or a busy office would never come to an end.
    std::optional<std::uint64_t> until;
    bool is_over = false;
    while (!is_over) {
        request.mutable_feed()->set_place(cursor->place);
        wire::Answer answer;
        if (const auto asked = ask(common, request, answer); !asked) {
            return report(common, asked.error());
        }
        const auto& feed = answer.feed();
        if (feed.begins_anew() && !common.quiet) {
            progress.clear();
            fmt::print(stderr, "The store was made anew or put back: all changes come again.\n");
        }
        until = until.value_or(feed.newest());
        for (const auto& change : feed.changes()) {
            const auto line = change.op() == "report"
                                  ? report_line(common, options, change.number(), change.entry())
                                  : Outcome<std::string>(json_text(change_json(change)) + "\n");
            const auto written = line ? output->write(*line) : std::unexpected(line.error());
            if (!written) {
                return report(common, written.error());
            }
            newest = change.number();
            ++told;
        }
        cursor->place = feed.place();
        is_over = feed.is_end() || newest >= *until;
        progress.show(fmt::format("{} changes", told));
    }
    progress.clear();
    auto done = output->finish();
    done = done ? write_cursor(options.cursor, *cursor, newest) : done;
    if (!done) {
        return report(common, done.error());
    }
    if (!common.quiet) {
        fmt::print(stderr, "{} changes\n", told);
    }
    return exit_done;
}

Outcome<std::uint64_t> export_lines(const Common& common, const ExportOptions& options,
                                    const wire::Request& request, const Beginning& begins) {
    auto output = Output::open(options.output);
    if (!output) {
        return std::unexpected(output.error());
    }
    ProgressLine progress(common);
    std::uint64_t count = 0;
    auto done = each_report(
        common, request, begins.last, progress, [&](const wire::Entry& entry) -> Outcome<void> {
            const auto line = report_line(common, options, entry.change(), entry);
            ++count;
            return line ? output->write(*line) : std::unexpected(line.error());
        });
    done = done ? output->finish() : done;
    return done ? Outcome<std::uint64_t>(count) : std::unexpected(done.error());
}

// Tables need to know all columns before the first row.
Outcome<std::uint64_t> export_table(const Common& common, const ExportOptions& options,
                                    const wire::Request& request, const Beginning& begins) {
    ProgressLine progress(common);
    std::map<std::string, FieldColumns> by_type;
    FieldColumns columns;
    const bool is_workbook = options.format == "xlsx";
    const auto looked = each_report(
        common, request, begins.last, progress, [&](const wire::Entry& entry) -> Outcome<void> {
            auto& wanted = is_workbook ? by_type[entry.type()] : columns;
            for (const auto& field : entry.fields()) {
                wanted.place_of(field.key());
            }
            return {};
        });
    if (!looked) {
        return std::unexpected(looked.error());
    }
    std::uint64_t count = 0;
    const auto save = [&](const wire::Entry& entry) -> Outcome<void> {
        ++count;
        if (options.attachments.empty()) {
            return {};
        }
        const auto saved = save_attachments(common, options.attachments, entry);
        return saved ? Outcome<void>{} : std::unexpected(saved.error());
    };
    if (is_workbook) {
        auto file = OutputFile::create_private(options.output);
        if (!file) {
            return std::unexpected(file.error());
        }
        Workbook workbook(file->temporary(), by_type);
        auto done = each_report(common, request, begins.last, progress,
                                [&](const wire::Entry& entry) -> Outcome<void> {
                                    auto added = workbook.add(row_of(entry));
                                    return added ? save(entry) : added;
                                });
        done = done ? workbook.close({{"made by", "fieldpost"},
                                      {"made at", rfc3339(unix_now())},
                                      {"up to change", std::to_string(begins.change)},
                                      {"reports", std::to_string(count)}})
                    : done;
        done = done ? file->close() : done;
        done = done ? file->replace() : done;
        return done ? Outcome<std::uint64_t>(count) : std::unexpected(done.error());
    }
    auto output = Output::open(options.output);
    if (!output) {
        return std::unexpected(output.error());
    }
    const auto delimiter = options.delimiter.front();
    auto done = output->write(csv_head(columns, delimiter));
    done = done ? each_report(common, request, begins.last, progress,
                              [&](const wire::Entry& entry) -> Outcome<void> {
                                  auto written =
                                      output->write(csv_line(row_of(entry), columns, delimiter));
                                  return written ? save(entry) : written;
                              })
                : done;
    done = done ? output->finish() : done;
    return done ? Outcome<std::uint64_t>(count) : std::unexpected(done.error());
}

std::optional<Failure> wrong_use(const ExportOptions& options) {
    if (!options.cursor.empty() && (options.format != "jsonl" || options.output.empty())) {
        return Failure{exit_usage, "usage", "--cursor goes with --format jsonl and --output",
                       "see: fieldpost export --help"};
    }
    const auto& filter = options.filter;
    if (!options.cursor.empty() && (!filter.state.empty() || !filter.outcome.empty() ||
                                    !filter.held_by.empty() || filter.unanswered)) {
        return Failure{exit_usage, "usage",
                       "a report may come to fit --state, --outcome, --held-by or --unanswered "
                       "after its change was told",
                       "leave them out with --cursor"};
    }
    if (options.format == "xlsx" && (options.output.empty() || options.output == "-")) {
        return Failure{exit_usage, "usage", "a workbook cannot go to standard output",
                       "name a file with --output"};
    }
    if (options.delimiter.size() != 1 ||
        std::string_view("\"\r\n").contains(options.delimiter.front())) {
        return Failure{exit_usage, "usage", "a delimiter is one character of ASCII",
                       "for example: --delimiter ';'"};
    }
    if (options.filter.carried) {
        return Failure{exit_usage, "usage", "what is only carried cannot be read here",
                       "leave out --carried"};
    }
    std::error_code error;
    if (!options.attachments.empty() && !fs::is_directory(options.attachments, error)) {
        return Failure{exit_not_found, "not_found",
                       fmt::format("there is no folder {}", options.attachments),
                       "make it, or choose another"};
    }
    return std::nullopt;
}

int run_export(const Common& common, const ExportOptions& options) {
    if (const auto wrong = wrong_use(options)) {
        return report(common, *wrong);
    }
    wire::Request request;
    if (const auto filled = fill(options.filter, *request.mutable_list()); !filled) {
        return report(common, filled.error());
    }
    if (!options.cursor.empty()) {
        return run_with_cursor(common, options, request.list());
    }
    const auto begins = beginning(common, request);
    if (!begins) {
        return report(common, begins.error());
    }
    const auto count = options.format == "jsonl" ? export_lines(common, options, request, *begins)
                                                 : export_table(common, options, request, *begins);
    if (!count) {
        return report(common, count.error());
    }
    if (!common.quiet) {
        fmt::print(stderr, "{} reports, up to change {}\n", *count, begins->change);
    }
    return exit_done;
}

}  // namespace

void add_export(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("export", "reports for a spreadsheet or another program");
    auto options = std::make_shared<ExportOptions>();
    add_filter(*command, options->filter);
    command->add_option("--format", options->format, "csv (the default), jsonl or xlsx")
        ->check(CLI::IsMember({"csv", "jsonl", "xlsx"}));
    command->add_option("--output", options->output,
                        "into this file, which is replaced when the export is whole");
    command->add_option("--cursor", options->cursor,
                        "what changed since the last export with this file; jsonl only");
    command->add_option("--attachments", options->attachments, "save attachments in this folder");
    command->add_option("--delimiter", options->delimiter, "of csv; French Excel wants ';'");
    command->footer("Example: fieldpost export --inbox --format xlsx --output reports.xlsx");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_export(common, *options); };
    });
}

}  // namespace fieldpost::cli
