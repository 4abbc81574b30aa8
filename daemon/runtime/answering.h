// Shared by the files that answer requests: complaints, and helpers that make answers.
#pragma once

#include <expected>
#include <span>

#include "daemon/engine/report_walk.h"
#include "daemon/runtime/answers.h"
#include "proto/exit_code.h"

namespace fieldpost::wire {
class AckRequest;
class Answer;
class AttentionRequest;
class CoverageRequest;
class Entry;
class FeedRequest;
class ForgetRequest;
class BlockRequest;
class ContinueRequest;
class InviteRequest;
class RevokeRequest;
class ListRequest;
class PeersRequest;
class QueueRequest;
class RosterRequest;
class SyncRequest;
class WatchRequest;
class WithdrawRequest;
}  // namespace fieldpost::wire

namespace fieldpost::runtime {

// How a request fails, as the caller sees it.
struct Complaint {
    Exit exit = exit_failed;
    std::string code;
    std::string what;
    std::string next;
    std::vector<std::string> ids{};
};
using Answered = std::expected<Handled, Complaint>;

inline std::unexpected<Complaint> complain(Exit exit, std::string code, std::string what,
                                           std::string next, std::vector<std::string> ids = {}) {
    return std::unexpected(
        Complaint{exit, std::move(code), std::move(what), std::move(next), std::move(ids)});
}

// A page of a list or a feed holds so many things, or so many bytes of them.
inline constexpr int page_items_max = 500;
inline constexpr std::size_t page_bytes_max = std::size_t{1} << 20;

// Complains that mail is locked, to a request that needs the words of reports.
std::unexpected<Complaint> locked();
// Complains that this office writes nothing: until it goes on by itself, or until a person says so.
std::unexpected<Complaint> complain_stopped(const engine::Ledger& ledger);

Complaint complaint_of(const Error& error);
Bytes encode(const Complaint& complaint);
Bytes encode(const wire::Answer& answer);
inline std::int64_t unix_of(WallTime time) {
    return time.seconds == 0 ? 0 : time.unix_seconds();
}

// A store that fails is no answer but the end of the transaction.
template <class T>
std::expected<T, Complaint> or_complain(Result<T> result) {
    if (!result) {
        return std::unexpected(complaint_of(result.error()));
    }
    return std::move(*result);
}

#define ASK(expression)                                       \
    ({                                                        \
        auto&& asked = (expression);                          \
        if (!asked) {                                         \
            return std::unexpected(std::move(asked).error()); \
        }                                                     \
        *std::move(asked);                                    \
    })

bool is_group_name(std::string_view name);
// The strings of a repeated field.
inline std::span<const std::string* const> all_of(const auto& field) {
    return {field.data(), static_cast<std::size_t>(field.size())};
}
// The reports that these IDs name, in their order. At most a thousand.
std::expected<std::vector<storage::ReportKey>, Complaint> keys_by_id(
    const engine::Ledger& ledger, std::span<const std::string* const> ids);
// Each report once, in the order in which they were named first. As much text as an answer may
// hold.
std::expected<std::vector<engine::ReportView>, Complaint> views_by_id(
    const engine::Ledger& ledger, std::span<const std::string* const> ids);
std::string name_of(crypto::OfficeState state);
// The office that bears this name, or that bore it last. Complains if none has.
std::expected<const crypto::RosterOffice*, Complaint> office_named(const engine::Ledger& ledger,
                                                                   const std::string& name);
// Empty: it has no keys yet.
std::string fingerprint_of(const engine::Ledger& ledger, const crypto::RosterOffice& office);
// Null: nothing was declined.
const engine::Declined* declined_in(const std::vector<engine::Notice>& notices);
// A report as lists and details show it, without its text and files.
Result<wire::Entry> entry_of(const engine::Ledger& ledger, const engine::ReportView& view);
// The same with text, fields, names and sizes of the attachments, and the words of the answers.
Result<wire::Entry> whole_entry_of(const engine::Ledger& ledger, engine::ReportView view);

// Requests that make this office write (answers_write.cpp). Their first Input has the number
// `number`.
Answered queue(const engine::Ledger& ledger, const wire::QueueRequest& request,
               std::uint64_t number);
Answered acknowledge(const engine::Ledger& ledger, const wire::AckRequest& request,
                     std::uint64_t number);
Answered withdraw(const engine::Ledger& ledger, const wire::WithdrawRequest& request,
                  std::uint64_t number);
Answered forget(const engine::Ledger& ledger, const wire::ForgetRequest& request,
                std::uint64_t number);
// Requests that change who belongs to the network, or who this office deals with
// (answers_membership.cpp).
Answered invite(const engine::Ledger& ledger, const wire::InviteRequest& request,
                std::uint64_t number);
Answered revoke(const engine::Ledger& ledger, const wire::RevokeRequest& request,
                std::uint64_t number);
Answered block(const engine::Ledger& ledger, const wire::BlockRequest& request,
               std::uint64_t number);
Answered continue_here(const engine::Ledger& ledger, const wire::ContinueRequest& request,
                       std::uint64_t number);
Answered confirm(const engine::Ledger& ledger, const wire::RosterRequest& request,
                 std::uint64_t number);
// The marks that a person may have in mind: the last report of each log that the cut-off keeps.
std::vector<std::string> kept_by(const engine::Ledger& ledger, OfficeId office,
                                 const CutOff& cut_off);

// Lists of reports (answers_list.cpp).
Answered list(const engine::Ledger& ledger, const wire::ListRequest& request,
              const engine::IsSpent& is_spent);
std::expected<engine::ReportQuery, Complaint> query_of(const engine::Ledger& ledger,
                                                       const wire::ListRequest& request);
// The feed (answers_feed.cpp).
Answered feed(const engine::Ledger& ledger, const wire::FeedRequest& request,
              const engine::IsSpent& is_spent);
// Tells which office owes which report (answers_coverage.cpp).
Answered coverage(const engine::Ledger& ledger, const wire::CoverageRequest& request,
                  const Surroundings& around);
// Stands for the subject of a report that has none.
Result<std::string> preview_of(const engine::Ledger& ledger, const Report& report);

// About this office and the others (answers_office.cpp).
Answered status(const engine::Ledger& ledger, const Surroundings& around);
Answered peers(const engine::Ledger& ledger, const wire::PeersRequest& request,
               const Surroundings& around);
Answered roster(const engine::Ledger& ledger, const Surroundings& around);
Answered attention(const engine::Ledger& ledger, const wire::AttentionRequest& request);
Answered dismiss(const wire::AttentionRequest& request, std::uint64_t number);

// For those who look on (answers_watch.cpp).
Answered watch(const engine::Ledger& ledger, const wire::WatchRequest& request,
               const Surroundings& around);
Answered sync(const engine::Ledger& ledger, const wire::SyncRequest& request,
              const Surroundings& around);

}  // namespace fieldpost::runtime
