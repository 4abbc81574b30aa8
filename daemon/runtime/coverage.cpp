#include "daemon/runtime/coverage.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>

#include "daemon/engine/record/addressees.h"
#include "proto/typed.h"

namespace fieldpost::runtime {

using engine::IsSpent;
using engine::Ledger;
using engine::ReportView;
using storage::Arrival;
using storage::ReportKey;

namespace {

constexpr std::size_t feed_page = 200;
// How often the office looks by itself.
constexpr std::chrono::seconds own_look_every{10};
// The number of overdue reports of one kind that attention names.
constexpr std::size_t named_max = 5;
constexpr std::size_t words_bytes_max = 1024;

// True if a report that this office has published is not here, and nobody has said that it need not
// come. Its highest number is known from its own statement, or from what came behind.
bool lacks_some(const Ledger& ledger, OfficeId author) {
    const auto lacks = [&](const LogKey& log, Number tip) {
        const auto& known = ledger.log(log).known;
        const auto top = std::max(tip, known.top());
        return log.record_class != RecordClass::reply && top != 0 && !known.contains_all({1, top});
    };
    const auto* statement = ledger.statement(author);
    return std::ranges::any_of(ledger.partials(),
                               [&](const auto& one) {
                                   return one.second.log.author == author && one.second.is_for_us;
                               }) ||
           (statement != nullptr &&
            std::ranges::any_of(statement->logs,
                                [&](const OwnLog& log) {
                                    return lacks({author, log.incarnation, log.record_class},
                                                 log.tip);
                                })) ||
           std::ranges::any_of(ledger.logs_of(author),
                               [&](const auto& log) { return lacks(log.first, 0); });
}

bool is_meant(const crypto::RosterOffice& office, const Expectation& expectation) {
    const auto group = engine::group_named(expectation.from);
    return group ? engine::is_in_group(office, *group) : office.name == expectation.from;
}

// The period that a report names.
std::optional<Period> named_period(const Expectation& expectation, const Report& report) {
    const auto field =
        std::ranges::find(report.fields, expectation.period_field, &Report::Field::key);
    if (!expectation.period_field.empty() && field != report.fields.end()) {
        return parse_period(expectation.every, field->value);
    }
    return std::nullopt;
}

// The period in which it was written.
Period written_in(const Expectation& expectation, const ReportView& view) {
    // A clock in doubt shows no date. The day of arrival is the best that is known.
    const bool is_doubtful = (view.header.flags & flag_doubtful) != 0;
    return period_of(expectation.every,
                     is_doubtful ? date_at(view.record.received)
                                 : date_at(view.report->created, view.report->utc_offset_minutes));
}

}  // namespace

bool is_nobody(const Ledger& ledger, const std::string& from) {
    return !engine::group_named(from) && ledger.roster().offices_named(from).empty();
}

std::string_view name_of(Coverage::State state) {
    constexpr std::array<std::string_view, 5> names = {"here", "late", "open", "coming", "nothing"};
    return names[static_cast<std::size_t>(state)];
}

void Coverage::expect(std::vector<Expectation> expectations) {
    expectations_ = std::move(expectations);
    since_.assign(expectations_.size(), {});
    begin_anew();
}

void Coverage::begin_anew() {
    looked_.assign(expectations_.size(), {});
    again_.clear();
    place_.reset();
    tally_.reset();
    told_.reset();
    roster_version_ = 0;
    is_whole_ = false;
}

Result<void> Coverage::reach_back_to(WallTime since, const std::string& type, WallTime now) {
    auto reached = since_;
    for (std::size_t i = 0; i < expectations_.size(); ++i) {
        const auto every = expectations_[i].every;
        if (!type.empty() && expectations_[i].type != type) {
            continue;
        }
        if (period_of(every, date_at(now)) - period_of(every, date_at(since)) >= periods_max) {
            return fail(Errc::limit_exceeded, fmt::format("more than {} periods of {}", periods_max,
                                                          expectations_[i].type));
        }
        reached[i] = std::min(reached[i].value_or(since), since);
    }
    since_ = std::move(reached);
    return ok();
}

bool Coverage::is_up_to_date(Instant now) const {
    // Where nothing is expected any more, that is told too.
    return expectations_.empty() ? told_ && told_->overdue == 0
                                 : (is_whole_ && last_look_ && now < *last_look_ + own_look_every);
}

Result<bool> Coverage::catch_up(const Ledger& ledger, WallTime now, const IsSpent& is_spent) {
    if (expectations_.empty()) {
        return true;
    }
    if (is_whole_) {
        looked_at_ = 0;
    }
    is_whole_ = false;
    if (!place_ || !TRY(ledger.store().is_in_feed(*place_))) {
        looked_.assign(expectations_.size(), {});
        again_.clear();
        place_ = TRY(ledger.store().feed_end());
    }
    read_roster(ledger);
    for (std::size_t i = 0; i < expectations_.size(); ++i) {
        const auto& expectation = expectations_[i];
        auto& looked = looked_[i];
        const auto running = period_of(expectation.every, date_at(now));
        if (looked.running != 0 && looked.running != running) {
            since_[i].reset();  // whoever wanted to see more has seen it
        }
        auto first = running - past_periods;
        if (since_[i]) {
            first = std::min(first, period_of(expectation.every, date_at(*since_[i])));
        }
        if (looked.first != first || looked.running != running) {
            looked = Looked{.first = first, .running = running};
        }
        if (looked.next) {
            TRY(walk(ledger, i, is_spent));
        }
        if (looked.next) {
            return false;
        }
    }
    is_whole_ = TRY(read_feed(ledger, is_spent));
    return is_whole_;
}

Result<void> Coverage::walk(const Ledger& ledger, std::size_t expectation,
                            const IsSpent& is_spent) {
    auto& looked = looked_[expectation];
    engine::ReportQuery query;
    query.boxes = {Box::inbox, Box::outbox};
    query.type = expectations_[expectation].type;
    query.all_versions = true;
    const auto& expected = expectations_[expectation];
    for (const auto* machine : ledger.roster().offices_named(expected.from)) {
        query.from.push_back(machine->index);
    }
    // Before a holiday reports are sent ahead.
    query.since = after_start_of(first_day(expected.every, looked.first - past_periods), 0);
    engine::ReportWalk reports(ledger, std::move(query));
    engine::ReportWalk firsts(ledger, {});
    looked.next = TRY(reports.run(*looked.next, engine::ReportWalk::Order::oldest_first, is_spent,
                                  [&](const ReportView& view) -> Result<bool> {
                                      TRY(put(ledger, firsts, expectation, view));
                                      return true;
                                  }));
    return ok();
}

Result<bool> Coverage::read_feed(const Ledger& ledger, const IsSpent& is_spent) {
    engine::ReportWalk reports(ledger, {});
    engine::ReportWalk firsts(ledger, {});
    while (true) {
        while (!again_.empty()) {
            const auto correction = again_.back();
            again_.pop_back();
            TRY(look_again(ledger, reports, firsts, correction));
            if (is_spent()) {
                return false;
            }
        }
        const auto changes = TRY(ledger.store().changes(place_->number, feed_page));
        bool is_over = false;
        for (const auto& change : changes) {
            if (change.of != storage::ChangeOf::state && change.of != storage::ChangeOf::answer) {
                TRY(look_again(ledger, reports, firsts, change.report));
            }
            if (change.of == storage::ChangeOf::report ||
                change.of == storage::ChangeOf::forgotten) {
                again_ = corrections_of(change.report);
            }
            is_over = is_spent();
            if (is_over || !again_.empty()) {
                place_ = TRY(ledger.store().feed_place(change.number));
                break;
            }
        }
        if (is_over) {
            return false;
        }
        if (!again_.empty()) {
            continue;
        }
        if (changes.size() < feed_page) {
            place_ = TRY(ledger.store().feed_end());
            return true;
        }
        place_ = TRY(ledger.store().feed_place(changes.back().number));
    }
}

Result<void> Coverage::look_again(const Ledger& ledger, engine::ReportWalk& reports,
                                  engine::ReportWalk& firsts, const ReportKey& report) {
    const auto page = TRY(ledger.store().report(report));
    const auto* view = page ? TRY(reports.view_at(page->arrival)) : nullptr;
    const bool is_there = view != nullptr && view->key == report && view->report;
    for (std::size_t i = 0; i < expectations_.size(); ++i) {
        remove(i, report);
        if (is_there && view->report->type == expectations_[i].type) {
            TRY(put(ledger, firsts, i, *view));
        }
    }
    return ok();
}

// A correction may be for the period of the report that it corrects.
std::vector<ReportKey> Coverage::corrections_of(const ReportKey& report) const {
    std::set<ReportKey> all;
    for (const auto& looked : looked_) {
        if (const auto of_author = looked.found.find(report.author);
            of_author != looked.found.end()) {
            for (const auto& [period, cell] : of_author->second) {
                for (const auto& one : cell) {
                    if (one.corrects == report) {
                        all.insert(one.report);
                    }
                }
            }
        }
    }
    return {all.begin(), all.end()};
}

Result<void> Coverage::put(const Ledger& ledger, engine::ReportWalk& firsts,
                           std::size_t expectation, const ReportView& view) {
    ++looked_at_;
    // A part of a walk that failed comes again.
    remove(expectation, view.key);
    auto& looked = looked_[expectation];
    if (!view.report || view.withdrawn || view.forgotten_at != WallTime{}) {
        return ok();
    }
    const auto& expected = expectations_[expectation];
    std::optional<ReportKey> corrects;
    auto period = named_period(expected, *view.report);
    if (!period && view.report->replaces) {
        const auto page = TRY(ledger.store().report(view.key));
        if (page && page->corrects) {
            corrects = page->corrects->first;
            const auto first_page = TRY(ledger.store().report(*corrects));
            const auto* first = first_page ? TRY(firsts.view_at(first_page->arrival)) : nullptr;
            if (first != nullptr && first->key == *corrects) {
                // A forgotten report still says when it was written.
                period = first->report ? named_period(expected, *first->report)
                                             .value_or(written_in(expected, *first))
                                       : period_of(expected.every, date_at(first->header.created));
            }
        }
    }
    period = period.value_or(written_in(expected, view));
    // Of a period that has not begun: it is looked at again when it has.
    if (*period < looked.first || *period > looked.running) {
        return ok();
    }
    auto& cell = looked.found[view.key.author][*period];
    cell.push_back({view.key, corrects, view.arrival, view.record.received, !view.replaced_by});
    std::ranges::sort(cell, {}, &Found::arrival);
    if (cell.size() > reports_a_cell_max) {
        const auto old = std::find_if(cell.begin() + 1, cell.end(),
                                      [](const Found& one) { return !one.is_current; });
        cell.erase(old == cell.end() ? cell.begin() + 1 : old);
    }
    return ok();
}

void Coverage::remove(std::size_t expectation, const ReportKey& report) {
    auto& found = looked_[expectation].found;
    if (const auto of_author = found.find(report.author); of_author != found.end()) {
        for (auto& [period, cell] : of_author->second) {
            std::erase_if(cell, [&](const Found& one) { return one.report == report; });
        }
    }
}

// The roster tells the last state of an office, and its changes tell the times between.
void Coverage::read_roster(const Ledger& ledger) {
    const auto version = ledger.roster().version();
    if (version == roster_version_) {
        return;
    }
    roster_version_ = version;
    members_.clear();
    std::map<OfficeId, std::pair<std::string, WallTime>> open;
    const auto end = [&](OfficeId office, WallTime at) {
        if (const auto found = open.find(office); found != open.end()) {
            members_[found->second.first].push_back({found->second.second, at});
            open.erase(found);
        }
    };
    for (const auto& change : ledger.roster_changes()) {
        for (const auto& statement : change.statements) {
            if (const auto* admit = std::get_if<Admit>(&statement)) {
                open.try_emplace(admit->index, admit->name, change.at);
            } else if (const auto* revoke = std::get_if<Revoke>(&statement)) {
                end(revoke->index, change.at);
            } else if (const auto* retire = std::get_if<Retire>(&statement);
                       retire != nullptr && retire->closed) {
                end(retire->index, change.at);
            }
        }
    }
    while (!open.empty()) {
        end(open.begin()->first, WallTime{UINT32_MAX});
    }
    for (auto& [name, spans] : members_) {
        std::ranges::sort(spans, {}, &Span::from);
    }
}

// From the period's beginning to its end, or until now.
bool Coverage::owes(const std::string& office, const Due& due, WallTime now) const {
    const auto spans = members_.find(office);
    if (spans == members_.end()) {
        return false;
    }
    auto covered = due.begins;
    for (const auto& span : spans->second) {
        if (span.from <= covered) {
            covered = std::max(covered, span.to);
        }
    }
    return covered > due.begins && covered >= std::min(due.ends, now);
}

std::vector<std::string> Coverage::offices(const Ledger& ledger, std::size_t expectation) const {
    std::vector<std::string> names;
    for (const auto& [index, office] : ledger.roster().offices()) {
        if (office.has_keys() && is_meant(office, expectations_[expectation])) {
            names.push_back(office.name);
        }
    }
    std::ranges::sort(names);
    const auto [from, to] = std::ranges::unique(names);
    names.erase(from, to);
    return names;
}

std::vector<Coverage::Due> Coverage::dues(std::size_t expectation,
                                          std::optional<WallTime> since) const {
    const auto& [type, from, every, due_seconds, period_field] = expectations_[expectation];
    const auto& looked = looked_[expectation];
    const auto first = since ? period_of(every, date_at(*since)) : looked.running - past_periods;
    std::vector<Due> dues;
    for (auto period = std::max(first, looked.first); period <= looked.running; ++period) {
        const auto next = first_day(every, period + 1);
        dues.push_back({period, after_start_of(first_day(every, period), 0),
                        after_start_of(next, 0), after_start_of(next, due_seconds)});
    }
    return dues;
}

std::vector<Coverage::Cell> Coverage::cells(const Ledger& ledger, std::size_t expectation,
                                            const std::string& office,
                                            std::optional<WallTime> since, WallTime now) const {
    return cells(ledger, expectation, office, dues(expectation, since), now);
}

std::vector<Coverage::Cell> Coverage::cells(const Ledger& ledger, std::size_t expectation,
                                            const std::string& office, const std::vector<Due>& dues,
                                            WallTime now) const {
    // A replaced machine counts under its name.
    const auto machines = ledger.roster().offices_named(office);
    std::optional<bool> is_coming;
    const auto& found = looked_[expectation].found;
    std::vector<Cell> cells;
    for (const auto& due : dues) {
        if (!owes(office, due, now)) {
            continue;
        }
        std::vector<Found> here;
        for (const auto* machine : machines) {
            if (const auto by_period = found.find(machine->index); by_period != found.end()) {
                if (const auto cell = by_period->second.find(due.period);
                    cell != by_period->second.end()) {
                    here.insert(here.end(), cell->second.begin(), cell->second.end());
                }
            }
        }
        std::ranges::sort(here, {}, &Found::arrival);
        Cell cell{.period = due.period, .due = due.due, .state = State::nothing};
        for (const auto& one : here) {
            if (one.is_current) {
                cell.reports.push_back(one.report);
            }
        }
        if (!cell.reports.empty()) {
            // A correction that comes late of a report that was in time is no late report.
            const auto first = std::ranges::min(here, {}, &Found::received).received;
            cell.state = first <= due.due ? State::here : State::late;
        } else if (now < due.due) {
            cell.state = State::open;
        } else {
            if (!is_coming) {
                is_coming = std::ranges::any_of(machines, [&](const auto* machine) {
                    return lacks_some(ledger, machine->index);
                });
            }
            cell.state = *is_coming ? State::coming : State::nothing;
        }
        cells.push_back(std::move(cell));
    }
    return cells;
}

Coverage::Tally Coverage::tally(const Ledger& ledger, WallTime now) const {
    Tally tally;
    for (std::size_t i = 0; i < expectations_.size(); ++i) {
        const auto& expectation = expectations_[i];
        const auto names = offices(ledger, i);
        std::string words;
        if (is_nobody(ledger, expectation.from)) {
            words = fmt::format("no office is named {}", expectation.from);
        }
        const auto wanted = dues(i, std::nullopt);
        // The newest first: an office that never reports must not hide the others.
        std::vector<std::pair<Period, std::string>> overdue;
        for (const auto& name : names) {
            for (const auto& cell : cells(ledger, i, name, wanted, now)) {
                if (cell.state == State::coming || cell.state == State::nothing) {
                    overdue.emplace_back(-cell.period, name);
                    tally.newest_due = std::max(tally.newest_due, cell.due);
                }
            }
        }
        std::ranges::sort(overdue);
        std::vector<std::string> named;
        for (const auto& [period, name] : overdue | std::views::take(named_max)) {
            named.push_back(fmt::format("{} {}", name, period_text(expectation.every, -period)));
        }
        if (!overdue.empty()) {
            words = fmt::format("{}{}", fmt::join(named, ", "),
                                overdue.size() > named_max
                                    ? fmt::format(" and {} more", overdue.size() - named_max)
                                    : "");
        }
        if (!words.empty()) {
            tally.overdue += std::max<std::size_t>(1, overdue.size());
            tally.words +=
                fmt::format("{}{}: {}", tally.words.empty() ? "" : "; ", expectation.type, words);
        }
    }
    return tally;
}

const Coverage::Tally& Coverage::tally_now(const Ledger& ledger, Instant now, WallTime wall) {
    const auto place = place_ ? place_->number : 0;
    if (!tally_ || tally_place_ != place || tally_roster_ != roster_version_ ||
        now >= tallied_at_ + own_look_every) {
        tally_ = tally(ledger, wall);
        tally_->words = cut_text(tally_->words, words_bytes_max);
        tally_place_ = place;
        tally_roster_ = roster_version_;
        tallied_at_ = now;
    }
    return *tally_;
}

std::optional<engine::Input> Coverage::take_news(const Ledger& ledger, Instant now, WallTime wall) {
    if (!expectations_.empty() && !is_whole_) {
        return std::nullopt;
    }
    const auto& fresh = tally_now(ledger, now, wall);
    if (told_ && told_->overdue == fresh.overdue && told_->words == fresh.words) {
        return std::nullopt;
    }
    told_ = fresh;
    // A person who has dismissed the item is told again only of reports that fell due since.
    const auto& items = ledger.attention().items();
    const auto item = items.find({engine::What::overdue, ledger.us(), {}});
    const bool is_news = item == items.end() || item->second.dismissed == WallTime{} ||
                         fresh.newest_due > item->second.dismissed;
    return engine::MachineTrouble{engine::What::overdue, fresh.words,
                                  static_cast<std::uint32_t>(fresh.overdue), is_news};
}

}  // namespace fieldpost::runtime
