#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>
#include <set>

#include "cli/batches.h"
#include "cli/json.h"
#include "cli/reports.h"
#include "cli/text.h"
#include "cli/words.h"
#include "proto/bytes.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

using nlohmann::ordered_json;

ordered_json trace_json(const wire::Trace& trace) {
    auto recipients = ordered_json::array();
    for (const auto& one : trace.entry().recipients()) {
        recipients.push_back({{"office", one.office()},
                              {"state", one.state()},
                              {"reason", text_or_null(one.reason())},
                              {"carried_at", time_or_null(one.carried_unix_s())},
                              {"delivered_at", time_or_null(one.delivered_unix_s())},
                              {"acknowledged_at", time_or_null(one.acknowledged_unix_s())},
                              {"outcome", text_or_null(word_of(one.outcome()))},
                              {"staff", text_or_null(one.staff())},
                              {"note", text_or_null(one.note())},
                              {"answer_id", text_or_null(one.answer_id())}});
    }
    auto carried = ordered_json::array();
    for (const auto& one : trace.carried_by()) {
        carried.push_back({{"office", one.office()}, {"at", time_or_null(one.at_unix_s())}});
    }
    auto events = ordered_json::array();
    for (const auto& one : trace.events()) {
        events.push_back({{"at", time_or_null(one.at_unix_s())},
                          {"what", one.what()},
                          {"office", one.office()},
                          {"how", one.how()},
                          {"via", text_or_null(one.via())}});
    }
    return {{"id", trace.entry().id()},
            {"hash", text_or_null(to_hex(as_bytes(trace.entry().hash())))},
            {"state", trace.entry().state()},
            {"withdrawn_at", time_or_null(trace.entry().withdrawn_unix_s())},
            {"withdrawal_id", text_or_null(trace.entry().withdrawal_id())},
            {"withdrawal_reason", text_or_null(trace.entry().withdrawal_reason())},
            {"forgotten_at", time_or_null(trace.entry().forgotten_unix_s())},
            {"after_cut_off", trace.entry().after_cut_off()},
            {"recipients", recipients},
            {"carried_by", carried},
            {"events", events}};
}

std::string proof_of(const wire::Trace& trace, const wire::RecipientState& one) {
    if (one.state() == "acknowledged") {
        auto words = one.answer_id() + " ";
        words += one.staff().empty() ? word_of(one.outcome())
                                     : one.staff() + ": " + word_of(one.outcome());
        return one.note().empty() ? words : words + ", \"" + one.note() + "\"";
    }
    if (one.state() == "delivered") {
        return trace.entry().box() == wire::BOX_INBOX ? "received here"
                                                      : one.office() + "'s receipt";
    }
    if (one.state() == "carried" && trace.entry().box() == wire::BOX_CARRIED) {
        return "held here; no receipt of " + one.office();
    }
    if (one.state() == "carried" && trace.carried_by_size() > 0) {
        return trace.carried_by(0).office() + "'s statement; none of " + one.office();
    }
    if (one.reason() == "no_key") {
        return "not sent: it has published no key to seal to";
    }
    if (one.reason() == "closed") {
        return "not sent: it has signed two records as one";
    }
    if (one.reason() == "withdrawn") {
        return "withdrawn before it was known to have it";
    }
    return one.reason();
}

std::int64_t since_of(const wire::Trace& trace, const wire::RecipientState& one) {
    if (one.state() == "acknowledged") {
        return one.acknowledged_unix_s();
    }
    if (one.state() == "delivered") {
        return one.delivered_unix_s();
    }
    return one.state() == "carried" ? one.carried_unix_s() : trace.entry().received_unix_s();
}

std::string heard(std::int64_t unix_seconds) {
    return unix_seconds == 0 ? "never heard of"
                             : "heard " + human_length(unix_now() - unix_seconds) + " ago";
}

void print_withdrawn(const wire::Entry& entry) {
    if (entry.withdrawn_unix_s() == 0) {
        return;
    }
    fmt::print("Withdrawn {}", local_time(entry.withdrawn_unix_s()));
    if (!entry.withdrawal_reason().empty()) {
        fmt::print(": \"{}\"", safe_line(entry.withdrawal_reason()));
    }
    if (entry.box() == wire::BOX_OUTBOX && !entry.withdrawal_id().empty()) {
        fmt::print(". Who has been told: fieldpost trace {}", entry.withdrawal_id());
    }
    fmt::print("\n");
}

// Prints what would bring the report on, for the first recipient that lacks it.
void print_next(const wire::Trace& trace, const std::string& obstacle) {
    const bool is_only_carried = trace.entry().box() == wire::BOX_CARRIED;
    for (const auto& one : trace.entry().recipients()) {
        if (one.state() == "carried" && is_only_carried) {
            fmt::print("Next: this office meets {} ({}), or any other that carries for it.\n",
                       one.office(), heard(one.heard_unix_s()));
            return;
        }
        if (one.state() == "carried" && trace.carried_by_size() > 0) {
            const auto& carrier = trace.carried_by(0);
            fmt::print("Next: {} ({}) meets {} ({}).\n", carrier.office(),
                       heard(carrier.heard_unix_s()), one.office(), heard(one.heard_unix_s()));
            return;
        }
        if (one.state() == "queued" && !obstacle.empty()) {
            fmt::print("Next: {}\n", obstacle);
            return;
        }
        if (one.state() == "queued") {
            fmt::print("Next: this office meets {} ({}), or any other that carries it.\n",
                       one.office(), heard(one.heard_unix_s()));
            return;
        }
    }
}

void print_trace(const wire::Trace& trace, const std::string& obstacle) {
    const auto& entry = trace.entry();
    const auto having = std::ranges::count_if(entry.recipients(), [](const auto& r) {
        return r.state() == "delivered" || r.state() == "acknowledged";
    });
    fmt::print("{}: {}.", id_of(entry), entry.state());
    if (entry.box() == wire::BOX_CARRIED) {
        fmt::print(" This office carries it for others and cannot read it.");
    }
    if (entry.box() == wire::BOX_OUTBOX) {
        fmt::print(" {} of {} recipients {} it", having, entry.recipients_size(),
                   having == 1 ? "has" : "have");
        const auto is_carried = [](const auto& r) { return r.state() == "carried"; };
        const auto lacking = std::ranges::find_if(entry.recipients(), is_carried);
        if (lacking != entry.recipients().end() && trace.carried_by_size() > 0) {
            const auto others = std::ranges::count_if(entry.recipients(), is_carried) - 1;
            fmt::print("; {} carries it for {}{}", trace.carried_by(0).office(), lacking->office(),
                       others == 0 ? "" : fmt::format(" and {} more", others));
        }
        fmt::print(".");
    }
    fmt::print("\n");
    print_withdrawn(entry);
    if (entry.recipients_size() > 0) {
        Table recipients({"RECIPIENT", "STATE", "SINCE", "PROOF"});
        for (const auto& one : entry.recipients()) {
            const auto since = since_of(trace, one);
            recipients.add({one.office(), one.state(), since == 0 ? "" : local_time(since),
                            safe_line(proof_of(trace, one))});
        }
        fmt::print("{}", recipients.text(terminal_width(), {.is_last_whole = true}));
    }
    Table events({"WHEN", "AGO", "EVENT", "OFFICE", "HOW"});
    for (const auto& one : trace.events()) {
        auto how = one.how() == "local" ? one.words() : one.how();
        if (one.how() != "local" && one.via() != one.office()) {
            how += ", by " + one.via();
        }
        if (one.times() > 1) {
            how += fmt::format("{}{} times", how.empty() ? "" : ", ", one.times());
        }
        events.add({local_time(one.at_unix_s()), human_age(unix_now() - one.at_unix_s()),
                    one.what(), one.office(), safe_line(how)});
    }
    fmt::print("{}", events.text(terminal_width(), {.right = {1}, .is_last_whole = true}));
    print_next(trace, obstacle);
}

int run_trace(const Common& common, const std::vector<std::string>& ids) {
    std::set<std::string> printed;
    const auto traced = ask_in_pages(
        common, ids,
        [](std::span<const std::string> some, bool only_check) {
            wire::Request request;
            request.mutable_trace()->mutable_ids()->Assign(some.begin(), some.end());
            request.mutable_trace()->set_only_check(only_check);
            return request;
        },
        [&](const wire::Answer& answer) -> Outcome<void> {
            for (const auto& trace : answer.traces()) {
                if (!printed.insert(trace.entry().id()).second) {
                    continue;
                }
                if (common.json) {
                    fmt::print("{}\n", json_text(trace_json(trace)));
                } else {
                    print_trace(trace, answer.obstacle());
                }
            }
            return {};
        });
    return traced ? static_cast<int>(exit_done) : report(common, traced.error());
}

}  // namespace

void add_trace(CLI::App& app, const Common& common, Run& run) {
    auto* command = app.add_subcommand("trace", "where a report is, and how that is known");
    auto ids = std::make_shared<std::vector<std::string>>();
    command->add_option("ID", *ids, "hyesan-42; several are allowed")->required();
    command->footer("Example: fieldpost trace hyesan-42");
    command->callback(
        [&common, &run, ids] { run = [&common, ids] { return run_trace(common, *ids); }; });
}

}  // namespace fieldpost::cli
