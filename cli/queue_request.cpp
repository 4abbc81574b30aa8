#include "cli/queue_request.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

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

using nlohmann::json;

std::unexpected<Failure> invalid(std::string what, std::string next) {
    return std::unexpected(Failure{exit_invalid, "invalid", std::move(what), std::move(next)});
}

// Takes one value of a JSON report. Its type must be one that the key allows; otherwise it is an
// error.
std::optional<std::string> take_json(const std::string& key, const json& value,
                                     QueueOptions& options) {
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
        options.text = value.get<std::string>();
        options.has_text = true;
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

}  // namespace

Outcome<Bytes> read_attachment(const std::string& path) {
    auto bytes = home::read_whole(path, limits::record_bytes_max);
    if (!bytes) {
        return std::unexpected(failure_of(bytes.error()));
    }
    return std::move(*bytes);
}

Outcome<wire::Request> queue_request_of(const QueueOptions& options, const ReadAttachment& read) {
    wire::Request request;
    auto& queue = *request.mutable_queue();
    for (const auto& to : options.to) {
        queue.add_to(to);
    }
    std::size_t attached = 0;
    for (const auto& path : options.attachments) {
        auto bytes = read(path);
        if (!bytes) {
            return std::unexpected(bytes.error());
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

Outcome<QueueOptions> read_json_report(std::string_view input, QueueOptions options) {
    const auto object = json::parse(input, nullptr, false);
    if (!object.is_object()) {
        return invalid("the report is not one JSON object", "see: fieldpost queue --help");
    }
    for (const auto& [key, value] : object.items()) {
        if (const auto wrong = take_json(key, value, options)) {
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
    if (!is_valid_utf8(options.text)) {
        return invalid("the text is not UTF-8", "save it as UTF-8");
    }
    return options;
}

}  // namespace fieldpost::cli
