#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/text.h"
#include "cli/words.h"
#include "daemon/home/office_home.h"
#include "proto/control.pb.h"
#include "proto/duration_text.h"
#include "proto/limits.h"
#include "proto/report.h"
#include "proto/size_text.h"

namespace fieldpost::cli {

namespace {

struct QueueOptions {
    std::vector<std::string> to;
    std::string subject;
    std::string priority = "normal";
    std::string expires;
    std::string type;
    std::uint32_t form_version = 0;  // only a program or a form gives it
    std::vector<std::string> fields;
    std::vector<std::string> attachments;
    std::string reply_to;
    std::string replaces;
    std::string staff;
    std::string key;
    std::string from_json;
    std::string text;
    bool has_text = false;
    bool edit = false;
    bool draft = false;
    std::string file = "-";
};

std::unexpected<Failure> invalid(std::string what, std::string next) {
    return std::unexpected(Failure{exit_invalid, "invalid", std::move(what), std::move(next)});
}

// The request with everything but the text.
Outcome<wire::Request> request_of(const QueueOptions& options) {
    wire::Request request;
    auto& queue = *request.mutable_queue();
    for (const auto& to : options.to) {
        queue.add_to(to);
    }
    std::size_t attached = 0;
    for (const auto& path : options.attachments) {
        auto bytes = home::read_whole(path, limits::record_bytes_max);
        if (!bytes) {
            return std::unexpected(failure_of(bytes.error()));
        }
        attached += bytes->size();
        if (attached > limits::record_bytes_max) {
            return invalid(fmt::format("the attachments are over {} together",
                                       exact_size(limits::record_bytes_max)),
                           "send them in two reports");
        }
        auto* file = queue.add_attachments();
        file->set_name(std::filesystem::path(path).filename().string());
        file->set_content(std::string(as_text(*bytes)));
    }
    for (const auto& field : options.fields) {
        const auto equals = field.find('=');
        if (equals == std::string::npos) {
            return invalid(fmt::format("the field {} has no value", field),
                           "write it as --field KEY=VALUE");
        }
        auto* added = queue.add_fields();
        added->set_key(field.substr(0, equals));
        added->set_value(field.substr(equals + 1));
    }
    const std::array<std::pair<const char*, const std::string*>, 3> words_given = {
        {{"subject", &options.subject}, {"staff name", &options.staff}, {"type", &options.type}}};
    for (const auto& [what, words] : words_given) {
        if (!is_valid_utf8(*words)) {
            return invalid(fmt::format("the {} is not UTF-8", what),
                           "type it in a terminal with a UTF-8 locale");
        }
    }
    queue.set_subject(options.subject);
    queue.set_priority(priority_of(options.priority));
    queue.set_lifetime_s(limits::lifetime_seconds_default);
    if (!options.expires.empty()) {
        const auto lifetime = parse_duration(options.expires);
        if (!lifetime || *lifetime == 0 || *lifetime > limits::lifetime_seconds_max) {
            return invalid(fmt::format("{} is no duration up to 365d", options.expires),
                           "write it as 36h or 30d");
        }
        queue.set_lifetime_s(*lifetime);
    }
    queue.set_type(options.type);
    queue.set_form_version(options.form_version);
    queue.set_utc_offset_min(utc_offset_minutes());
    queue.set_reply_to(options.reply_to);
    queue.set_replaces(options.replaces);
    queue.set_staff(options.staff);
    queue.set_key(options.key);
    return request;
}

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

Outcome<Text> text_of(const QueueOptions& options) {
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

bool is_written_now(const QueueOptions& options) {
    return options.edit || (options.file == "-" && !options.has_text && !options.draft &&
                            isatty(STDIN_FILENO) != 0);
}

std::optional<Failure> not_utf8(const QueueOptions& options, const std::string& text) {
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

using nlohmann::json;

// Takes one value of a JSON report. Its type must be one that the key allows; otherwise it is an
// error.
std::optional<std::string> take_json(const std::string& key, const json& value,
                                     QueueOptions& options, std::optional<std::string>& text) {
    const std::array<std::pair<const char*, std::string*>, 8> strings = {
        {{"subject", &options.subject},
         {"priority", &options.priority},
         {"expires", &options.expires},
         {"type", &options.type},
         {"reply_to", &options.reply_to},
         {"replaces", &options.replaces},
         {"staff", &options.staff},
         {"key", &options.key}}};
    for (const auto& [name, option] : strings) {
        if (key == name && !value.is_null()) {
            if (!value.is_string()) {
                return fmt::format("{} is no string", key);
            }
            *option = value.get<std::string>();
            return std::nullopt;
        }
    }
    if (value.is_null()) {
        return std::nullopt;
    }
    if (key == "form_version" && value.is_number_unsigned() && value <= UINT32_MAX) {
        options.form_version = value.get<std::uint32_t>();
        return std::nullopt;
    }
    if (key == "text" && value.is_string()) {
        text = value.get<std::string>();
        return std::nullopt;
    }
    const bool is_list = value.is_array() && std::ranges::all_of(value, [](const json& one) {
                             return one.is_string();
                         });
    if ((key == "to" || key == "attach") && is_list) {
        (key == "to" ? options.to : options.attachments) = value.get<std::vector<std::string>>();
        return std::nullopt;
    }
    if (key == "fields" && value.is_object()) {
        for (const auto& [name, content] : value.items()) {
            if (!content.is_string()) {
                return fmt::format("the field {} is no string", name);
            }
            options.fields.push_back(name + "=" + content.get<std::string>());
        }
        return std::nullopt;
    }
    return fmt::format("{} is not what a report has, or not of that kind", key);
}

// A report as a form or a script writes it. Options must not repeat what the report says.
Outcome<wire::Request> request_of_json(QueueOptions options) {
    auto input = input_of(options.from_json);
    if (!input) {
        return std::unexpected(input.error());
    }
    const auto object = json::parse(*input, nullptr, false);
    if (!object.is_object()) {
        return invalid("the report is not one JSON object", "see: fieldpost queue --help");
    }
    std::optional<std::string> text;
    for (const auto& [key, value] : object.items()) {
        if (const auto wrong = take_json(key, value, options, text)) {
            return invalid(*wrong,
                           "keys are to, text, subject, priority, expires, type, fields, "
                           "attach, reply_to, replaces, staff, key");
        }
    }
    if (options.priority != "urgent" && options.priority != "normal" &&
        options.priority != "bulk") {
        return invalid(fmt::format("{} is no priority", options.priority),
                       "urgent, normal or bulk");
    }
    auto request = request_of(options);
    if (request && !is_valid_utf8(text.value_or(""))) {
        return invalid("the text is not UTF-8", "save it as UTF-8");
    }
    if (request) {
        request->mutable_queue()->set_text(text.value_or(""));
    }
    return request;
}

int run_queue(const Common& common, const QueueOptions& options) {
    auto request = options.from_json.empty() ? request_of(options) : request_of_json(options);
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
    auto options = std::make_shared<QueueOptions>();
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
