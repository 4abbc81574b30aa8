// How a log lies in its tables: a row, and a page for each 4,096 numbers of which some are held or
// receipted.
#pragma once

#include "storage/checked_tables.h"
#include "storage/log_state.h"

namespace fieldpost::storage {

// Writes the row, and the pages that were touched.
Result<void> write_log(CheckedTables& tables, const LogKey& log, const LogState& state);
Result<void> drop_log(CheckedTables& tables, const LogKey& log);

// Nothing: there is none. corrupt: its row or one of its pages is not what was written.
Result<std::optional<LogState>> read_log(const CheckedTables& tables, const LogKey& log);
// All that have a row, damaged or not.
Result<std::vector<LogKey>> log_keys(const CheckedTables& tables);

// A row of schema 1, whose sets had no bounds.
Result<LogState> decode_log_of_1(BytesView value);

}  // namespace fieldpost::storage
