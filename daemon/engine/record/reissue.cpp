#include "daemon/engine/record/reissue.h"

#include "daemon/engine/membership/cut_offs.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/authoring.h"
#include "daemon/engine/record/progress.h"

namespace fieldpost::engine {

namespace {

// The report as it was written first, and the form in which its record went out.
struct First {
    Draft draft;
    ReportUnit unit;
};

// Nothing: the report is not here any more, or has expired.
Result<std::optional<First>> first_of(const Ledger& ledger, const storage::ReportKey& report,
                                      storage::Arrival arrival) {
    const auto record = TRY(ledger.store().record_until(arrival, storage::WithBody::yes));
    const auto entry = record ? TRY(ledger.store().archive(record->arrival)) : std::nullopt;
    const auto position =
        record ? static_cast<std::size_t>(static_cast<std::uint64_t>(arrival) -
                                          static_cast<std::uint64_t>(record->arrival))
               : 0;
    if (!entry || position >= record->run.count() || record->expires.is_over_at(ledger.aged())) {
        return std::optional<First>{};
    }
    auto opened = open_archived(ledger, *record, *entry, Opening::attachments);
    if (!opened || position >= opened->units.size() || opened->units[position].report.empty()) {
        return std::optional<First>{};
    }
    First first;
    first.unit = {report.origin, std::move(opened->units[position].report)};
    first.draft.kind = static_cast<RecordKind>(opened->header.kind);
    first.draft.record_class = report.origin.record_class;
    const auto [from, to] = attachments_of(*opened, position);
    first.draft.attachments = to_bytes(BytesView(opened->attachments).subspan(from, to - from));
    // A clock in doubt ends nothing.
    const auto left = record->expires.unix_seconds() - ledger.aged().unix_seconds();
    first.draft.lifetime_seconds = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(left, 1, opened->header.lifetime_seconds));
    return std::optional(std::move(first));
}

}  // namespace

bool may_write_again(const Ledger& ledger) {
    return ledger.config().mail != nullptr && !ledger.meta().stopped && !is_shut_out(ledger);
}

Result<WrittenAgain> write_again(Ledger& ledger, const storage::ReportKey& report,
                                 const std::map<OfficeId, OfficeId>& to, Now now,
                                 std::vector<Notice>& notify) {
    auto page = TRY(ledger.store().report(report));
    auto first = page ? TRY(first_of(ledger, report, page->arrival)) : std::nullopt;
    if (!first) {
        return WrittenAgain{.is_gone = true};
    }
    auto& draft = first->draft;
    for (const auto& [before, office] : to) {
        const auto* member = ledger.roster().find(office);
        if (member != nullptr && member->is_member()) {
            draft.to.push_back(office);
            draft.may_leave_out.insert(office);
        }
    }
    std::ranges::copy_if(page->addressed, std::back_inserter(draft.groups), is_group);
    const auto prepared = prepare(ledger, draft, std::move(first->unit), now);
    if (!prepared) {
        return WrittenAgain{};
    }
    const auto record = store(ledger, *prepared);
    const Origin as{record.log.incarnation, record.log.record_class, record.run.first};
    ledger.write(storage::PutReissue{{report.author, as}, {report.origin}});
    for (auto& one : page->recipients) {
        const auto found = to.find(one.office);
        const auto is_left_out = found == to.end() ||
                                 std::ranges::find(draft.to, found->second) == draft.to.end() ||
                                 std::ranges::find(prepared->left_out, found->second,
                                                   &LeftOut::office) != prepared->left_out.end();
        if (is_left_out) {
            continue;
        }
        one = {.office = found->second, .reissued_as = as};
        ledger.note(What::reissued, {.office = one.office, .report = report}, now, notify);
    }
    ledger.write(storage::PutReport{report, std::move(*page)});
    return WrittenAgain{.bytes = prepared->sealed.body.size()};
}

}  // namespace fieldpost::engine
