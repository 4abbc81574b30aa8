#include "daemon/engine/record/terminal.h"

#include "daemon/engine/membership/replacements.h"
#include "daemon/engine/record/addressees.h"
#include "daemon/engine/record/archive.h"
#include "daemon/engine/record/carry_share.h"
#include "daemon/engine/record/log_bounds.h"
#include "daemon/engine/record/lost_records.h"
#include "daemon/engine/record/progress.h"

namespace fieldpost::engine {

namespace {

const ReceiptLog* receipt_log(const Receipt* receipt, const LogKey& log) {
    if (receipt == nullptr) {
        return nullptr;
    }
    for (const auto& entry : receipt->logs) {
        if (entry.incarnation == log.incarnation && entry.record_class == log.record_class) {
            return &entry;
        }
    }
    return nullptr;
}

// True if the recipient has told the number as received or unreadable: either way nobody need bring
// it again. For our own records an earlier receipt counts too: the recipient may leave a number out
// later.
bool covers(const Ledger& ledger, OfficeId recipient, const LogKey& log, Number number) {
    const bool is_own = log.author == ledger.us();
    const auto* looked = is_own ? ledger.heard_receipts().find_looked(recipient, log) : nullptr;
    if (looked != nullptr &&
        (looked->received.contains(number) || looked->unreadable.contains(number))) {
        return true;
    }
    const auto receipt = is_own ? nullptr : ledger.receipt(recipient, log.author);
    const auto* entry =
        receipt_log(is_own ? ledger.heard_receipts().acted_on(recipient) : receipt.get(), log);
    return entry != nullptr &&
           (entry->received.contains(number) || entry->unreadable.contains(number));
}

}  // namespace

bool is_served(const Ledger& ledger, const Header& header, OfficeId recipient, Number number) {
    if (recipient == ledger.us()) {
        const auto& state = ledger.log(header.log);
        return state.receipted.contains(number) || state.unreadable.contains(number) ||
               state.withdrawn.contains(number);
    }
    const auto* office = ledger.roster().find(recipient);
    if (office != nullptr && (office->state == crypto::OfficeState::revoked ||
                              office->state == crypto::OfficeState::retired)) {
        // A new machine gets what this office wrote to the one that it replaces.
        return header.log.author != ledger.us() || !is_replaced_soon(ledger, *office);
    }
    return covers(ledger, recipient, header.log, number);
}

bool is_owed_to_nobody(const Ledger& ledger, const Header& header, Number number) {
    // If not all recipients are known, only the author's word ends the record.
    return !has_unknown_addressees(ledger.roster(), header) &&
           all_of_addressees(ledger.roster(), header, [&](OfficeId recipient) {
               return is_served(ledger, header, recipient, number);
           });
}

namespace {

Result<bool> is_only_reissues(const Ledger& ledger, const storage::StoredRecord& record) {
    for (std::uint64_t n = record.run.first; n <= record.run.last; ++n) {
        const auto number = static_cast<Number>(n);
        if (!TRY(ledger.store().reissued(storage::report_in(record.log, number)))) {
            return false;
        }
    }
    return true;
}

// A later receipt that has such a record at its top is compared with what was dropped.
Result<void> keep_id_of_reissues(Ledger& ledger, const storage::StoredRecord& record) {
    for (std::uint64_t n = record.run.first; n <= record.run.last; ++n) {
        const auto as = storage::report_in(record.log, static_cast<Number>(n));
        auto reissue = TRY(ledger.store().reissued(as)).value();
        reissue.id = short_hash(record.id);
        ledger.write(storage::PutReissue{as, reissue});
    }
    return ok();
}

Result<void> drop_if_useless(Ledger& ledger, const storage::StoredRecord& record,
                             const Header& header) {
    ledger.write(storage::DropExpiry{record.expires, record.arrival});
    const auto entry = TRY(ledger.store().archive(record.arrival));
    // A reissue is not read here: its report lies in the record that was first.
    const bool is_reissue =
        entry && entry->box == Box::outbox && TRY(is_only_reissues(ledger, record));
    if (entry && !is_reissue) {
        return entry->form == storage::ArchiveEntry::Form::forgotten
                   ? drop_body(ledger, record.arrival)
                   : ok();
    }
    ledger.write(storage::DropRecord{record.arrival, record.log, record.run.first});
    if (record.blob != storage::Blob{}) {
        ledger.write(storage::DropParts{record.blob, part_count(BodyShape{header.body_bytes})});
    }
    if (is_reissue) {
        TRY(keep_id_of_reissues(ledger, record));
        ledger.write(storage::DropArchive{record.arrival});
    } else {
        ledger.uncount_carried(record.log, bytes_on_disk(header, record.blob != storage::Blob{}));
    }
    return ok();
}

}  // namespace

Result<void> drop_if_ended(Ledger& ledger, const storage::StoredRecord& record,
                           const Header& header) {
    // A record is dropped once its whole run is terminal.
    return ledger.log(record.log).held.contains_any(record.run)
               ? ok()
               : drop_if_useless(ledger, record, header);
}

namespace {

// Drops bodies under way whose records are terminal.
void drop_partials(Ledger& ledger, const LogKey& log) {
    std::vector<RecordId> useless;
    for (const auto& [id, partial] : ledger.partials()) {
        if (partial.log == log && ledger.log(log).is_terminal(partial.run)) {
            useless.push_back(id);
        }
    }
    for (const auto& id : useless) {
        ledger.drop_partial(id);
    }
}

}  // namespace

Result<void> make_terminal(Ledger& ledger, const LogKey& log, const IntervalSet& all) {
    auto numbers = all;
    if (log.author == ledger.us() && log.incarnation < ledger.meta().incarnation) {
        // Another record may be public under a number that was never public here (new_life.h). What
        // was taken back from peers is public.
        const auto above = intersection(numbers, {{ledger.log(log).published + 1, UINT32_MAX}});
        numbers = united(without(numbers, above), intersection(above, ledger.passable(log)));
    }
    if (numbers.empty()) {
        return ok();
    }
    const auto leaving = intersection(ledger.log(log).held, numbers);
    ledger.edit_log(log).end(numbers);
    drop_partials(ledger, log);
    for (auto number = leaving.next(1); number;) {
        const auto record = TRY(ledger.store().record(log, *number, storage::WithBody::no));
        if (!record) {
            return fail(Errc::corrupt, "store: a held number without its record");
        }
        TRY(drop_if_ended(ledger, *record, TRY(decode_header(record->header))));
        number = leaving.after(record->run.last);
    }
    return ok();
}

namespace {

// Applies a receipt to our own reports, whether they are still held or not: a report that has
// expired here may have arrived all the same. A page is looked at once for each thing that the
// receipts say of it. It is looked at again only if the opposite has changed it.
Result<void> prove_by_receipt(Ledger& ledger, OfficeId by, const LogKey& log,
                              const ReceiptLog& entry, const ReceiptLog* old, Via from, Now now,
                              std::vector<Notice>& notify) {
    // The signer can name any number. Only numbers that were published are looked up.
    IntervalSet ours;
    if (const auto published = ledger.log(log).published; published != 0) {
        ours.add({1, published});
    }
    auto& looked = ledger.heard_receipts().looked(by, log, old);
    // Returns the numbers whose page has changed.
    const auto each = [&](const IntervalSet& numbers, Proof::Of of,
                          std::optional<What> what) -> Result<IntervalSet> {
        IntervalSet changed;
        for (auto number = numbers.next(1); number; number = numbers.after(*number)) {
            const auto report =
                TRY(prove_record(ledger, log, *number, {.of = of, .recipient = by}, now));
            if (report) {
                changed.add(*number);
                if (what) {
                    ledger.note(*what, {.office = by, .report = *report, .via = from}, now, notify);
                }
            }
        }
        return changed;
    };
    const auto refused = intersection(all_refused(entry), ours);
    const auto ended = without(looked.shown_refused, refused);
    TRY(each(ended, Proof::Of::refused_no_more, {}));
    looked.refused.remove(ended);
    looked.shown_refused.remove(ended);

    auto fresh = without(intersection(entry.received, ours), looked.received);
    looked.received.add(fresh);
    looked.unreadable.remove(TRY(each(fresh, Proof::Of::received, What::delivered)));

    fresh = without(intersection(entry.unreadable, ours), looked.unreadable);
    looked.unreadable.add(fresh);
    looked.received.remove(TRY(each(fresh, Proof::Of::unreadable, What::unreadable)));

    fresh = without(refused, looked.refused);
    looked.refused.add(fresh);
    looked.shown_refused.add(TRY(each(fresh, Proof::Of::refused, What::refused)));
    return ok();
}

// Held numbers that this receipt covers for the first time, as far as is known here.
IntervalSet newly_covered(const Ledger& ledger, OfficeId signer, const LogKey& log,
                          const ReceiptLog& entry, const ReceiptLog* old) {
    auto covered = united(entry.received, entry.unreadable);
    if (old != nullptr) {
        covered.remove(old->received);
        covered.remove(old->unreadable);
    }
    if (const auto* looked = log.author == ledger.us()
                                 ? ledger.heard_receipts().find_looked(signer, log)
                                 : nullptr) {
        covered.remove(looked->received);
        covered.remove(looked->unreadable);
    }
    return intersection(covered, ledger.log(log).held);
}

}  // namespace

Result<void> apply_receipt(Ledger& ledger, OfficeId signer, OfficeId author, const Receipt* before,
                           Via from, Now now, std::vector<Notice>& notify) {
    const auto kept = ledger.receipt(signer, author);
    const auto* receipt =
        author == ledger.us() ? ledger.heard_receipts().acted_on(signer) : kept.get();
    if (receipt == nullptr) {
        return ok();
    }
    for (const auto& entry : receipt->logs) {
        const LogKey log{author, entry.incarnation, entry.record_class};
        const auto* old = receipt_log(before, log);
        const auto concerned = newly_covered(ledger, signer, log, entry, old);
        IntervalSet served;
        for (auto number = concerned.next(1); number;) {
            const auto record = TRY(ledger.store().record(log, *number, storage::WithBody::no));
            if (!record) {
                return fail(Errc::corrupt, "store: a held number without its record");
            }
            const auto header = TRY(decode_header(record->header));
            const auto run = intersection(concerned, {record->run});
            for (auto n = run.next(1); n; n = run.after(*n)) {
                if (is_owed_to_nobody(ledger, header, *n)) {
                    served.add(*n);
                }
            }
            number = concerned.after(record->run.last);
        }
        if (author == ledger.us()) {
            TRY(prove_by_receipt(ledger, signer, log, entry, old, from, now, notify));
        }
        TRY(make_terminal(ledger, log, served));
    }
    if (author == ledger.us()) {
        ledger.heard_receipts().bound_looked(signer);
    }
    return ok();
}

Result<void> apply_statement(Ledger& ledger, OfficeId author) {
    const auto* statement = ledger.statement(author);
    if (statement == nullptr || author == ledger.us() || ledger.is_cut_off(author)) {
        return ok();
    }
    for (const auto& own : statement->logs) {
        const LogKey log{author, own.incarnation, own.record_class};
        const auto fresh = without(own.done, ledger.log(log).terminal());
        if (!fresh.empty() && TRY(make_room_for(ledger, log))) {
            TRY(make_terminal(ledger, log, fresh));
        }
    }
    return ok();
}

Result<void> settle_held(Ledger& ledger, const LogKey& log, const IntervalSet& numbers) {
    IntervalSet served;
    for (auto number = numbers.next(1); number;) {
        const auto record = TRY(ledger.store().record(log, *number, storage::WithBody::no));
        if (!record) {
            number = numbers.after(*number);
            continue;
        }
        const auto header = TRY(decode_header(record->header));
        const auto live = intersection(ledger.log(log).held, {record->run});
        for (auto n = live.next(1); n; n = live.after(*n)) {
            if (is_owed_to_nobody(ledger, header, *n)) {
                served.add(*n);
            }
        }
        number = numbers.after(record->run.last);
    }
    return make_terminal(ledger, log, served);
}

namespace {

Result<void> expire(Ledger& ledger, const storage::StoredRecord& record, Now now,
                    std::vector<Notice>& notify) {
    const auto live = intersection(ledger.log(record.log).held, {record.run});
    if (record.log.author == ledger.us()) {
        for (auto number = live.next(1); number; number = live.after(*number)) {
            if (const auto report = TRY(
                    prove_record(ledger, record.log, *number, {.of = Proof::Of::expired}, now))) {
                ledger.note(What::expired, {.office = ledger.us(), .report = *report}, now, notify);
            }
        }
    }
    return make_terminal(ledger, record.log, live);
}

}  // namespace

Result<bool> expire_due(Ledger& ledger, Now now, std::vector<Notice>& notify) {
    bool any = false;
    while (true) {
        const auto due = TRY(ledger.store().next_expiry());
        if (!due || !due->at.is_over_at(ledger.aged())) {
            return any;
        }
        any = true;
        ledger.write(storage::DropExpiry{due->at, due->arrival});
        if (ledger.write_failure()) {
            return std::unexpected(*ledger.write_failure());  // otherwise this expiry would stay
                                                              // due for ever
        }
        const auto record = TRY(ledger.store().record(due->arrival, storage::WithBody::no));
        TRY(record ? expire(ledger, *record, now, notify)
                   : expire_lost(ledger, due->arrival, now, notify));
    }
}

}  // namespace fieldpost::engine
