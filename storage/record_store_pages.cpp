// The pages of a RecordStore, and everything that follows from them: the index, the counts and the
// feed. No other code writes a page, so nothing that follows can be forgotten. And the names of the
// types that pages have as numbers.
#include "storage/days.h"
#include "storage/record_store.h"
#include "storage/values.h"

namespace fieldpost::storage {

namespace {

Arrival next_after(Arrival arrival) {
    return Arrival{static_cast<std::uint64_t>(arrival) + 1};
}

}  // namespace

Result<void> RecordStore::flush() const {
    TRY(index_.flush());
    return feed_.flush();
}

namespace {

// The reason may come after the news. Then the change is told once more, and the older one is
// dropped.
Result<void> tell_withdrawn(Feed& feed, const ReportKey& report,
                            const std::optional<Withdrawn>& before, ReportProgress& page) {
    if (!page.withdrawn) {
        return ok();
    }
    page.withdrawn->change = before ? before->change : 0;
    if (page.withdrawn == before) {
        return ok();
    }
    if (page.withdrawn->change != 0) {
        TRY(feed.drop(page.withdrawn->change));
    }
    page.change = TRY(feed.append({.of = ChangeOf::withdrawn, .report = report}));
    page.withdrawn->change = page.change;
    return ok();
}

// Tells the feed what changed on a page that was `before`, or was not there: only reports that
// people can read, and the states of own ones. The numbers of these changes go on the page.
Result<void> tell(Feed& feed, const ReportKey& report, const ReportProgress* before,
                  ReportProgress& page) {
    const auto is_readable = [](const ReportProgress& one) {
        return one.box == Box::outbox || combined_state(one.recipients) != State::failed;
    };
    for (auto& one : page.recipients) {
        one.change = 0;
    }
    page.change = before == nullptr ? 0 : before->change;
    page.replaced_change = 0;
    if (report.origin.record_class == RecordClass::reply || !is_readable(page)) {
        return ok();
    }
    if (before == nullptr || !is_readable(*before)) {
        page.change = TRY(feed.append({.of = ChangeOf::report, .report = report}));
        // A page that is made anew may be withdrawn already.
        return tell_withdrawn(feed, report, {}, page);
    }
    page.replaced_change = before->replaced_change;
    if (page.replaced_by != before->replaced_by) {
        if (page.replaced_change != 0) {
            TRY(feed.drop(page.replaced_change));
        }
        page.change = TRY(feed.append({.of = ChangeOf::replaced, .report = report}));
        page.replaced_change = page.change;
    }
    TRY(tell_withdrawn(feed, report, before->withdrawn, page));
    if (page.forgotten_at != before->forgotten_at) {
        page.change = TRY(feed.append({.of = ChangeOf::forgotten, .report = report}));
    }
    // A recipient goes when another machine takes its place.
    for (const auto& old : before->recipients) {
        if (old.change != 0 && std::ranges::find(page.recipients, old.office, &Recipient::office) ==
                                   page.recipients.end()) {
            TRY(feed.drop(old.change));
        }
    }
    for (auto& one : page.recipients) {
        const auto found = std::ranges::find(before->recipients, one.office, &Recipient::office);
        const auto* old = found == before->recipients.end() ? nullptr : &*found;
        if (page.box != Box::outbox) {
            continue;
        }
        one.change = old == nullptr ? 0 : old->change;
        if (old == nullptr || one.state != old->state || one.reason != old->reason) {
            if (one.change != 0) {
                TRY(feed.drop(one.change));
            }
            one.change =
                TRY(feed.append({.of = ChangeOf::state, .report = report, .office = one.office}));
            page.change = one.change;
        }
    }
    return ok();
}

}  // namespace

Result<void> RecordStore::put_page(const ReportKey& key, ReportProgress page) {
    const auto before = TRY(report(key));
    const auto* old = before ? &*before : nullptr;
    TRY(tell(feed_, key, old, page));
    TRY(index_.change(key, old, &page));
    TRY(tables_.put(Table::reports, report_key(key), encode(page)));
    // A page that is made anew may have answers already.
    return old == nullptr ? tell_answers(key) : ok();
}

Result<std::optional<Reissue>> RecordStore::reissued(const ReportKey& as) const {
    const auto value = TRY(tables_.get(Table::reissues, report_key(as)));
    if (!value) {
        return std::optional<Reissue>{};
    }
    return TRY(decode_reissue(*value));
}

Result<void> RecordStore::tell_answers(const ReportKey& about) {
    for (const auto answer : TRY(answers(about))) {
        TRY(tell_answer(about, answer));
    }
    return ok();
}

Result<void> RecordStore::tell_answer(const ReportKey& about, Arrival answer) {
    const auto number =
        TRY(feed_.append({.of = ChangeOf::answer, .report = about, .answer = answer}));
    if (auto page = TRY(report(about))) {
        page->change = number;
        return tables_.put(Table::reports, report_key(about), encode(*page));
    }
    return ok();
}

Result<void> RecordStore::drop_page(const ReportKey& key) {
    const auto before = TRY(report(key));
    if (!before) {
        return ok();
    }
    for (const auto& one : before->recipients) {
        if (one.change != 0) {
            TRY(feed_.drop(one.change));
        }
    }
    if (before->withdrawn && before->withdrawn->change != 0) {
        TRY(feed_.drop(before->withdrawn->change));
    }
    if (before->replaced_change != 0) {
        TRY(feed_.drop(before->replaced_change));
    }
    TRY(index_.change(key, &*before, nullptr));
    return tables_.erase(Table::reports, report_key(key));
}

// Makes everything anew that follows from other rows: the index, the counts and the feed from the
// pages, in the order of their arrival, and the table of days from the records.
Result<void> RecordStore::derive_from_rows() {
    TRY(index_.clear());
    TRY(feed_.begin_anew());
    std::vector<std::pair<Arrival, ReportKey>> all;
    for (const auto& key : TRY(reports())) {
        all.emplace_back(TRY(report(key)).value().arrival, key);
    }
    std::ranges::sort(all);
    std::uint64_t told = 0;
    for (const auto& [arrival, key] : all) {
        auto page = TRY(report(key)).value();
        TRY(tell(feed_, key, nullptr, page));
        TRY(index_.change(key, nullptr, &page));
        TRY(tables_.put(Table::reports, report_key(key), encode(page)));
        TRY(tell_answers(key));
        // A million reports are told at once: what is written does not stay in memory.
        if (++told % arrivals_a_block == 0) {
            TRY(flush());
        }
    }
    TRY(clear_days(tables_));
    for (auto record = TRY(record_from(Arrival{0}, WithBody::no)); record;
         record = TRY(record_from(next_after(record->arrival), WithBody::no))) {
        TRY(note_day(tables_, *record));
    }
    return ok();
}

Result<std::vector<RecordStore::FiledRecord>> RecordStore::newest_filed(const ReportKey& about,
                                                                        Filed as,
                                                                        std::size_t limit) const {
    std::vector<FiledRecord> newest;
    const auto prefix = filed_prefix(about, as);
    auto to = joined(prefix, number_key(UINT64_MAX));
    while (newest.size() < limit) {
        // The row before the wanted ones may be damaged, so it is not read.
        const auto found = TRY(tables_.raw().at_or_before(Table::answers, to));
        if (!found || found->key.size() != to.size() ||
            !std::equal(prefix.begin(), prefix.end(), found->key.begin())) {
            break;
        }
        const auto key = to_bytes(found->key);
        const auto value = TRY(tables_.get(Table::answers, key));
        ByteReader in(value.value());
        const Arrival arrival{trailing_number(key)};
        newest.push_back({arrival, TRY(or_corrupt(in.read_array<ReportHashPrefix>()))});
        if (arrival == Arrival{0}) {
            break;
        }
        to = filed_key(about, as, Arrival{static_cast<std::uint64_t>(arrival) - 1});
    }
    return newest;
}

Result<ReportCounts> RecordStore::counts() const {
    TRY(flush());
    return index_.counts();
}

Result<Selection> RecordStore::select(ReportFilter filter) const {
    TRY(flush());
    return Selection(index_, std::move(filter));
}

Result<std::vector<std::pair<TypeNumber, Bytes>>> RecordStore::types() const {
    std::vector<std::pair<TypeNumber, Bytes>> all;
    Bytes from;
    while (const auto entry = TRY(tables_.raw().at_or_after(Table::types, from))) {
        const TypeNumber type{static_cast<std::uint32_t>(trailing_number(entry->key))};
        const auto value = tables_.get(Table::types, entry->key);
        if (!value && value.error().code != Errc::corrupt) {
            return std::unexpected(value.error());
        }
        all.emplace_back(type, value ? to_bytes(**value) : Bytes{});
        from = entry->key;
        from.push_back(std::byte{0});
    }
    return all;
}

Result<FeedPlace> RecordStore::feed_end() const {
    TRY(flush());
    return feed_.end();
}

Result<FeedPlace> RecordStore::feed_place(std::uint64_t number) const {
    TRY(flush());
    return feed_.place_of(number);
}

Result<bool> RecordStore::is_in_feed(const FeedPlace& place) const {
    return place.number <= TRY(feed_end()).number && TRY(feed_place(place.number)) == place;
}

Result<std::vector<Change>> RecordStore::changes(std::uint64_t after, std::size_t limit) const {
    TRY(flush());
    return feed_.changes(after, limit);
}

}  // namespace fieldpost::storage
