#include "daemon/engine/record/forgetting.h"

#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/progress.h"

namespace fieldpost::engine {

namespace {

// More answers to one report are possible only if a member sends them on purpose. `forget` once
// more goes on.
constexpr std::size_t answers_forgotten_max = 256;

// Answers and withdrawals of this office that are still on their way keep their words: without them
// they could not be packed and sent. They are forgotten with a later call.
bool is_on_its_way(const Ledger& ledger, const storage::ReportKey& reply) {
    return reply.author == ledger.us() &&
           ledger.log(log_of(reply)).held.contains(reply.origin.number);
}

Result<std::vector<storage::ReportKey>> replies_to_forget(const Ledger& ledger,
                                                          const storage::ReportKey& report) {
    std::vector<storage::Arrival> filed = TRY(ledger.store().answers(report));
    for (const auto& one : TRY(ledger.store().newest_filed(report, storage::Filed::withdrawal,
                                                           answers_forgotten_max))) {
        filed.push_back(one.arrival);
    }
    std::vector<storage::ReportKey> replies;
    for (const auto arrival : filed) {
        if (replies.size() == answers_forgotten_max) {
            break;
        }
        const auto reply = TRY(key_at(ledger, arrival));
        const auto page = reply ? TRY(ledger.store().report(*reply)) : std::nullopt;
        if (page && page->forgotten_at == WallTime{} && !is_on_its_way(ledger, *reply)) {
            replies.push_back(*reply);
        }
    }
    return replies;
}

// Destroys the words of the report that arrived so. False: it lies in a pack that cannot be opened
// now. The others need the key once the pack is mended, so it stays.
Result<bool> destroy_words(Ledger& ledger, storage::Arrival arrival) {
    const auto record = TRY(ledger.store().record_until(arrival, storage::WithBody::yes));
    auto entry = record ? TRY(ledger.store().archive(record->arrival)) : std::nullopt;
    if (!entry || entry->form == storage::ArchiveEntry::Form::unreadable) {
        return true;
    }
    // Attachments of a pack are small. Those of a single report go, so they are not read.
    const bool is_pack = record->run.count() > 1;
    auto opened =
        open_archived(ledger, *record, *entry, is_pack ? Opening::attachments : Opening::reports);
    const auto position = static_cast<std::size_t>(static_cast<std::uint64_t>(arrival) -
                                                   static_cast<std::uint64_t>(record->arrival));
    if (!opened || position >= opened->units.size()) {
        if (is_pack) {
            return false;
        }
        entry->form = storage::ArchiveEntry::Form::unreadable;
        entry->sealed_file_key.clear();
        ledger.write(storage::PutArchive{record->arrival, std::move(*entry)});
        return true;
    }
    if (is_pack) {
        const auto [from, to] = attachments_of(*opened, position);
        auto& bytes = opened->attachments;
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                    bytes.begin() + static_cast<std::ptrdiff_t>(to));
    }
    opened->units[position].report.clear();
    seal_what_is_left(ledger, *opened, *entry);
    ledger.write(storage::PutArchive{record->arrival, std::move(*entry)});
    if (!ledger.log(record->log).held.contains_any(record->run)) {
        TRY(drop_body(ledger, record->arrival));
    }
    return true;
}

// False: as destroy_words(), and nothing was written.
Result<bool> forget_report(Ledger& ledger, const storage::ReportKey& report, Now now) {
    auto page = TRY(ledger.store().report(report));
    if (!page || page->forgotten_at != WallTime{}) {
        return true;
    }
    if (!TRY(destroy_words(ledger, page->arrival))) {
        return false;
    }
    page->forgotten_at = ledger.wall(now);
    page->type = storage::no_type;
    for (const auto& one : page->recipients) {
        ledger.settle(What::correct, one.office, report);
        ledger.settle(What::declined, one.office, report);
    }
    ledger.write(storage::PutReport{report, std::move(*page)});
    // The words of an event name the staff.
    for (auto& event : TRY(ledger.store().events_of(report))) {
        if (!event.detail.empty()) {
            event.detail.clear();
            ledger.write(storage::PutEvent{std::move(event)});
        }
    }
    return true;
}

}  // namespace

bool is_owed(const Ledger& ledger, const storage::ReportKey& report,
             const storage::ReportProgress& page) {
    return report.author == ledger.us() &&
           (std::ranges::any_of(written_under(report, page),
                                [&](const storage::ReportKey& as) {
                                    return ledger.log(log_of(as)).held.contains(as.origin.number);
                                }) ||
            std::ranges::any_of(page.recipients, [](const storage::Recipient& one) {
                return one.state == storage::State::queued ||
                       one.state == storage::State::carried ||
                       one.reason == storage::FailReason::refused ||
                       one.reason == storage::FailReason::damaged;
            }));
}

Result<void> forget(Ledger& ledger, const ForgetWanted& wanted, Now now,
                    std::vector<Notice>& notify) {
    const auto decline = [&](Error error) {
        notify.emplace_back(Declined{wanted.request, std::move(error)});
        return ok();
    };
    const auto page = TRY(ledger.store().report(wanted.report));
    if (!page) {
        return decline({Errc::not_found, "no such report here"});
    }
    if (ledger.config().mail == nullptr) {
        return decline({Errc::refused, "mail is locked"});
    }
    if (is_owed(ledger, wanted.report, *page)) {
        return decline({Errc::refused, "the report is still under way"});
    }
    if (!TRY(forget_report(ledger, wanted.report, now))) {
        return decline({Errc::unavailable, "it lies in a record that cannot be opened now"});
    }
    for (const auto& reply : TRY(replies_to_forget(ledger, wanted.report))) {
        TRY(forget_report(ledger, reply, now));
    }
    ledger.note(What::forgotten, {.office = ledger.us(), .report = wanted.report}, now, notify);
    notify.emplace_back(Accepted{wanted.request, wanted.report, {}, false, {}});
    return ok();
}

}  // namespace fieldpost::engine
