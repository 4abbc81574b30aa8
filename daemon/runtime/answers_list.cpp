// Answers to `list`: which reports fit, a line each, and what stands for a subject.
#include <fmt/format.h>
#include <utf8proc.h>

#include <cstdlib>

#include "daemon/engine/queries.h"
#include "daemon/runtime/answering.h"
#include "proto/control.pb.h"

namespace fieldpost::runtime {

using engine::Ledger;
using engine::ReportView;
using storage::WithBody;

namespace {

// A preview is cut there, at a whole character. Lists have room for less.
constexpr std::size_t preview_bytes_max = 120;

// For comparing without regard to case (Unicode, NFC).
std::string folded(std::string_view text) {
    utf8proc_uint8_t* mapped = nullptr;
    const auto size = utf8proc_map(
        reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
        static_cast<utf8proc_ssize_t>(text.size()), &mapped,
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD));
    std::string result = size < 0 ? std::string(text)
                                  : std::string(reinterpret_cast<const char*>(mapped),
                                                static_cast<std::size_t>(size));
    std::free(mapped);  // NOLINT(cppcoreguidelines-no-malloc): utf8proc_map allocates so
    return result;
}

std::string first_words(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (text.starts_with(byte_order_mark)) {
        text.remove_prefix(byte_order_mark.size());
    }
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) {
        return "";
    }
    text = text.substr(begin);
    text = text.substr(0, std::min(text.find_first_of("\r\n"), text.size()));
    if (text.size() > preview_bytes_max) {
        auto end = preview_bytes_max;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) {
            --end;
        }
        text = text.substr(0, end);
    }
    return std::string(text);
}

bool has_words(const Report& report, const std::string& wanted) {
    const auto has = [&](std::string_view text) { return folded(text).contains(wanted); };
    return has(report.subject) || has(report.text) ||
           std::ranges::any_of(report.fields, [&](const Report::Field& field) {
               return has(field.key) || has(field.value);
           });
}

struct Filter {
    const wire::ListRequest& request;
    std::string grep;
};

bool fits(const ReportView& view, const wire::Entry& entry, const Filter& filter) {
    const auto& wanted = filter.request;
    const auto names = [](const auto& list, const auto& name) {
        return std::ranges::find(list, name) != list.end();
    };
    const bool is_to = wanted.to().empty() || names(entry.to(), wanted.to()) ||
                       std::ranges::any_of(entry.recipients(), [&](const auto& r) {
                           return r.office() == wanted.to();
                       });
    const bool is_unanswered =
        entry.box() == wire::BOX_INBOX && view.report && entry.state() == "delivered";
    return names(wanted.boxes(), entry.box()) &&
           (wanted.state().empty() || entry.state() == wanted.state()) &&
           (wanted.from().empty() || entry.from() == wanted.from()) && is_to &&
           (wanted.type().empty() || entry.type() == wanted.type()) &&
           (wanted.held_by().empty() || names(entry.carried_by(), wanted.held_by())) &&
           (!wanted.has_priority() || entry.priority() == wanted.priority()) &&
           (wanted.outcome() == wire::OUTCOME_NONE || entry.outcome() == wanted.outcome()) &&
           (!wanted.unanswered() || is_unanswered) &&
           (wanted.all_versions() || entry.replaced_by().empty()) &&
           entry.received_unix_s() >= wanted.since_unix_s() && !entry.is_acknowledgement() &&
           (filter.grep.empty() || (view.report && has_words(*view.report, filter.grep)));
}

bool is_filtered(const wire::ListRequest& request) {
    return !request.state().empty() || !request.from().empty() || !request.to().empty() ||
           !request.type().empty() || !request.held_by().empty() || request.since_unix_s() != 0 ||
           !request.before().empty() || request.has_priority() ||
           request.outcome() != wire::OUTCOME_NONE || request.unanswered() ||
           !request.grep().empty();
}

std::uint32_t total_of(const engine::Counts& counts, const wire::ListRequest& request) {
    std::uint32_t total = 0;
    const auto wants = [&](wire::Box box) {
        return std::ranges::find(request.boxes(), box) != request.boxes().end();
    };
    if (wants(wire::BOX_INBOX)) {
        total += counts.acknowledged + counts.unacknowledged;
        total -= request.all_versions() ? 0 : counts.replaced_in_inbox;
    }
    if (wants(wire::BOX_OUTBOX)) {
        for (const auto& [state, count] : counts.outbox) {
            total += count;
        }
        total -= request.all_versions() ? 0 : counts.replaced_in_outbox;
    }
    return total;
}

}  // namespace

Result<std::string> preview_of(const Ledger& ledger, const Report& report) {
    if (report.reply_to) {
        const storage::ReportKey key{report.reply_to->author, report.reply_to->origin};
        const auto original = engine::view_of(ledger, key, engine::Opening::reports);
        if (original && original->report && !original->report->subject.empty()) {
            return "re: " + first_words(original->report->subject);
        }
        return "re: " + engine::printed_id(ledger, key);
    }
    if (!report.type.empty()) {
        std::string words = "form " + report.type;
        for (std::size_t i = 0; i < report.fields.size() && words.size() < preview_bytes_max; ++i) {
            words += (i == 0 ? ": " : ", ") + report.fields[i].key + "=" + report.fields[i].value;
        }
        return first_words(words);
    }
    if (!report.text.empty()) {
        return first_words(report.text);
    }
    if (!report.fields.empty()) {
        return first_words(report.fields.front().key + "=" + report.fields.front().value);
    }
    return report.attachments.empty() ? "" : first_words(report.attachments.front().name);
}

Answered list(const Ledger& ledger, const wire::ListRequest& request) {
    for (const auto* name : {&request.from(), &request.to(), &request.held_by()}) {
        if (name->starts_with('@') && !is_group_name(*name)) {
            return complain(exit_not_found, "not_found", fmt::format("there is no group {}", *name),
                            "groups are @hq, @field, @relay and @all", {*name});
        }
        if (!name->empty() && !name->starts_with('@') && ledger.roster().find(*name) == nullptr) {
            return complain(exit_not_found, "not_found",
                            fmt::format("no office is called {}", *name), "see: fieldpost roster",
                            {*name});
        }
    }
    auto before = storage::Arrival{UINT64_MAX};
    if (!request.before().empty()) {
        const auto key = ASK(or_complain(engine::find_id(ledger, request.before())));
        const auto progress = key ? ASK(or_complain(ledger.store().report(*key))) : std::nullopt;
        // A report that is only carried has no page.
        const auto carried = key && !progress
                                 ? ASK(or_complain(ledger.store().record(
                                       log_of(*key), key->origin.number, WithBody::no)))
                                 : std::nullopt;
        if (!progress && !carried) {
            return complain(exit_not_found, "not_found",
                            fmt::format("no report {} here", request.before()),
                            "see: fieldpost list", {request.before()});
        }
        before = progress ? progress->arrival : carried->arrival;
    }
    const Filter filter{request, folded(request.grep())};
    // From the newest back, so that a short list of a long history is cheap.
    std::vector<wire::Entry> found;
    bool has_more = false;
    auto to = before;
    while (!has_more) {
        const auto record = ASK(or_complain(ledger.store().record_until(to, WithBody::yes)));
        if (!record || static_cast<std::uint64_t>(record->arrival) == 0) {
            break;
        }
        to = storage::Arrival{static_cast<std::uint64_t>(record->arrival) - 1};
        const auto views =
            ASK(or_complain(engine::views_of(ledger, *record, engine::Opening::reports)));
        for (auto at = views.rbegin(); at != views.rend() && !has_more; ++at) {
            if (at->arrival >= before) {
                continue;
            }
            auto entry = ASK(or_complain(entry_of(ledger, *at)));
            if (!fits(*at, entry, filter)) {
                continue;
            }
            if (request.limit() != 0 && found.size() == request.limit()) {
                has_more = true;
            } else {
                found.push_back(std::move(entry));
            }
        }
    }
    wire::Answer answer;
    answer.set_has_more(has_more);
    if (request.want_total() && !is_filtered(request)) {
        answer.set_total(total_of(ASK(or_complain(engine::count_reports(ledger))), request));
    }
    for (auto at = found.rbegin(); at != found.rend(); ++at) {
        *answer.add_entries() = std::move(*at);
    }
    return encode(answer);
}

}  // namespace fieldpost::runtime
