#include "tests/support/feed_reader.h"

#include <catch2/catch.hpp>

namespace fieldpost::tests {

using storage::ChangeOf;

namespace {

bool is_told(const storage::ReportKey& report, const storage::ReportProgress& page) {
    return report.origin.record_class != RecordClass::reply &&
           (page.box == Box::outbox ||
            storage::combined_state(page.recipients) != storage::State::failed);
}

// The answers among what is filed with a report.
std::set<storage::Arrival> answers_to(const storage::RecordStore& store,
                                      const storage::ReportKey& report) {
    const auto filed = store.answers(report).value();
    return {filed.begin(), filed.end()};
}

}  // namespace

FeedReader::Known FeedReader::known_of(const storage::ReportProgress& page) {
    Known known;
    known.replaced_by = page.replaced_by;
    known.withdrawn = page.withdrawn;
    known.forgotten_at = page.forgotten_at;
    for (const auto& one : page.recipients) {
        if (page.box == Box::outbox) {
            known.states[one.office] = {one.state, one.reason};
        }
    }
    return known;
}

// A change is told as the report is when it is read.
void FeedReader::take(const storage::RecordStore& store, const storage::Change& change) {
    const auto page = store.report(change.report).value();
    if (!page) {
        return;
    }
    auto& known = now_.reports[change.report];
    known.newest_change = change.number;
    switch (change.of) {
        case ChangeOf::report: {
            const auto before = known;
            known = known_of(*page);
            known.answers = before.answers;
            known.newest_change = before.newest_change;
            break;
        }
        case ChangeOf::replaced:
            known.replaced_by = page->replaced_by;
            break;
        case ChangeOf::withdrawn:
            known.withdrawn = page->withdrawn;
            break;
        case ChangeOf::forgotten:
            known.forgotten_at = page->forgotten_at;
            break;
        case ChangeOf::answer:
            known.answers.insert(change.answer);
            break;
        case ChangeOf::state:
            for (const auto& one : page->recipients) {
                if (one.office == change.office) {
                    known.states[one.office] = {one.state, one.reason};
                }
            }
            break;
    }
}

void FeedReader::compare(const storage::RecordStore& store, std::size_t node) const {
    const auto reports = store.reports().value();
    for (const auto& key : reports) {
        const auto page = store.report(key).value();
        if (!page || !is_told(key, *page)) {
            continue;
        }
        INFO("reader of office " << node << ", report " << key.origin.number << " of office "
                                 << value_of(key.author) << ", class "
                                 << static_cast<int>(key.origin.record_class));
        const auto found = now_.reports.find(key);
        REQUIRE(found != now_.reports.end());
        auto expected = known_of(*page);
        // Readers know an office by its name. So the last state of a machine that was replaced
        // stands until the new one's state comes.
        auto states = found->second.states;
        std::erase_if(states, [&](const auto& entry) {
            return !expected.states.contains(entry.first) &&
                   std::ranges::any_of(page->recipients, [](const storage::Recipient& one) {
                       return one.reissued_as.has_value();
                   });
        });
        CHECK(states == expected.states);
        CHECK(found->second.replaced_by == expected.replaced_by);
        CHECK(found->second.withdrawn == expected.withdrawn);
        CHECK(found->second.forgotten_at == expected.forgotten_at);
        CHECK(found->second.newest_change == page->change);
        for (const auto answer : answers_to(store, key)) {
            CHECK(found->second.answers.contains(answer));
        }
    }
}

void FeedReader::catch_up(const storage::RecordStore& store, std::size_t node) {
    if (!store.is_in_feed(now_.place).value()) {
        now_ = {};
    }
    constexpr std::size_t page = 7;
    while (true) {
        const auto changes = store.changes(now_.place.number, page).value();
        for (const auto& change : changes) {
            CHECK(change.number > now_.place.number);
            take(store, change);
            now_.place = store.feed_place(change.number).value();
        }
        if (changes.size() < page) {
            break;
        }
    }
    now_.place = store.feed_end().value();
    compare(store, node);
}

void FeedReader::take_turn(const storage::RecordStore& store, std::size_t node) {
    switch (++turns_ % 7) {
        case 2:
            saved_ = now_;
            break;
        case 6:
            now_ = saved_;
            break;
        default:
            catch_up(store, node);
    }
}

void check_index(const storage::RecordStore& store, std::size_t node) {
    INFO("office " << node);
    storage::ReportCounts counts;
    std::map<storage::Term, std::set<storage::Arrival>> expected;
    const auto reports = store.reports().value();
    for (const auto& key : reports) {
        const auto page = store.report(key).value().value();
        const auto terms = storage::terms_of(key, page);
        for (const auto& term : terms) {
            expected[term].insert(page.arrival);
        }
        if (terms.empty()) {
            continue;
        }
        const auto state = storage::combined_state(page.recipients);
        const bool is_outbox = page.box == Box::outbox;
        if (page.withdrawn || page.forgotten_at != WallTime{} || (!is_outbox && page.replaced_by)) {
            continue;
        }
        ++(is_outbox ? counts.outbox : counts.inbox)[static_cast<std::size_t>(state)];
        counts.queued_bytes += is_outbox && state == storage::State::queued ? page.size_bytes : 0;
    }
    CHECK(store.counts().value() == counts);
    for (const auto& [term, arrivals] : expected) {
        auto selection = store.select({.all = {{term}}, .none = {}}).value();
        auto at = selection.from(storage::Arrival{0}).value();
        for (const auto arrival : arrivals) {
            CHECK(at == arrival);
            at = selection.from(storage::Arrival{static_cast<std::uint64_t>(arrival) + 1}).value();
        }
        CHECK_FALSE(at.has_value());
        CHECK(selection.count().value() == arrivals.size());
    }
}

}  // namespace fieldpost::tests
