// A report as a person writes it, and the plaintext of a record's body.
//
// Promise: decode accepts only what WIRE.md allows, and returns valid UTF-8 within limits::. Text
// is kept as it was written. The command line makes it safe for a terminal.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "proto/vocabulary.h"

namespace fieldpost {

enum class ReplyOutcome : std::uint8_t { none = 0, accepted = 1, correct = 2, refused = 3 };

struct Report {
    struct Field {
        std::string key;
        std::string value;
        bool operator==(const Field&) const = default;
    };
    struct Attachment {
        std::string name;
        std::uint32_t size = 0;
        bool operator==(const Attachment&) const = default;
    };

    std::string text;
    WallTime created;
    std::string subject;
    std::string type;
    std::vector<Field> fields;
    std::string staff;
    ReplyOutcome outcome = ReplyOutcome::none;
    std::optional<ReportRef> reply_to;
    std::optional<ReportRef> replaces;
    std::vector<std::string> addressed;
    std::vector<Attachment> attachments;
    std::optional<ReportRef> withdraws;
    Bytes resend;
    // The offset of the author's machine in minutes east of UTC, less than a day. Nothing if it is
    // not known.
    std::optional<std::int16_t> utc_offset_minutes;
    std::uint32_t form_version = 0;  // version of the form that `type` names; 0: none
    // The place of a correction: 1 if it corrects a report, 2 if it corrects the first correction
    // of that report, and so on. From 2 on `first_version` names that report.
    std::uint32_t version = 0;
    std::optional<ReportRef> first_version;

    bool operator==(const Report&) const = default;
    [[nodiscard]] std::uint64_t attachment_bytes() const;
};

// limit_exceeded or malformed: something that a person gave breaks a rule of WIRE.md "Report".
// `detail` can be shown to that person.
Result<void> check_report(const Report& report);
// The report must have passed check_report.
Bytes encode_report(const Report& report);
Result<Report> decode_report(BytesView bytes);

// U+0000 to U+001F, U+007F to U+009F.
bool has_control(std::string_view text);
bool is_valid_utf8(std::string_view text);
std::size_t code_points(std::string_view utf8);

// One report of a record: its bytes verbatim. If it was first written under another number, also
// its origin.
struct ReportUnit {
    std::optional<Origin> origin;
    Bytes report;
    bool operator==(const ReportUnit&) const = default;
};

// Encodes the reports of a record before compression: U of WIRE.md "Body".
Bytes encode_units(const std::vector<ReportUnit>& units);
// malformed: there are not exactly `count` units.
Result<std::vector<ReportUnit>> decode_units(BytesView bytes, std::size_t count);

// malformed: this report does not fit the class and the kind of its record (WIRE.md "Kind"), or
// breaks its own rules. Kinds of later releases fit everything.
Result<void> check_kind(RecordClass record_class, std::uint8_t kind, const ReportUnit& unit);

}  // namespace fieldpost
