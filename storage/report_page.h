// The page of a report: everything that this office shows of it besides its words.
//
// Only engine/record/progress changes the states on a page. The index (report_index.h), the counts
// and the feed (feed.h) follow from pages: RecordStore writes them with each page.
#pragma once

#include <optional>
#include <vector>

#include "proto/report.h"
#include "proto/vocabulary.h"

namespace fieldpost::storage {

// The order in which records became whole here. A run takes one value for each of its reports.
enum class Arrival : std::uint64_t {};

struct ReportKey {
    OfficeId author{};
    Origin origin;
    auto operator<=>(const ReportKey&) const = default;
};
// The key of a report that was first written in `log` under `number`.
inline ReportKey report_in(const LogKey& log, Number number) {
    return {log.author, {log.incarnation, log.record_class, number}};
}
inline LogKey log_of(const ReportKey& report) {
    return {report.author, report.origin.incarnation, report.origin.record_class};
}

// The state of a report at one recipient. The numbers are stored.
enum class State : std::uint8_t { queued, carried, delivered, acknowledged, expired, failed };
inline constexpr std::size_t state_count = 6;
// With no_key, closed and blocked the report was never sealed to this recipient. With withdrawn its
// author took it back before this recipient was known to have it.
enum class FailReason : std::uint8_t {
    none,
    unreadable,
    revoked,
    retired,
    refused,
    damaged,
    no_key,
    closed,
    withdrawn,
    blocked,
};

// The state of one recipient of a report, as this office has proved it. The proofs may be thrown
// away later. This state stays as long as the report does.
struct Recipient {
    OfficeId office{};
    State state = State::queued;
    FailReason reason = FailReason::none;       // why it `failed`
    WallTime carried_at{};                      // zero: never; so for all times here
    OfficeId carried_by{};                      // the office whose statement of custody showed it
    WallTime delivered_at{};                    // time when the receipt of `office` came
    WallTime acknowledged_at{};                 // time when the newest answer of `office` came
    ReplyOutcome outcome = ReplyOutcome::none;  // the outcome of that answer
    std::optional<Origin> answer{};             // the origin of that answer, in a log of `office`
    // The record of our own that brings the report to this recipient, where it is not the first
    // one.
    std::optional<Origin> reissued_as{};
    // The number in the feed of its newest change of state; 0: never told. Only the store sets it.
    std::uint64_t change = 0;
    bool operator==(const Recipient&) const = default;
};

// The number of a report's type in the dictionary of types (RecordStore::types). The names of types
// are sealed, and these numbers are not.
enum class TypeNumber : std::uint32_t {};
inline constexpr TypeNumber no_type{0};
// A type that has no number: mail was locked when the report was filed, or the dictionary is full.
inline constexpr TypeNumber other_type{1};
inline constexpr TypeNumber first_type{2};

// The place of a correction among all versions of a report (WIRE.md "Report").
struct Correction {
    ReportKey first;  // version 0
    std::uint32_t version = 0;
    bool operator==(const Correction&) const = default;
};

// The author took the report back.
struct Withdrawn {
    WallTime at;                 // as the withdrawal says, or when this office learned of it
    std::optional<Origin> by{};  // the withdrawal, in a log of the author; none: it is not here
    // The number in the feed of this change; 0: never told. Only the store sets it.
    std::uint64_t change = 0;
    bool operator==(const Withdrawn&) const = default;
};

// The page of a report in an inbox or outbox.
struct ReportProgress {
    Arrival arrival{};
    Box box = Box::inbox;
    TypeNumber type = no_type;
    std::uint64_t size_bytes = 0;  // of the text and the attachments, as people count them
    // For an own report, all offices that it was addressed to. For a report of another office, this
    // office alone.
    std::vector<Recipient> recipients;
    // Groups that it names, and for a report of another office also other offices.
    std::vector<OfficeId> addressed{};
    std::optional<Correction> corrects{};    // of a correction
    std::optional<ReportKey> replaced_by{};  // its newest version that stands
    // The number in the feed of the newest change of `replaced_by`; 0: never told. Only the store
    // sets it. So a report that is corrected again and again makes the feed no longer.
    std::uint64_t replaced_change = 0;
    std::optional<Withdrawn> withdrawn{};
    WallTime forgotten_at{};  // when the readable copy here was destroyed; zero: never
    // The number in the feed of its newest change; 0: it was never told. Only the store sets it.
    std::uint64_t change = 0;
    bool operator==(const ReportProgress&) const = default;

    // False if a newer report corrects it, its author took it back, or it was forgotten here.
    [[nodiscard]] bool is_current() const {
        return !replaced_by && !withdrawn && forgotten_at == WallTime{};
    }
};

// The state of a report with several recipients: that of the least advanced one that is still under
// way. `expired` or `failed` only if none is.
State combined_state(const std::vector<Recipient>& recipients);

}  // namespace fieldpost::storage
