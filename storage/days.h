// The table of days: the first arrival of each day. It says where a search for everything that was
// received since a day begins. Received times go back when a clock is set back, and arrivals never
// do.
#pragma once

#include "storage/record_store.h"

namespace fieldpost::storage {

Result<void> note_day(CheckedTables& tables, const StoredRecord& record);
Result<void> clear_days(CheckedTables& tables);
// As RecordStore::first_received_since.
Result<std::optional<Arrival>> first_received_since(const CheckedTables& tables, WallTime time);

}  // namespace fieldpost::storage
