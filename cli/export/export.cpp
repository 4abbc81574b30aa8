// `export`: reports for other programs, in a file that is whole or not there.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/ask_ahead.h"
#include "cli/attachments.h"
#include "cli/command.h"
#include "cli/export/attachment_files.h"
#include "cli/export/csv.h"
#include "cli/export/spool.h"
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

// The destination of an export: standard output, or a file that appears when it is whole.
class Output {
public:
    static Outcome<Output> open(const std::string& path) {
        Output output;
        if (!goes_to_stdout(path)) {
            auto file = OutputFile::create_private(path);
            if (!file) {
                return std::unexpected(file.error());
            }
            output.file_.emplace(std::move(*file));
        }
        return output;
    }
    static bool goes_to_stdout(const std::string& path) { return path.empty() || path == "-"; }

    Outcome<void> write(std::string_view bytes) {
        if (file_) {
            return file_->write(bytes);
        }
        return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() ? Outcome<void>{}
                                                                                  : not_taken();
    }
    // Afterwards all is on the disk, under its name.
    Outcome<void> finish() {
        if (!file_) {
            return std::fflush(stdout) == 0 ? Outcome<void>{} : not_taken();
        }
        auto closed = file_->close();
        return closed ? file_->replace() : closed;
    }

private:
    Output() = default;
    static Outcome<void> not_taken() {
        const bool is_full = errno == ENOSPC || errno == EDQUOT;
        return std::unexpected(Failure{
            is_full ? exit_no_space : exit_failed, is_full ? "no_space" : "failed",
            fmt::format("standard output takes no more: {}", std::strerror(errno)),
            is_full ? "free space there, then try again" : "look at the program that reads it"});
    }
    std::optional<OutputFile> file_;
};

using TakeEntry = std::function<Outcome<void>(const wire::Entry&)>;

// The newest change and the newest arrival, when the export begins.
struct Beginning {
    std::uint64_t change = 0;
    std::uint64_t last = 0;
};

// Reports are exported as they were current when the export began: a correction that came meanwhile
// is not in it, and so does not take the place of the report that it corrects.
bool is_wanted(const wire::Entry& entry, const Beginning& begins, bool all_versions) {
    const bool was_replaced =
        entry.replaced_by_seq() != 0 && entry.replaced_by_seq() <= begins.last;
    const bool was_withdrawn =
        entry.withdrawn_unix_s() != 0 && entry.withdrawn_change() <= begins.change;
    return entry.is_open() && (all_versions || !(was_replaced || was_withdrawn));
}

// Gives `take` what fits, in the order of arrival, up to the newest arrival at the beginning.
Outcome<void> each_report(const Common& common, const ExportOptions& options, wire::Request request,
                          const Beginning& begins, const TakeEntry& take) {
    ProgressLine progress(common);
    auto& list = *request.mutable_list();
    list.set_with_content(true);
    list.set_all_versions(true);
    std::uint64_t done = 0;
    auto next = ask_ahead(common, request);
    while (true) {
        const auto answer = next.get();
        if (!answer) {
            return std::unexpected(answer.error());
        }
        const bool is_last = answer->next_seq() == 0 || answer->next_seq() > begins.last;
        if (!is_last) {
            list.set_from_seq(answer->next_seq());
            next = ask_ahead(common, request);
        }
        for (const auto& entry : answer->entries()) {
            if (entry.seq() > begins.last) {
                return {};
            }
            if (!is_wanted(entry, begins, options.filter.all_versions)) {
                continue;
            }
            if (auto taken = take(entry); !taken) {
                return taken;
            }
            ++done;
        }
        if (is_last) {
            return {};
        }
        progress.show(fmt::format("{} reports", done));
    }
}

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
    list.set_all_versions(true);
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
    ordered_json line{{"change", change != 0 ? ordered_json(change) : ordered_json()}, {"op", op}};
    for (const auto& [key, value] : rest.items()) {
        if (key != "change") {  // a report has one of its own: of its newest change
            line[key] = value;
        }
    }
    return line;
}

// The sums of its attachments, which are saved if that is wanted. Where one cannot be read, there
// is none, and the export goes on: a damaged file must not keep everything else here.
Outcome<std::vector<std::string>> sums_or_none(const Common& common, const ExportOptions& options,
                                               const wire::Entry& entry) {
    auto sums = options.attachments.empty() ? sums_of(common, entry)
                                            : save_attachments(common, options.attachments, entry);
    const bool is_unreadable = !sums && sums.error().code == unreadable_attachment;
    if (is_unreadable) {
        fmt::print(stderr, "fieldpost: an attachment of {} cannot be read; {}\n", entry.id(),
                   "its other words are exported");
        return std::vector<std::string>{};
    }
    return sums;
}

// A report as one line.
Outcome<std::string> report_line(const Common& common, const ExportOptions& options,
                                 std::uint64_t change, const wire::Entry& entry) {
    const auto sums = sums_or_none(common, options, entry);
    if (!sums) {
        return std::unexpected(sums.error());
    }
    return json_text(with_head(change, "report", show_json(entry, *sums))) + "\n";
}

ordered_json change_json(const wire::Change& change) {
    const auto& entry = change.entry();
    ordered_json line{{"id", entry.id()}, {"hash", text_or_null(to_hex(as_bytes(entry.hash())))}};
    if (change.op() == "replaced") {
        line["replaced_by"] = text_or_null(entry.replaced_by());
    } else if (change.op() == "answer") {
        line["answer_id"] = change.answer_id();
        line["office"] = text_or_null(change.office());
        line["outcome"] = text_or_null(word_of(change.outcome()));
        line["note"] = text_or_null(change.note());
        line["staff"] = text_or_null(change.staff());
        line["at"] = time_or_null(change.at_unix_s());
    } else if (change.op() == "state") {
        line["office"] = text_or_null(change.office());
        line["state"] = text_or_null(change.state());
        line["reason"] = text_or_null(change.reason());
        line["at"] = time_or_null(change.at_unix_s());
    } else if (change.op() == "withdrawn") {
        line["at"] = time_or_null(change.at_unix_s());
        line["reason"] = text_or_null(change.reason());
    } else if (change.op() == "forgotten") {
        line["at"] = time_or_null(change.at_unix_s());
    }
    return with_head(change.number(), change.op(), line);
}

// --- the file of a cursor: the place, and the filter that it belongs to

struct Cursor {
    std::string place;  // opaque; empty: the beginning
    std::uint64_t change = 0;
    ordered_json filter;
    // The time that --since meant at the first export. An age means another time each day.
    std::int64_t since_unix_s = 0;
};

Failure bad_cursor(const std::string& path, const std::string& why, const std::string& next) {
    return {exit_invalid, "invalid", fmt::format("{} {}", safe_line(path), why), next};
}

Outcome<Cursor> read_cursor(const std::string& path, const Cursor& fresh) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        std::error_code error;
        const bool is_there = fs::exists(path, error) || error;
        return is_there
                   ? Outcome<Cursor>(std::unexpected(Failure{
                         exit_refused, "no_access",
                         fmt::format("{} cannot be read", safe_line(path)), "can you read it?"}))
                   : fresh;
    }
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto json = ordered_json::parse(text, nullptr, false);
    const auto has = [&](const char* key, auto is_kind) {
        return json.is_object() && json.contains(key) && (json[key].*is_kind)();
    };
    const auto place = has("place", &ordered_json::is_string)
                           ? from_hex(json["place"].get<std::string>())
                           : std::nullopt;
    if (!place || !has("filter", &ordered_json::is_object) ||
        !has("change", &ordered_json::is_number_unsigned) ||
        !has("since_unix_s", &ordered_json::is_number_integer)) {
        return std::unexpected(
            bad_cursor(path, "is no cursor", "name another file, or take it away to begin anew"));
    }
    if (json["filter"] != fresh.filter) {
        return std::unexpected(bad_cursor(path, "belongs to an export with another filter",
                                          "use one cursor for each filter"));
    }
    return Cursor{std::string(as_text(*place)), json["change"].get<std::uint64_t>(), fresh.filter,
                  json["since_unix_s"].get<std::int64_t>()};
}

std::string text_of(const Cursor& cursor) {
    const ordered_json json{{"place", to_hex(as_bytes(cursor.place))},
                            {"change", cursor.change},
                            {"filter", cursor.filter},
                            {"since_unix_s", cursor.since_unix_s}};
    return json.dump(2) + "\n";
}

int run_with_cursor(const Common& common, const ExportOptions& options, wire::ListRequest filter) {
    // Held until the end, so that no other export moves this cursor meanwhile.
    auto cursor_file = OutputFile::create_private(options.cursor);
    if (!cursor_file) {
        return report(common, cursor_file.error());
    }
    auto cursor =
        read_cursor(options.cursor, {{}, 0, json_of(options.filter), filter.since_unix_s()});
    if (!cursor) {
        return report(common, cursor.error());
    }
    auto output = Output::open(options.output);
    if (!output) {
        return report(common, output.error());
    }
    ProgressLine progress(common);
    filter.set_since_unix_s(cursor->since_unix_s);
    // A reader that has a report has to hear that another one corrects it.
    filter.set_all_versions(true);
    wire::Request request;
    *request.mutable_feed()->mutable_filter() = filter;
    std::uint64_t told = 0;
    // Later changes are told the next time. Otherwise an export of a busy office would never end.
    std::optional<std::uint64_t> until;
    bool is_over = false;
    request.mutable_feed()->set_place(cursor->place);
    auto next = ask_ahead(common, request);
    while (!is_over) {
        const auto answer = next.get();
        if (!answer) {
            return report(common, answer.error());
        }
        const auto& feed = answer->feed();
        if (!feed.is_end()) {
            request.mutable_feed()->set_place(feed.place());
            next = ask_ahead(common, request);
        }
        if (feed.begins_anew()) {
            cursor->change = 0;
            if (!common.quiet) {
                progress.clear();
                fmt::print(stderr,
                           "The store was made anew or put back: all changes come again.\n");
            }
        }
        until = until.value_or(feed.newest());
        for (const auto& change : feed.changes()) {
            const bool is_report = change.op() == "report";
            // A forgotten report is told without its words. One that was never read has no hash.
            if (is_report && change.entry().hash().empty()) {
                continue;
            }
            progress.clear();
            const auto line = is_report
                                  ? report_line(common, options, change.number(), change.entry())
                                  : Outcome<std::string>(json_text(change_json(change)) + "\n");
            const auto written = line ? output->write(*line) : std::unexpected(line.error());
            if (!written) {
                return report(common, written.error());
            }
            cursor->change = change.number();
            ++told;
        }
        cursor->place = feed.place();
        is_over = feed.is_end() || cursor->change >= *until;
        cursor->change = feed.is_end() ? std::max(cursor->change, *until) : cursor->change;
        progress.show(fmt::format("{} changes", told));
    }
    progress.clear();
    auto done = options.attachments.empty() ? Outcome<void>{} : sync_folder(options.attachments);
    done = done ? cursor_file->write(text_of(*cursor)) : done;
    done = done ? cursor_file->close() : done;
    done = done ? output->finish() : done;
    // The place moves last: only changes that are on the disk were told.
    done = done ? cursor_file->replace() : done;
    if (!done) {
        return report(common, done.error());
    }
    if (!common.quiet) {
        fmt::print(stderr, "{} changes, up to change {}\n", told, cursor->change);
    }
    return exit_done;
}

Outcome<std::uint64_t> export_lines(const Common& common, const ExportOptions& options,
                                    const wire::Request& request, const Beginning& begins) {
    auto output = Output::open(options.output);
    if (!output) {
        return std::unexpected(output.error());
    }
    std::uint64_t count = 0;
    auto done = each_report(
        common, options, request, begins, [&](const wire::Entry& entry) -> Outcome<void> {
            const auto line = report_line(common, options, entry.change(), entry);
            ++count;
            return line ? output->write(*line) : std::unexpected(line.error());
        });
    done = done ? output->finish() : done;
    return done ? Outcome<std::uint64_t>(count) : std::unexpected(done.error());
}

Outcome<void> write_csv(const ExportOptions& options, Spool& spool, const FieldColumns& columns) {
    auto output = Output::open(options.output);
    if (!output) {
        return std::unexpected(output.error());
    }
    const auto delimiter = options.delimiter.front();
    auto done = output->write(csv_head(columns, delimiter));
    done = done ? spool.each([&](const wire::Entry& entry) {
        return output->write(csv_line(row_of(entry), columns, delimiter));
    })
                : done;
    return done ? output->finish() : done;
}

Outcome<void> write_workbook(const ExportOptions& options, Spool& spool, const WorkbookPlan& plan,
                             const Beginning& begins, std::uint64_t count) {
    auto file = OutputFile::create_private(options.output);
    if (!file) {
        return std::unexpected(file.error());
    }
    auto workbook = Workbook::create(file->temporary(), plan);
    if (!workbook) {
        return std::unexpected(workbook.error());
    }
    auto done = spool.each([&](const wire::Entry& entry) { return workbook->add(row_of(entry)); });
    done = done ? workbook->close({{"made by", "fieldpost"},
                                   {"made at", rfc3339(unix_now())},
                                   {"up to change", std::to_string(begins.change)},
                                   {"reports", std::to_string(count)}})
                : done;
    done = done ? file->close() : done;
    return done ? file->replace() : done;
}

// A table needs to know all columns before the first row.
Outcome<std::uint64_t> export_table(const Common& common, const ExportOptions& options,
                                    const wire::Request& request, const Beginning& begins) {
    const bool is_to_stdout = Output::goes_to_stdout(options.output);
    auto spool = Spool::create(is_to_stdout ? fs::path() : fs::path(options.output).parent_path());
    if (!spool) {
        return std::unexpected(spool.error());
    }
    WorkbookPlan plan;
    FieldColumns columns;
    std::uint64_t count = 0;
    auto done = each_report(
        common, options, request, begins, [&](const wire::Entry& entry) -> Outcome<void> {
            ++count;
            if (options.format == "xlsx") {
                plan.add(row_of(entry));
            } else {
                for (const auto& field : entry.fields()) {
                    columns.add(field.key());
                }
            }
            if (!options.attachments.empty()) {
                if (const auto saved = sums_or_none(common, options, entry); !saved) {
                    return std::unexpected(saved.error());
                }
            }
            return spool->add(entry);
        });
    if (done) {
        done = options.format == "xlsx" ? write_workbook(options, *spool, plan, begins, count)
                                        : write_csv(options, *spool, columns);
    }
    return done ? Outcome<std::uint64_t>(count) : std::unexpected(done.error());
}

// The file as it will lie on the disk, or the name that it has until then.
bool are_one_file(const std::string& a, const std::string& b) {
    const auto place_of = [](const std::string& path) {
        std::error_code error;
        const auto folder = fs::path(path).parent_path();
        return fs::weakly_canonical(folder.empty() ? "." : folder, error) /
               fs::path(path).filename();
    };
    return place_of(a) == place_of(b) || place_of(a + ".part") == place_of(b) ||
           place_of(a) == place_of(b + ".part");
}

std::optional<Failure> no_plain_file(const std::string& path) {
    std::error_code error;
    const auto status = fs::symlink_status(path, error);
    if (path.empty() || !fs::exists(status) || fs::is_regular_file(status)) {
        return std::nullopt;
    }
    return Failure{exit_invalid, "invalid", fmt::format("{} is no plain file", safe_line(path)),
                   "name another file"};
}

std::optional<Failure> wrong_use(const ExportOptions& options) {
    if (!options.cursor.empty() &&
        (options.format != "jsonl" || Output::goes_to_stdout(options.output))) {
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
    if (!options.cursor.empty() && are_one_file(options.output, options.cursor)) {
        return Failure{exit_usage, "usage", "the output and the cursor are one file",
                       "name two files"};
    }
    for (const auto& path : {options.output, options.cursor}) {
        if (auto wrong = Output::goes_to_stdout(path) ? std::nullopt : no_plain_file(path)) {
            return wrong;
        }
    }
    if (options.format == "xlsx" && Output::goes_to_stdout(options.output)) {
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
