#include "daemon/engine/report_walk.h"

#include "daemon/engine/record/progress.h"

namespace fieldpost::engine {

using storage::Arrival;
using storage::Facet;
using storage::Term;
using storage::term_of;
using storage::WithBody;

namespace {

Arrival after(Arrival arrival) {
    return Arrival{static_cast<std::uint64_t>(arrival) + 1};
}
std::optional<Arrival> before(Arrival arrival) {
    const auto number = static_cast<std::uint64_t>(arrival);
    return number == 0 ? std::nullopt : std::optional(Arrival{number - 1});
}

std::vector<Term> any_of(Facet facet, const auto& values) {
    std::vector<Term> terms;
    terms.reserve(values.size());
    for (const auto value : values) {
        terms.push_back(term_of(facet, value));
    }
    return terms;
}

storage::ReportFilter filter_of(const ReportQuery& query,
                                const std::vector<storage::TypeNumber>& types) {
    storage::ReportFilter filter;
    const auto add = [&](std::vector<Term> terms) {
        if (!terms.empty()) {
            filter.all.push_back(std::move(terms));
        }
    };
    add(any_of(Facet::box, query.boxes));
    add(any_of(Facet::from, query.from));
    add(any_of(Facet::to, query.to));
    add(any_of(Facet::type, types));
    if (query.state) {
        add({term_of(Facet::state, *query.state)});
    }
    if (query.priority) {
        add({term_of(Facet::priority, *query.priority)});
    }
    if (query.outcome != ReplyOutcome::none) {
        add({term_of(Facet::outcome, query.outcome)});
    }
    if (query.unanswered) {
        add({term_of(Facet::box, Box::inbox)});
        add({term_of(Facet::state, State::delivered)});
    }
    if (!query.all_versions) {
        filter.none.push_back(term_of(Facet::replaced, 1));
        filter.none.push_back(term_of(Facet::withdrawn, 1));
    }
    if (query.unanswered) {
        filter.none.push_back(term_of(Facet::forgotten, 1));
    }
    return filter;
}

// The terms of a record that is only carried. There is no page of it.
std::vector<Term> terms_of_carried(const ReportView& view) {
    std::vector<Term> terms{term_of(Facet::box, Box::carried), term_of(Facet::state, view.state),
                            term_of(Facet::priority, view.key.origin.record_class),
                            term_of(Facet::from, view.key.author)};
    for (const auto& one : view.recipients) {
        terms.push_back(term_of(Facet::to, one.proved.office));
    }
    for (const auto& stanza : view.header.stanzas) {
        terms.push_back(term_of(Facet::to, stanza.recipient));
    }
    std::ranges::sort(terms);
    return terms;
}

}  // namespace

ReportWalk::ReportWalk(const Ledger& ledger, ReportQuery query)
    : ledger_(&ledger), query_(std::move(query)) {
    std::vector<storage::TypeNumber> types;
    if (query_.type) {
        types = ledger.types().numbers_of(ledger, *query_.type);
    }
    filter_ = filter_of(query_, types);
}

bool ReportWalk::needs_every_record() const {
    return std::ranges::find(query_.boxes, Box::carried) != query_.boxes.end();
}

bool ReportWalk::needs_a_look() const {
    return query_.has_words || !query_.held_by.empty() || query_.since != WallTime{} || query_.type;
}

Result<std::optional<std::uint64_t>> ReportWalk::count() const {
    if (needs_every_record() || needs_a_look()) {
        return std::optional<std::uint64_t>{};
    }
    return TRY(TRY(ledger_->store().select(filter_)).count());
}

// The next arrival, `from` or beyond it, where a report may fit.
Result<std::optional<Arrival>> ReportWalk::next(Arrival from, Order order) {
    const auto& store = ledger_->store();
    if (!needs_every_record()) {
        if (!selection_) {
            selection_ = TRY(store.select(filter_));
        }
        return order == Order::oldest_first ? selection_->from(from) : selection_->until(from);
    }
    const auto here = TRY(store.record_until(from, WithBody::no));
    const bool is_inside =
        here &&
        after(from) <= Arrival{static_cast<std::uint64_t>(here->arrival) + here->run.count()};
    if (is_inside) {
        return std::optional(from);
    }
    if (order == Order::oldest_first) {
        const auto record = TRY(store.record_from(from, WithBody::no));
        return record ? std::optional(record->arrival) : std::nullopt;
    }
    return here ? before(Arrival{static_cast<std::uint64_t>(here->arrival) + here->run.count()})
                : std::nullopt;
}

Result<const ReportView*> ReportWalk::view_at(Arrival arrival) {
    if (views_.empty() || arrival < views_from_ || arrival > views_to_) {
        views_.clear();
        const auto record = TRY(ledger_->store().record_until(arrival, WithBody::yes));
        if (record) {
            views_ = TRY(views_of(*ledger_, *record));
            views_from_ = record->arrival;
            views_to_ =
                Arrival{static_cast<std::uint64_t>(record->arrival) + record->run.count() - 1};
        }
    }
    const auto found = std::ranges::find(views_, arrival, &ReportView::arrival);
    return found == views_.end() ? nullptr : &*found;
}

// Tests the terms that the index tells otherwise.
Result<bool> ReportWalk::fits_terms(const ReportView& view) const {
    if (!view.entry) {
        return storage::fits(filter_, terms_of_carried(view));
    }
    const auto page = TRY(ledger_->store().report(view.key));
    return page && storage::fits(filter_, storage::terms_of(view.key, *page));
}

// Tests the filters that the index does not know.
Result<bool> ReportWalk::fits_at_a_look(const ReportView& view) const {
    if (view.key.origin.record_class == RecordClass::reply || view.record.received < query_.since) {
        return false;
    }
    if (query_.type && (!view.report || view.report->type != *query_.type)) {
        return false;
    }
    bool is_held = query_.held_by.empty();
    for (const auto office : query_.held_by) {
        is_held = is_held || TRY(is_carried_by(*ledger_, view.key, office));
    }
    if (!is_held) {
        return false;
    }
    return !query_.has_words || (view.report && query_.has_words(*view.report));
}

Result<bool> ReportWalk::is_one(const ReportView& view) const {
    return TRY(fits_terms(view)) && TRY(fits_at_a_look(view));
}

Result<std::optional<Arrival>> ReportWalk::run(Arrival from, Order order, const IsSpent& is_spent,
                                               const Take& take) {
    const auto earliest = query_.since == WallTime{}
                              ? std::optional(Arrival{0})
                              : TRY(ledger_->store().first_received_since(query_.since));
    if (!earliest) {
        return earliest;
    }
    if (order == Order::oldest_first) {
        from = std::max(from, *earliest);
    }
    // A part looks at one report at least. Otherwise a slow walk would never end.
    bool has_looked = false;
    while (true) {
        const auto at = TRY(next(from, order));
        if (!at || *at < *earliest) {
            return std::optional<Arrival>{};
        }
        if (has_looked && is_spent()) {
            return at;
        }
        has_looked = true;
        const auto* view = TRY(view_at(*at));
        const bool has_fit = view != nullptr && TRY(fits_at_a_look(*view)) &&
                             (!needs_every_record() || TRY(fits_terms(*view)));
        const bool has_enough = has_fit && !TRY(take(*view));
        const auto beyond = order == Order::oldest_first ? std::optional(after(*at)) : before(*at);
        if (!beyond || has_enough) {
            return beyond;
        }
        from = *beyond;
    }
}

}  // namespace fieldpost::engine
