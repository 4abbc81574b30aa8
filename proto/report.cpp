#include "proto/report.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <set>

#include "proto/limits.h"
#include "proto/record.h"
#include "proto/record.pb.h"
#include "proto/size_text.h"
#include "proto/wire_format.h"

namespace fieldpost {

bool is_valid_utf8(std::string_view text) {
    const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    auto left = static_cast<utf8proc_ssize_t>(text.size());
    while (left > 0) {
        utf8proc_int32_t code_point = 0;
        const auto used = utf8proc_iterate(at, left, &code_point);
        if (used <= 0) {
            return false;
        }
        at += used;
        left -= used;
    }
    return true;
}

std::size_t code_points(std::string_view utf8) {
    return static_cast<std::size_t>(std::ranges::count_if(
        utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::uint64_t Report::attachment_bytes() const {
    std::uint64_t total = 0;
    for (const auto& attachment : attachments) {
        total += attachment.size;
    }
    return total;
}

bool has_control(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
        // U+0080 to U+009F take two bytes in UTF-8. Some terminals obey them too.
        if (byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next <= 0x9f)) {
            return true;
        }
    }
    return false;
}

namespace {

Result<void> check_utf8(std::string_view what, std::string_view text) {
    if (!is_valid_utf8(text)) {
        return fail(Errc::malformed, fmt::format("{} is not UTF-8", what));
    }
    return ok();
}

// An offset on the wire has this added, so that 0 can say that no offset is known.
constexpr int utc_offset_zero = 1440;

// Checks one line of text for people: no control characters, and at most `max` code points.
Result<void> check_line(std::string_view what, std::string_view text, std::size_t max) {
    TRY(check_utf8(what, text));
    if (has_control(text)) {
        return fail(Errc::malformed, fmt::format("{} holds a control character", what));
    }
    if (code_points(text) > max) {
        return fail(Errc::limit_exceeded,
                    fmt::format("{} has {} characters, at most {}", what, code_points(text), max));
    }
    return ok();
}

// A text without U+0000: databases refuse it, and a file's name would end there.
Result<void> check_bytes(std::string_view what, std::string_view text, std::size_t max) {
    TRY(check_utf8(what, text));
    if (text.contains('\0')) {
        return fail(Errc::malformed, fmt::format("{} holds a NUL character", what));
    }
    if (text.size() > max) {
        return fail(Errc::limit_exceeded,
                    fmt::format("{} has {} bytes, at most {}", what, text.size(), max));
    }
    return ok();
}

Result<void> check_fields(const std::vector<Report::Field>& fields) {
    if (fields.size() > limits::fields_max) {
        return fail(Errc::limit_exceeded,
                    fmt::format("{} fields, at most {}", fields.size(), limits::fields_max));
    }
    std::set<std::string_view> keys;
    for (const auto& field : fields) {
        TRY(check_bytes("a field's key", field.key, limits::field_key_bytes_max));
        TRY(check_bytes("a field's value", field.value, limits::field_value_bytes_max));
        if (field.key.empty() || has_control(field.key)) {
            return fail(Errc::malformed, "a field's key is empty or holds a control character");
        }
        if (!keys.insert(field.key).second) {
            return fail(Errc::malformed, fmt::format("the field {} is given twice", field.key));
        }
    }
    return ok();
}

Result<void> check_attachments(const Report& report) {
    if (report.attachments.size() > limits::attachments_max) {
        return fail(Errc::limit_exceeded,
                    fmt::format("{} attachments, at most {}", report.attachments.size(),
                                limits::attachments_max));
    }
    for (const auto& attachment : report.attachments) {
        TRY(check_bytes("an attachment's name", attachment.name,
                        limits::attachment_name_bytes_max));
        if (attachment.name.empty()) {
            return fail(Errc::malformed, "an attachment has no name");
        }
    }
    if (report.attachment_bytes() > limits::record_bytes_max) {
        return fail(Errc::limit_exceeded, fmt::format("the attachments are over {}",
                                                      exact_size(limits::record_bytes_max)));
    }
    return ok();
}

}  // namespace

Result<void> check_report(const Report& report) {
    TRY(check_bytes("the text", report.text, limits::text_bytes_max));
    TRY(check_line("the subject", report.subject, limits::subject_code_points_max));
    TRY(check_line("the staff name", report.staff, limits::staff_code_points_max));
    TRY(check_bytes("the type", report.type, limits::type_bytes_max));
    if (has_control(report.type)) {
        return fail(Errc::malformed, "the type holds a control character");
    }
    TRY(check_fields(report.fields));
    TRY(check_attachments(report));
    if (report.addressed.size() > limits::recipients_max) {
        return fail(Errc::limit_exceeded, "too many groups");
    }
    if (std::abs(report.utc_offset_minutes.value_or(0)) >= utc_offset_zero) {
        return fail(Errc::malformed, "an offset from UTC of a day or more");
    }
    for (const auto& group : report.addressed) {
        TRY(check_line("a group's name", group, limits::office_name_bytes_max));
    }
    if (report.outcome > ReplyOutcome::refused) {
        return fail(Errc::malformed, "an unknown outcome");
    }
    if (report.outcome != ReplyOutcome::none) {
        TRY(check_bytes("the note", report.text, limits::note_bytes_max));
    }
    if (report.withdraws) {
        TRY(check_bytes("the reason", report.text, limits::note_bytes_max));
    }
    if (report.replaces.has_value() != (report.version > 0) ||
        report.first_version.has_value() != (report.version > 1)) {
        return fail(Errc::malformed, "a version that does not fit what the report corrects");
    }
    return ok();
}

namespace {

std::string encode_ref(const ReportRef& ref) {
    ByteWriter out;
    write(out, ref);
    return std::string(as_text(out.bytes()));
}

Result<std::optional<ReportRef>> decode_ref(const std::string& bytes) {
    if (bytes.empty()) {
        return std::optional<ReportRef>{};
    }
    ByteReader in(as_bytes(bytes));
    const auto ref = TRY(read_report_ref(in));
    TRY(in.expect_end("report reference"));
    return std::optional(ref);
}

}  // namespace

Bytes encode_report(const Report& report) {
    wire::Report message;
    message.set_text(report.text);
    message.set_created(report.created.seconds);
    message.set_subject(report.subject);
    message.set_type(report.type);
    for (const auto& field : report.fields) {
        auto* added = message.add_fields();
        added->set_key(field.key);
        added->set_value(field.value);
    }
    message.set_staff(report.staff);
    message.set_outcome(static_cast<std::uint32_t>(report.outcome));
    if (report.reply_to) {
        message.set_reply_to(encode_ref(*report.reply_to));
    }
    if (report.replaces) {
        message.set_replaces(encode_ref(*report.replaces));
    }
    for (const auto& group : report.addressed) {
        message.add_addressed(group);
    }
    for (const auto& attachment : report.attachments) {
        auto* added = message.add_attachments();
        added->set_name(attachment.name);
        added->set_size(attachment.size);
    }
    if (report.withdraws) {
        message.set_withdraws(encode_ref(*report.withdraws));
    }
    message.set_resend(std::string(as_text(report.resend)));
    if (report.utc_offset_minutes) {
        message.set_utc_offset(
            static_cast<std::uint32_t>(*report.utc_offset_minutes + utc_offset_zero));
    }
    message.set_form_version(report.form_version);
    message.set_version(report.version);
    if (report.first_version) {
        message.set_first_version(encode_ref(*report.first_version));
    }
    return to_bytes(as_bytes(message.SerializeAsString()));
}

namespace {

const MessageRules& report_rules() {
    static const MessageRules field;
    static const MessageRules attachment{
        {{wire::Attachment::kSizeFieldNumber, uint32_field}},
    };
    static const MessageRules report{{
        {wire::Report::kFieldsFieldNumber, {.is_repeated = true, .message = &field}},
        {wire::Report::kOutcomeFieldNumber, uint32_field},
        {wire::Report::kAddressedFieldNumber, repeated_bytes},
        {wire::Report::kAttachmentsFieldNumber, {.is_repeated = true, .message = &attachment}},
        {wire::Report::kUtcOffsetFieldNumber, uint32_field},
        {wire::Report::kFormVersionFieldNumber, uint32_field},
        {wire::Report::kVersionFieldNumber, uint32_field},
    }};
    return report;
}

}  // namespace

Result<Report> decode_report(BytesView bytes) {
    if (bytes.size() > limits::report_bytes_max) {
        return fail(Errc::limit_exceeded, fmt::format("report: {} bytes", bytes.size()));
    }
    TRY(fieldpost::check_fields("report", bytes, report_rules()));
    wire::Report message;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return fail(Errc::malformed, "report: not Protocol Buffers");
    }
    Report report;
    report.text = std::move(*message.mutable_text());
    report.created = WallTime{message.created()};
    report.subject = std::move(*message.mutable_subject());
    report.type = std::move(*message.mutable_type());
    for (auto& field : *message.mutable_fields()) {
        report.fields.push_back(
            {std::move(*field.mutable_key()), std::move(*field.mutable_value())});
    }
    report.staff = std::move(*message.mutable_staff());
    if (message.outcome() > static_cast<std::uint32_t>(ReplyOutcome::refused)) {
        return fail(Errc::malformed, "report: an unknown outcome");
    }
    report.outcome = static_cast<ReplyOutcome>(message.outcome());
    report.reply_to = TRY(decode_ref(message.reply_to()));
    report.replaces = TRY(decode_ref(message.replaces()));
    for (auto& group : *message.mutable_addressed()) {
        report.addressed.push_back(std::move(group));
    }
    for (auto& attachment : *message.mutable_attachments()) {
        report.attachments.push_back({std::move(*attachment.mutable_name()), attachment.size()});
    }
    report.withdraws = TRY(decode_ref(message.withdraws()));
    report.resend = to_bytes(as_bytes(message.resend()));
    if (message.utc_offset() >= 2U * utc_offset_zero) {
        return fail(Errc::malformed, "report: an offset from UTC of a day or more");
    }
    if (message.utc_offset() != 0) {
        report.utc_offset_minutes =
            static_cast<std::int16_t>(static_cast<int>(message.utc_offset()) - utc_offset_zero);
    }
    report.form_version = message.form_version();
    report.version = message.version();
    report.first_version = TRY(decode_ref(message.first_version()));
    TRY(check_report(report));
    return report;
}

Bytes encode_units(const std::vector<ReportUnit>& units) {
    ByteWriter out;
    for (const auto& unit : units) {
        out.varint(unit.origin ? Origin::size : 0);
        if (unit.origin) {
            write(out, *unit.origin);
        }
        out.sized(unit.report);
    }
    return out.take();
}

Result<std::vector<ReportUnit>> decode_units(BytesView bytes, std::size_t count) {
    ByteReader in(bytes);
    std::vector<ReportUnit> units;
    for (std::size_t i = 0; i < count; ++i) {
        ReportUnit unit;
        const auto origin_bytes = TRY(in.read_varint());
        if (origin_bytes != 0 && origin_bytes != Origin::size) {
            return fail(Errc::malformed, fmt::format("body: an origin of {} bytes", origin_bytes));
        }
        if (origin_bytes != 0) {
            unit.origin = TRY(read_origin(in));
        }
        unit.report = to_bytes(TRY(in.read_sized(limits::report_bytes_max)));
        units.push_back(std::move(unit));
    }
    TRY(in.expect_end("body"));
    return units;
}

Result<void> check_kind(RecordClass record_class, std::uint8_t kind, const ReportUnit& unit) {
    if (kind >= record_kinds) {
        return ok();
    }
    const auto named = static_cast<RecordKind>(kind);
    const bool is_reply = record_class == RecordClass::reply;
    if (is_reply != (named != RecordKind::report) ||
        (unit.origin && is_reply != (unit.origin->record_class == RecordClass::reply))) {
        return fail(Errc::malformed, "record: its class does not fit its kind");
    }
    const auto report = TRY(decode_report(unit.report));
    if ((report.outcome != ReplyOutcome::none) != (named == RecordKind::acknowledgement) ||
        (named == RecordKind::acknowledgement && !report.reply_to) ||
        report.withdraws.has_value() != (named == RecordKind::withdrawal) ||
        report.resend.empty() == (named == RecordKind::resend)) {
        return fail(Errc::malformed, "record: its content does not fit its kind");
    }
    return ok();
}

}  // namespace fieldpost
