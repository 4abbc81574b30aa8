// Answers to `list`: which reports fit, a line each, and what stands for a subject.
#include <fmt/format.h>

#include "daemon/engine/record/addressees.h"
#include "daemon/engine/report_walk.h"
#include "daemon/runtime/answering.h"
#include "proto/control.pb.h"
#include "proto/typed.h"

namespace fieldpost::runtime {

using engine::Ledger;
using engine::ReportView;
using storage::WithBody;

namespace {

// A preview is cut there, at a whole character. Lists have room for less.
constexpr std::size_t preview_bytes_max = 120;

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
    return std::string(cut_text(text, preview_bytes_max));
}

bool has_words(const Report& report, const std::string& wanted) {
    const auto has = [&](std::string_view text) { return case_folded(text).contains(wanted); };
    return has(report.subject) || has(report.text) ||
           std::ranges::any_of(report.fields, [&](const Report::Field& field) {
               return has(field.key) || has(field.value);
           });
}

// The offices that have or had a name, or the group.
std::expected<std::vector<OfficeId>, Complaint> named(const Ledger& ledger,
                                                      const std::string& name) {
    std::vector<OfficeId> all;
    if (name.starts_with('@')) {
        const auto group = engine::group_named(name);
        if (!group) {
            return complain(exit_not_found, "not_found", fmt::format("there is no group {}", name),
                            "groups are @hq, @field, @relay and @all", {name});
        }
        all.push_back(*group);
    } else if (!name.empty()) {
        for (const auto* office : ledger.roster().offices_named(name)) {
            all.push_back(office->index);
        }
        if (all.empty()) {
            return complain(exit_not_found, "not_found",
                            fmt::format("no office is called {}", name), "see: fieldpost roster",
                            {name});
        }
    }
    return all;
}

std::optional<engine::State> state_named(const std::string& name) {
    for (std::uint8_t number = 0; number < storage::state_count; ++number) {
        if (engine::name_of(engine::State{number}) == name) {
            return engine::State{number};
        }
    }
    return std::nullopt;
}

}  // namespace

std::expected<engine::ReportQuery, Complaint> query_of(const Ledger& ledger,
                                                       const wire::ListRequest& request) {
    engine::ReportQuery query;
    for (const auto box : {Box::inbox, Box::outbox, Box::carried}) {
        if (std::ranges::find(request.boxes(), static_cast<int>(box)) != request.boxes().end()) {
            query.boxes.push_back(box);
        }
    }
    query.from = ASK(named(ledger, request.from()));
    query.to = ASK(named(ledger, request.to()));
    query.held_by = ASK(named(ledger, request.held_by()));
    if (!request.state().empty()) {
        query.state = state_named(request.state());
        if (!query.state) {
            return complain(exit_invalid, "invalid",
                            fmt::format("there is no state {}", request.state()),
                            "see: fieldpost list --help", {request.state()});
        }
    }
    if (!request.type().empty()) {
        query.type = request.type();
    }
    if (request.has_priority()) {
        query.priority = static_cast<RecordClass>(request.priority());
    }
    query.outcome = static_cast<ReplyOutcome>(request.outcome());
    query.unanswered = request.unanswered();
    query.all_versions = request.all_versions();
    query.since = WallTime::from_unix(request.since_unix_s());
    if (!request.grep().empty()) {
        query.has_words = [wanted = case_folded(request.grep())](const Report& report) {
            return has_words(report, wanted);
        };
    }
    return query;
}

namespace {

// The arrival of a report here. A report that is only carried has no page.
std::expected<storage::Arrival, Complaint> arrival_of(const Ledger& ledger, const std::string& id) {
    const auto key = ASK(or_complain(engine::find_id(ledger, id)));
    if (const auto page = key ? ASK(or_complain(ledger.store().report(*key))) : std::nullopt) {
        return page->arrival;
    }
    const auto carried = key ? ASK(or_complain(ledger.store().record(
                                   log_of(*key), key->origin.number, WithBody::no)))
                             : std::nullopt;
    if (!carried) {
        return complain(exit_not_found, "not_found", fmt::format("no report {} here", id),
                        "see: fieldpost list", {id});
    }
    return carried->arrival;
}

}  // namespace

Result<std::string> preview_of(const Ledger& ledger, const Report& report) {
    if (report.reply_to) {
        const storage::ReportKey key{report.reply_to->author, report.reply_to->origin};
        const auto original = engine::view_of(ledger, key);
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

Answered list(const Ledger& ledger, const wire::ListRequest& request,
              const engine::IsSpent& is_spent) {
    using Order = engine::ReportWalk::Order;
    if (request.with_content() && ledger.config().mail == nullptr) {
        return locked();
    }
    engine::ReportWalk walk(ledger, ASK(query_of(ledger, request)));
    const auto before = request.before().empty() ? storage::Arrival{UINT64_MAX}
                                                 : ASK(arrival_of(ledger, request.before()));
    auto from = storage::Arrival{request.from_seq()};
    if (request.newest_first() && request.from_seq() == 0) {
        from = storage::Arrival{static_cast<std::uint64_t>(before) - 1};
    }
    wire::Answer answer;
    std::size_t bytes = 0;
    const auto entries_max =
        request.limit() == 0
            ? page_items_max
            : static_cast<int>(std::min<std::uint32_t>(page_items_max, request.limit()));
    const auto take = [&](const ReportView& view) -> Result<bool> {
        if (view.arrival >= before) {
            return false;
        }
        auto* entry = answer.add_entries();
        if (request.only_seq()) {
            entry->set_seq(static_cast<std::uint64_t>(view.arrival));
        } else {
            *entry =
                TRY(request.with_content() ? whole_entry_of(ledger, view) : entry_of(ledger, view));
        }
        bytes += entry->ByteSizeLong();
        return answer.entries_size() < entries_max && bytes < page_bytes_max;
    };
    const auto next = ASK(or_complain(walk.run(
        from, request.newest_first() ? Order::newest_first : Order::oldest_first, is_spent, take)));
    if (next && (request.newest_first() || *next < before)) {
        answer.set_next_seq(static_cast<std::uint64_t>(*next));
    }
    if (request.want_total() && request.before().empty()) {
        if (const auto total = ASK(or_complain(walk.count()))) {
            answer.set_total(*total);
        }
    }
    return encode(answer);
}

}  // namespace fieldpost::runtime
