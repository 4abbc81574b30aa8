#include "storage/days.h"

#include "storage/values.h"

namespace fieldpost::storage {

Result<void> note_day(CheckedTables& tables, const StoredRecord& record) {
    const auto day = day_key(record.received);
    const auto first = TRY(tables.get(Table::days, day));
    // A record that was lost and taken back has its old arrival.
    if (first && trailing_number(*first) <= static_cast<std::uint64_t>(record.arrival)) {
        return ok();
    }
    return tables.put(Table::days, day, number_key(static_cast<std::uint64_t>(record.arrival)));
}

Result<void> clear_days(CheckedTables& tables) {
    while (const auto day = TRY(tables.raw().at_or_after(Table::days, {}))) {
        TRY(tables.erase(Table::days, Bytes(day->key)));
    }
    return ok();
}

Result<std::optional<Arrival>> first_received_since(const CheckedTables& tables, WallTime time) {
    std::optional<Arrival> first;
    auto entry = TRY(tables.at_or_after(Table::days, day_key(time)));
    while (entry) {
        const Arrival arrival{trailing_number(entry->value)};
        first = first ? std::min(*first, arrival) : arrival;
        auto after = entry->key;
        after.push_back(std::byte{0});
        entry = TRY(tables.at_or_after(Table::days, after));
    }
    return first;
}

}  // namespace fieldpost::storage
