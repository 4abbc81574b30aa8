#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/queue_request.h"
#include "cli/text.h"
#include "daemon/home/office_home.h"
#include "proto/control.pb.h"
#include "proto/limits.h"
#include "proto/report.h"

namespace fieldpost::cli {

namespace {

struct QueueWords : QueueOptions {
    std::string from_json;
    bool edit = false;
    bool draft = false;
    std::string file = "-";
};

// The text of a report and its source. The file of a draft is removed once the report is queued.
struct Text {
    std::string words;
    bool is_typed = false;
    std::filesystem::path draft{};
};

Outcome<std::string> read_file(const std::filesystem::path& path) {
    auto bytes = home::read_whole(path, limits::text_bytes_max);
    if (!bytes) {
        return std::unexpected(failure_of(bytes.error()));
    }
    return std::string(as_text(*bytes));
}

// Keeps typed text as a draft, and lets the error say where it is.
Failure with_draft(Failure failure, const Text& text) {
    if (!text.draft.empty()) {
        failure.next += fmt::format("; the text is kept in {}; go on with: fieldpost queue --draft",
                                    text.draft.string());
    } else if (text.is_typed && !text.words.empty()) {
        const auto kept = keep_draft(text.words);
        failure.next += kept ? fmt::format(
                                   "; your text is kept in {}; go on with: fieldpost queue "
                                   "--draft",
                                   kept->string())
                             : "; your text could not be kept: copy it from this terminal";
    }
    return failure;
}

Outcome<Text> text_of(const QueueWords& options) {
    Text text;
    if (options.has_text) {
        text.words = options.text;
        return text;
    }
    if (options.draft || options.edit) {
        if (options.draft) {
            const auto last = last_draft();
            if (!last) {
                return std::unexpected(Failure{exit_not_found, "not_found", "there is no draft",
                                               "queue without --draft"});
            }
            text.draft = *last;
        } else {
            auto edited = edit_draft();
            if (!edited) {
                return std::unexpected(edited.error());
            }
            text.draft = *edited;
        }
        auto words = read_file(text.draft);
        if (!words) {
            return std::unexpected(words.error());
        }
        text.words = std::move(*words);
        return text;
    }
    if (options.file == "-" && isatty(STDIN_FILENO) != 0) {
        fmt::print(stderr, "Type the report; Ctrl-D ends it, Ctrl-C queues nothing.\n");
        auto typed = read_terminal(limits::text_bytes_max);
        text.words = std::move(typed.text);
        text.is_typed = true;
        return typed.broken_off
                   ? Outcome<Text>(std::unexpected(with_draft(*typed.broken_off, text)))
                   : text;
    }
    auto words =
        options.file == "-" ? read_standard_input(limits::text_bytes_max) : read_file(options.file);
    if (!words) {
        return std::unexpected(words.error());
    }
    text.words = std::move(*words);
    return text;
}

// Everything but the text is checked before a person begins to write.
Outcome<void> check(const Common& common, wire::Request request) {
    request.mutable_queue()->set_only_check(true);
    request.mutable_queue()->clear_attachments();
    wire::Answer answer;
    return ask(common, request, answer);
}

bool is_written_now(const QueueWords& options) {
    return options.edit || (options.file == "-" && !options.has_text && !options.draft &&
                            isatty(STDIN_FILENO) != 0);
}

std::optional<Failure> not_utf8(const QueueWords& options, const std::string& text) {
    if (is_valid_utf8(text)) {
        return std::nullopt;
    }
    return options.file == "-"
               ? Failure{exit_invalid, "invalid", "the text is not UTF-8", "save it as UTF-8"}
               : Failure{exit_invalid, "invalid", fmt::format("{} is no UTF-8 text", options.file),
                         fmt::format("send it with --attach {}", options.file)};
}

Outcome<std::string> input_of(const std::string& path) {
    if (path == "-") {
        return read_standard_input(limits::report_bytes_max);
    }
    auto bytes = home::read_whole(path, limits::report_bytes_max);
    if (!bytes) {
        return std::unexpected(failure_of(bytes.error()));
    }
    return std::string(as_text(*bytes));
}

Outcome<wire::Request> request_of_json(const QueueWords& options) {
    const auto input = input_of(options.from_json);
    if (!input) {
        return std::unexpected(input.error());
    }
    const auto read = read_json_report(*input, options);
    if (!read) {
        return std::unexpected(read.error());
    }
    auto request = queue_request_of(*read, read_attachment);
    if (request) {
        request->mutable_queue()->set_text(read->text);
    }
    return request;
}

int run_queue(const Common& common, const QueueWords& options) {
    auto request = options.from_json.empty() ? queue_request_of(options, read_attachment)
                                             : request_of_json(options);
    if (!request) {
        return report(common, request.error());
    }
    Text text;
    if (options.from_json.empty()) {
        if (is_written_now(options)) {
            if (const auto checked = check(common, *request); !checked) {
                return report(common, checked.error());
            }
        }
        auto read = text_of(options);
        if (!read) {
            return report(common, read.error());
        }
        text = std::move(*read);
        if (auto wrong = not_utf8(options, text.words)) {
            return report(common, with_draft(*wrong, text));
        }
        request->mutable_queue()->set_text(text.words);
    }
    if (text.is_typed && !text.words.empty()) {
        // The draft is kept before the daemon is asked. Then no end of this program loses the text.
        text.draft = keep_draft(text.words).value_or("");
    }
    wire::Answer answer;
    if (const auto asked = ask(common, *request, answer, Asking::to_change); !asked) {
        return report(common, with_draft(asked.error(), text));
    }
    if (!text.draft.empty()) {
        std::error_code ignored;
        std::filesystem::remove(text.draft, ignored);
    }
    nlohmann::json object = {{"id", answer.id()}, {"hash", to_hex(as_bytes(answer.hash()))}};
    if (answer.left_out_size() > 0) {
        object["left_out"] =
            std::vector<std::string>(answer.left_out().begin(), answer.left_out().end());
    }
    const auto line = (common.json ? json_text(object) : answer.id()) + "\n";
    if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() ||
        std::fflush(stdout) != 0) {
        return report(common,
                      {exit_timed_out,
                       "output",
                       fmt::format("{} is queued, but its ID could not be written", answer.id()),
                       "do not queue it again",
                       {answer.id()}});
    }
    for (const auto& one : answer.left_out()) {
        if (!common.json) {
            fmt::print(stderr, "It is not sent to one of them: {}\n", safe_line(one));
        }
    }
    if (!common.json && !answer.obstacle().empty()) {
        fmt::print(stderr, "It goes nowhere yet: {}\n", answer.obstacle());
    } else if (!common.json && isatty(STDERR_FILENO) != 0 && !common.quiet) {
        fmt::print(stderr, "state   queued; kept here until it is delivered\n");
    }
    return exit_done;
}

}  // namespace

void add_queue(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("queue", "queue a report");
    auto options = std::make_shared<QueueWords>();
    if (const char* staff = std::getenv("FIELDPOST_STAFF"); staff != nullptr) {
        options->staff = staff;
    }
    command->add_option("--to", options->to, "an office or a @group; may be repeated")
        ->allow_extra_args(false);
    command->add_option("--subject", options->subject, "one line, shown in lists");
    command->add_option("--priority", options->priority, "urgent, normal or bulk")
        ->check(CLI::IsMember({"urgent", "normal", "bulk"}));
    command->add_option("--expires", options->expires, "how long it is worth carrying: 36h, 30d");
    command->add_option("--type", options->type, "the name of a form");
    command->add_option("--field", options->fields, "KEY=VALUE; may be repeated")
        ->allow_extra_args(false);
    command->add_option("--attach", options->attachments, "a file; may be repeated")
        ->allow_extra_args(false);
    command->add_option("--reply-to", options->reply_to, "the report this answers");
    command->add_option("--replaces", options->replaces, "the own report this corrects");
    command->add_option("--staff", options->staff, "who writes it");
    command->add_option("--key", options->key, "queue the same content once only");
    auto* text = command->add_option_function<std::string>(
        "--text",
        [options](const std::string& given) {
            options->text = given;
            options->has_text = true;
        },
        "the text itself");
    auto* edit = command->add_flag("--edit", options->edit, "write it with $VISUAL or $EDITOR");
    auto* draft = command->add_flag("--draft", options->draft,
                                    "take up the last text that could not be queued");
    auto* file =
        command->add_option("FILE", options->file, "the text; - or nothing: standard input");
    text->excludes(edit)->excludes(draft)->excludes(file);
    edit->excludes(draft)->excludes(file);
    draft->excludes(file);
    const auto others = command->get_options();
    auto* json = command->add_option("--from-json", options->from_json,
                                     "the whole report as one JSON object, and nothing besides");
    for (auto* other : others) {
        if (other->get_name() != "--help") {
            json->excludes(other);
        }
    }
    command->footer(
        "Example: fieldpost queue --to hq --priority urgent <<< \"well 7 needs chlorine\"");
    command->callback([&common, &run, options] {
        run = [&common, options] { return run_queue(common, *options); };
    });
}

}  // namespace fieldpost::cli
