#include "cli/export/report_row.h"

#include "cli/reports.h"
#include "cli/text.h"
#include "cli/words.h"
#include "proto/bytes.h"
#include "proto/control.pb.h"

namespace fieldpost::cli {

namespace {

// The words of the newest answer. Of several offices' answers those that most need the author,
// whose outcome stands beside them.
std::string note_of(const wire::Entry& entry) {
    const wire::RecipientState* told = nullptr;
    for (const auto& one : entry.recipients()) {
        if (one.acknowledged_unix_s() != 0 && one.outcome() == entry.outcome() &&
            (told == nullptr || one.acknowledged_unix_s() > told->acknowledged_unix_s())) {
            told = &one;
        }
    }
    return told == nullptr ? "" : told->note();
}

}  // namespace

ReportRow row_of(const wire::Entry& entry) {
    ReportRow row;
    row.type = entry.type();
    const bool has_offset = entry.has_utc_offset_min();
    row.cells = {
        entry.id(),
        entry.is_open() ? to_hex(as_bytes(entry.hash())) : "",
        entry.type(),
        entry.form_version() == 0 ? "" : std::to_string(entry.form_version()),
        entry.from(),
        entry.staff(),
        entry.state(),
        word_of(entry.outcome()),
        note_of(entry),
        rfc3339(entry.created_unix_s()),
        has_offset ? time_at_offset(entry.created_unix_s(), entry.utc_offset_min()) : "",
        has_offset ? offset_text(entry.utc_offset_min()) : "",
        entry.clock_doubtful() ? "true" : "false",
        rfc3339(entry.received_unix_s()),
        entry.reply_to(),
        entry.replaces(),
        entry.replaced_by(),
        entry.subject(),
        entry.text(),
    };
    for (const auto& field : entry.fields()) {
        row.fields.emplace_back(field.key(), field.value());
    }
    return row;
}

}  // namespace fieldpost::cli
