// The views of a World: events, boxes, records and pages, as people and machines see them.
#include "tests/simulation/world.h"

namespace fieldpost::tests {

using storage::WithBody;

int World::times_happened(Node node, engine::What what, const storage::ReportKey& report,
                          std::optional<Node> by) {
    const auto events =
        read_from(node, [&](const storage::RecordStore& store) { return store.events_of(report); });
    std::uint64_t times = 0;
    for (const auto& event : events) {
        if (event.what == what && (!by || event.office == index_of(*by))) {
            times += event.count;
        }
    }
    return static_cast<int>(times);
}

bool World::was_told(Node node, engine::What what) {
    auto& store = *offices_[node].store;
    REQUIRE(store.begin().has_value());
    const auto events = store.events(1, SIZE_MAX);
    store.abort();
    REQUIRE(events.has_value());
    return std::ranges::any_of(*events,
                               [&](const storage::Event& event) { return event.what == what; });
}

std::string World::offences(Node node, Node by) {
    auto& store = *offices_[node].store;
    REQUIRE(store.begin().has_value());
    const auto events = store.events(1, SIZE_MAX);
    store.abort();
    REQUIRE(events.has_value());
    std::string all;
    for (const auto& event : *events) {
        if (event.what == engine::What::offender && event.office == index_of(by)) {
            all += event.detail + "; ";
        }
    }
    return all;
}

std::vector<Report> World::inbox(Node node) {
    auto& store = *offices_[node].store;
    REQUIRE(store.begin().has_value());
    std::vector<Report> reports;
    storage::Arrival from{0};
    while (const auto record = store.record_from(from, WithBody::yes).value()) {
        from = storage::Arrival{static_cast<std::uint64_t>(record->arrival) + 1};
        const auto entry = store.archive(record->arrival).value();
        using Form = storage::ArchiveEntry::Form;
        if (!entry || entry->form == Form::unreadable || entry->form == Form::unopened ||
            entry->box != Box::inbox) {
            continue;
        }
        // A pack may hold a report that was shown before from another record.
        const auto views = engine::views_of(ledger(node), *record);
        REQUIRE(views.has_value());
        for (const auto& view : *views) {
            reports.push_back(view.report.value());
        }
    }
    store.abort();
    return reports;
}

storage::StoredRecord World::record(Node node, const storage::ReportKey& report) {
    return read_from(node,
                     [&](const storage::RecordStore& store) {
                         return store.record(storage::log_of(report), report.origin.number,
                                             WithBody::yes);
                     })
        .value();
}

engine::ReportView World::view(Node node, const storage::ReportKey& report) {
    return read_from(
        node, [&](const storage::RecordStore&) { return engine::view_of(ledger(node), report); });
}

std::optional<storage::ReportProgress> World::progress(Node node,
                                                       const storage::ReportKey& report) {
    auto& store = *offices_[node].store;
    REQUIRE(store.begin().has_value());
    auto found = store.report(report);
    store.abort();
    REQUIRE(found.has_value());
    return std::move(*found);
}

}  // namespace fieldpost::tests
