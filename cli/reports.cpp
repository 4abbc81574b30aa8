#include "cli/reports.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/json.h"
#include "cli/text.h"
#include "cli/words.h"
#include "proto/bytes.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

using nlohmann::ordered_json;

namespace {

// A field that this office cannot open is null.
ordered_json if_open(const wire::Entry& entry, ordered_json value) {
    return entry.is_open() ? std::move(value) : ordered_json(nullptr);
}

}  // namespace

std::string media_type_of(const std::string& name) {
    constexpr std::array<std::pair<std::string_view, const char*>, 18> types = {
        {{".csv", "text/csv"},
         {".doc", "application/msword"},
         {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
         {".gif", "image/gif"},
         {".html", "text/html"},
         {".jpeg", "image/jpeg"},
         {".jpg", "image/jpeg"},
         {".json", "application/json"},
         {".mp3", "audio/mpeg"},
         {".mp4", "video/mp4"},
         {".ods", "application/vnd.oasis.opendocument.spreadsheet"},
         {".odt", "application/vnd.oasis.opendocument.text"},
         {".pdf", "application/pdf"},
         {".png", "image/png"},
         {".txt", "text/plain"},
         {".webp", "image/webp"},
         {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
         {".zip", "application/zip"}}};
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    for (const auto& [ending, type] : types) {
        if (lower.ends_with(ending)) {
            return type;
        }
    }
    return {};
}

ordered_json list_json(const wire::Entry& entry) {
    ordered_json states = ordered_json::object();
    for (const auto& recipient : entry.recipients()) {
        states[recipient.office()] = recipient.state();
    }
    return {
        {"id", entry.id()},
        {"hash", text_or_null(to_hex(as_bytes(entry.hash())))},
        {"seq", entry.seq()},
        {"box", word_of(entry.box())},
        {"from", entry.from()},
        {"to", std::vector<std::string>(entry.to().begin(), entry.to().end())},
        {"subject", if_open(entry, text_or_null(entry.subject()))},
        {"type", if_open(entry, text_or_null(entry.type()))},
        {"staff", if_open(entry, text_or_null(entry.staff()))},
        {"priority", word_of(entry.priority())},
        {"state", entry.state()},
        {"reason", text_or_null(entry.reason())},
        {"recipient_states", states},
        {"created_at", rfc3339(entry.created_unix_s())},
        {"received_at", rfc3339(entry.received_unix_s())},
        {"clock_doubtful", entry.clock_doubtful()},
        {"expires_at", rfc3339(entry.expires_unix_s())},
        {"size_bytes", entry.size_bytes()},
        {"count", entry.count()},
        {"attachment_count", if_open(entry, entry.attachment_count())},
        {"reply_to", text_or_null(entry.reply_to())},
        {"replaces", text_or_null(entry.replaces())},
        {"replaced_by", text_or_null(entry.replaced_by())},
        {"outcome", text_or_null(word_of(entry.outcome()))},
        {"preview", text_or_null(entry.preview())},
        {"change", entry.change() != 0 ? ordered_json(entry.change()) : ordered_json()},
        {"withdrawn_at", time_or_null(entry.withdrawn_unix_s())},
        {"forgotten_at", time_or_null(entry.forgotten_unix_s())},
        {"after_cut_off", entry.after_cut_off()},
        {"utc_offset", entry.has_utc_offset_min()
                           ? ordered_json(offset_text(entry.utc_offset_min()))
                           : ordered_json()},
        {"form_version",
         entry.form_version() != 0 ? ordered_json(entry.form_version()) : ordered_json()},
    };
}

ordered_json show_json(const wire::Entry& entry, const std::vector<std::string>& sums) {
    auto object = list_json(entry);
    object["withdrawal_reason"] = text_or_null(entry.withdrawal_reason());
    object["text"] = if_open(entry, entry.text());
    ordered_json fields = ordered_json::object();
    for (const auto& field : entry.fields()) {
        fields[field.key()] = field.value();
    }
    object["fields"] = if_open(entry, fields);
    ordered_json attachments = ordered_json::array();
    for (int i = 0; i < entry.attachments_size(); ++i) {
        const auto& file = entry.attachments(i);
        attachments.push_back({{"name", file.name()},
                               {"size_bytes", file.size_bytes()},
                               {"media_type", text_or_null(media_type_of(file.name()))},
                               {"sha256", i < static_cast<int>(sums.size())
                                              ? ordered_json(sums[static_cast<std::size_t>(i)])
                                              : ordered_json(nullptr)}});
    }
    object["attachments"] = if_open(entry, attachments);
    return object;
}

std::string id_of(const wire::Entry& entry) {
    if (entry.count() <= 1) {
        return entry.id();
    }
    // Behind ~ stands which of two copies of a home wrote it.
    const auto end = std::min(entry.id().find('~'), entry.id().size());
    const auto first = entry.id().substr(0, end);
    const auto digits = first.find_last_not_of("0123456789") + 1;
    return fmt::format("{}..{}{}", first, std::stoull(first.substr(digits)) + entry.count() - 1,
                       entry.id().substr(end));
}

std::string with_whom(const wire::Entry& entry) {
    if (entry.box() == wire::BOX_INBOX) {
        return "from " + entry.from();
    }
    const auto first = entry.to_size() > 0 ? entry.to(0) : "?";
    return entry.to_size() > 1 ? fmt::format("to {} +{}", first, entry.to_size() - 1)
                               : "to " + first;
}

}  // namespace fieldpost::cli
