#include "daemon/engine/record/lost_records.h"

#include <fmt/format.h>

#include "daemon/engine/queries.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/delivery.h"
#include "daemon/engine/record/progress.h"
#include "daemon/engine/record/versions.h"

namespace fieldpost::engine {

namespace {

using storage::WithBody;

// Reports that one line in attention has room for.
constexpr std::size_t lost_named_max = 3;

bool is_ours(const Ledger& ledger, const LogKey& log) {
    return log.author == ledger.us() && log.incarnation == ledger.meta().incarnation;
}

// Numbers whose record is gone, in this office's own current logs or another's.
using Lost = std::map<LogKey, IntervalSet>;

// Finds numbers of H without a record. Damaged rows were removed before.
Result<Lost> find_lost(const Ledger& ledger) {
    Lost lost;
    for (const auto& [log, state] : ledger.logs()) {
        auto missing = state.held;
        for (const auto& record : TRY(ledger.store().records_of(log))) {
            missing.remove(record.run);
        }
        if (!missing.empty()) {
            lost[log] = std::move(missing);
        }
    }
    return lost;
}

Result<bool> has_record(const Ledger& ledger, const storage::ReportProgress& page) {
    const auto record = TRY(ledger.store().record_until(page.arrival, WithBody::no));
    return record && static_cast<std::uint64_t>(page.arrival) <
                         static_cast<std::uint64_t>(record->arrival) + record->run.count();
}

// Drops the pages of others' lost reports, so a report is shown again if it comes again. The page
// of an own report stays: it says how far the report has come, and that this store has used its
// number.
Result<void> drop_pages_without_record(Ledger& ledger, Lost& lost) {
    for (const auto& key : TRY(ledger.store().reports())) {
        const auto page = TRY(ledger.store().report(key));
        if (!page || TRY(has_record(ledger, *page))) {
            continue;
        }
        lost[storage::log_of(key)].add({key.origin.number, key.origin.number});
        // A report that was forgotten here is not shown again.
        if (key.author != ledger.us() && page->forgotten_at == WallTime{}) {
            ledger.write(storage::DropReport{key});
        }
    }
    return ok();
}

// An own report that was never public has ended. A public one may be at other offices. It must not
// be called ended, or they would drop it.
Result<void> let_go_of(Ledger& ledger, const LogKey& log, const IntervalSet& numbers, Now now) {
    auto to_bring = numbers;
    if (is_ours(ledger, log)) {
        for (auto number = numbers.next(1); number; number = numbers.after(*number)) {
            TRY(prove_record(ledger, log, *number, {.of = Proof::Of::damaged}, now));
        }
        auto ended = numbers;
        if (const auto published = ledger.log(log).published; published > 0) {
            ended.remove({1, published});
        }
        to_bring.remove(ended);
        ledger.edit_log(log).end(ended);
    }
    ledger.lose(log, to_bring);
    return ok();
}

std::string names_of(const Ledger& ledger, const LogKey& log, const IntervalSet& numbers) {
    std::string names;
    for (const auto run : numbers.intervals() | std::views::take(lost_named_max)) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ",
                             printed_id(ledger, storage::report_in(log, run.first)));
        if (run.first != run.last) {
            names += fmt::format("..{}", run.last);
        }
    }
    return numbers.intervals().size() > lost_named_max ? names + " and others" : names;
}

void tell_of_lost(Ledger& ledger, const Lost& lost, Now now, std::vector<Notice>& notify) {
    std::map<OfficeId, std::string> words;
    for (const auto& [log, numbers] : lost) {
        auto& all = words[log.author];
        all += (all.empty() ? "" : ", ") + names_of(ledger, log, numbers);
    }
    for (auto& [author, names] : words) {
        ledger.note(What::damaged, {.office = author, .detail = std::move(names)}, now, notify);
    }
}

// Adds to a page what the answers filed with the report prove.
Result<void> add_answers(const Ledger& ledger, const storage::ReportKey& report,
                         storage::ReportProgress& page) {
    for (const auto arrival : TRY(ledger.store().answers(report))) {
        const auto record = TRY(ledger.store().record_until(arrival, WithBody::no));
        if (!record) {
            continue;
        }
        const auto key = TRY(key_at(ledger, arrival));
        const auto answer = TRY(archived_at(ledger, arrival));
        for (auto& one : page.recipients) {
            if (key && one.office == key->author) {
                advance(one,
                        {.of = Proof::Of::answered,
                         .recipient = key->author,
                         .answer = key->origin,
                         .outcome = answer ? answer->report.outcome : ReplyOutcome::none},
                        record->received);
            }
        }
    }
    return ok();
}

// A page that was made anew: the corrections and the withdrawal of the report.
Result<void> find_versions(Ledger& ledger, const storage::ReportKey& report, Now now) {
    TRY(find_corrections(ledger, report));
    std::optional<storage::Withdrawn> withdrawn;
    if (ledger.log(storage::log_of(report)).withdrawn.contains(report.origin.number)) {
        withdrawn.emplace().at = ledger.wall(now);
    }
    const auto page = TRY(ledger.store().report(report));
    for (const auto& filed :
         TRY(ledger.store().newest_filed(report, storage::Filed::withdrawal, 1))) {
        const auto record = TRY(ledger.store().record_until(filed.arrival, WithBody::no));
        const auto by = TRY(key_at(ledger, filed.arrival));
        if (page && record && by && TRY(may_have_hash(ledger, page->arrival, filed.hash))) {
            withdrawn = {.at = record->received, .by = by->origin};
        }
    }
    if (withdrawn) {
        TRY(mark_withdrawn(ledger, report, *withdrawn, now));
    }
    return ok();
}

// The page of a report, as far as events, receipts, custody and answers prove it.
Result<storage::ReportProgress> page_of(const Ledger& ledger, const storage::StoredRecord& record,
                                        const Header& header, Number number, Now now) {
    const auto report = storage::report_in(record.log, number);
    storage::ReportProgress page;
    page.arrival =
        storage::Arrival{static_cast<std::uint64_t>(record.arrival) + number - record.run.first};
    page.box = Box::outbox;
    page.type = storage::other_type;
    page.size_bytes = header.body_bytes;
    // A group names the offices that are still its members.
    all_of_addressees(ledger.roster(), header, [&](OfficeId office) {
        page.recipients.push_back({.office = office});
        return true;
    });
    const auto prove_here = [&](const Proof& proof, WallTime at) {
        for (auto& one : page.recipients) {
            if (!proof.recipient || *proof.recipient == one.office) {
                advance(one, proof, at);
            }
        }
    };
    for (const auto& event : TRY(ledger.store().events_of(report))) {
        if (event.what == What::carried) {
            prove_here({.of = Proof::Of::carried, .by = event.office}, event.at);
        } else if (event.what == What::delivered) {
            prove_here({.of = Proof::Of::received, .recipient = event.office}, event.at);
        } else if (event.what == What::unreadable) {
            prove_here({.of = Proof::Of::unreadable, .recipient = event.office}, event.at);
        } else if (event.what == What::expired) {
            prove_here({.of = Proof::Of::expired}, event.at);
        }
    }
    const auto& log = record.log;
    for (const auto& recipient : std::vector(page.recipients)) {
        const auto office = recipient.office;
        const auto* receipt = ledger.heard_receipts().acted_on(office);
        for (const auto& entry : receipt == nullptr ? std::vector<ReceiptLog>{} : receipt->logs) {
            if (entry.incarnation != log.incarnation || entry.record_class != log.record_class) {
                continue;
            }
            const auto by = [&](Proof::Of of) { return Proof{.of = of, .recipient = office}; };
            if (entry.received.contains(number)) {
                prove_here(by(Proof::Of::received), ledger.peer(office).heard);
            }
            if (entry.unreadable.contains(number)) {
                prove_here(by(Proof::Of::unreadable), ledger.peer(office).heard);
            }
            for (const auto& [reason, numbers] : entry.refused) {
                if (numbers.contains(number)) {
                    prove_here(by(Proof::Of::refused), ledger.peer(office).heard);
                }
            }
        }
    }
    const auto carriers = TRY(carriers_of(ledger, report));
    for (const auto carrier : carriers) {
        prove_here({.of = Proof::Of::carried, .by = carrier}, ledger.custody(carrier)->at);
    }
    if (carriers.empty()) {
        prove_here({.of = Proof::Of::carried_no_more}, {});
    }
    TRY(add_answers(ledger, report, page));
    if (ledger.log(log).is_terminal({number, number})) {
        prove_here({.of = Proof::Of::expired}, ledger.wall(now));
    }
    return page;
}

// Makes a box entry anew from the record: its recipient can open the record again.
Result<void> deliver_again(Ledger& ledger, const storage::StoredRecord& record,
                           const Header& header, Now now, std::vector<Notice>& notify) {
    const auto whole = TRY(ledger.store().record(record.arrival, WithBody::yes));
    const auto done = deliver(ledger, *whole, header, {whole->body, whole->blob},
                              {ledger.us(), How::local}, now, notify);
    return done || done.error().code != Errc::corrupt ? done : ok();
}

// Adds to pages that were made anew what the reports themselves tell.
Result<void> describe_anew(Ledger& ledger, storage::Arrival arrival,
                           const std::vector<storage::ReportKey>& pages, Now now) {
    const auto record =
        pages.empty() ? std::nullopt : TRY(ledger.store().record(arrival, WithBody::yes));
    if (record) {
        TRY(describe_all(ledger, *record));
    }
    for (const auto& report : pages) {
        TRY(find_versions(ledger, report, now));
    }
    return ok();
}

// Writes the missing pages of a received record. The record is in the inbox, and people were told
// of it before.
Result<void> put_missing_pages(Ledger& ledger, const storage::StoredRecord& record,
                               const storage::ArchiveEntry& entry, Now now) {
    // A record that did not open has a page for the first of its numbers only.
    const bool is_unreadable = entry.form == storage::ArchiveEntry::Form::unreadable;
    const auto last = is_unreadable ? record.run.first : record.run.last;
    std::vector<storage::ReportKey> missing;
    for (std::uint64_t n = record.run.first; n <= last; ++n) {
        const auto report = storage::report_in(record.log, static_cast<Number>(n));
        // A report that was withdrawn before it was shown has no page.
        const auto& log = ledger.log(record.log);
        const auto number = static_cast<Number>(n);
        if (TRY(ledger.store().report(report)) ||
            (log.withdrawn.contains(number) && !log.receipted.contains(number))) {
            continue;
        }
        storage::ReportProgress page;
        page.arrival =
            storage::Arrival{static_cast<std::uint64_t>(record.arrival) + n - record.run.first};
        storage::Recipient us{.office = ledger.us()};
        if (is_unreadable) {
            us.state = storage::State::failed;
            us.reason = storage::FailReason::unreadable;
        } else {
            us.state = storage::State::delivered;
            us.delivered_at = record.received;
        }
        page.recipients = {us};
        TRY(add_answers(ledger, report, page));
        ledger.write(storage::PutReport{report, std::move(page)});
        missing.push_back(report);
    }
    return describe_anew(ledger, record.arrival, missing, now);
}

// Mends the rows that other tables have about a record that is whole itself.
Result<void> mend_around(Ledger& ledger, const storage::StoredRecord& record, Now now,
                         std::vector<Notice>& notify) {
    const auto header = TRY(decode_header(record.header));
    const auto entry = TRY(ledger.store().archive(record.arrival));
    const bool is_for_us =
        record.log.author != ledger.us() && is_addressed_to(ledger.roster(), header, ledger.us());
    if (is_for_us) {
        if (entry && entry->form == storage::ArchiveEntry::Form::unopened) {
            return ok();  // it gets its page when mail is opened
        }
        return entry ? put_missing_pages(ledger, record, *entry, now)
                     : deliver_again(ledger, record, header, now, notify);
    }
    if (ledger.log(record.log).held.contains_any(record.run)) {
        ledger.write(storage::PutExpiry{record.expires, record.arrival});
    }
    if (!is_ours(ledger, record.log)) {
        return ok();
    }
    if (!entry) {
        // Its file key is gone: its readers can read it, and its author cannot any more.
        storage::ArchiveEntry unreadable_here;
        unreadable_here.box = Box::outbox;
        unreadable_here.form = storage::ArchiveEntry::Form::unreadable;
        ledger.write(storage::PutArchive{record.arrival, unreadable_here});
    }
    std::vector<storage::ReportKey> missing;
    for (std::uint64_t n = record.run.first; n <= record.run.last; ++n) {
        const auto number = static_cast<Number>(n);
        const auto report = TRY(report_under(ledger, record.log, number));
        if (report != storage::report_in(record.log, number)) {
            continue;  // it lies in the record that was first
        }
        if (!TRY(ledger.store().report(report))) {
            ledger.write(
                storage::PutReport{report, TRY(page_of(ledger, record, header, number, now))});
            missing.push_back(report);
        }
    }
    return describe_anew(ledger, record.arrival, missing, now);
}

}  // namespace

Result<void> expire_lost(Ledger& ledger, storage::Arrival arrival, Now now,
                         std::vector<Notice>& notify) {
    for (std::uint8_t c = 0; c < record_classes; ++c) {
        const LogKey log{ledger.us(), ledger.meta().incarnation, static_cast<RecordClass>(c)};
        const auto published = ledger.log(log).published;
        const auto holes =
            published == 0 ? IntervalSet{} : without({{1, published}}, ledger.log(log).known);
        IntervalSet ended;
        auto due = static_cast<std::uint64_t>(arrival);
        for (auto number = holes.next(1); number; number = holes.after(*number)) {
            const auto report = storage::report_in(log, *number);
            const auto page = TRY(ledger.store().report(report));
            // The reports of one record arrived one after the other.
            if (!page || page->arrival != storage::Arrival{due}) {
                continue;
            }
            ++due;
            ended.add({*number, *number});
            if (TRY(prove(ledger, report, {.of = Proof::Of::expired}, now))) {
                ledger.note(What::expired, {.office = ledger.us(), .report = report}, now, notify);
            }
        }
        if (!ended.empty()) {
            ledger.edit_log(log).end(ended);
        }
    }
    return ok();
}

Result<void> settle_lost_records(Ledger& ledger, Now now, std::vector<Notice>& notify) {
    auto lost = TRY(find_lost(ledger));
    for (const auto& [log, numbers] : lost) {
        TRY(let_go_of(ledger, log, numbers, now));
    }
    TRY(drop_pages_without_record(ledger, lost));
    storage::Arrival from{0};
    while (const auto record = TRY(ledger.store().record_from(from, WithBody::no))) {
        from = storage::Arrival{static_cast<std::uint64_t>(record->arrival) + 1};
        TRY(mend_around(ledger, *record, now, notify));
    }
    tell_of_lost(ledger, lost, now, notify);
    return ok();
}

}  // namespace fieldpost::engine
