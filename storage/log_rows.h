// How a log lies in its tables: one row, and one page for each 4,096 numbers. A page exists if some
// of its numbers are held or receipted.
#pragma once

#include "storage/checked_tables.h"
#include "storage/log_state.h"

namespace fieldpost::storage {

// Writes the row, and the pages that have changed.
Result<void> write_log(CheckedTables& tables, const LogKey& log, const LogState& state);
Result<void> drop_log(CheckedTables& tables, const LogKey& log);

// Nothing: there is no such log. corrupt: its row or one of its pages is not the one that was
// written.
Result<std::optional<LogState>> read_log(const CheckedTables& tables, const LogKey& log);
// All logs that have a row, damaged or not.
Result<std::vector<LogKey>> log_keys(const CheckedTables& tables);

// Reads a row of schema 1. The sets of that schema had no bounds.
Result<LogState> decode_log_of_1(BytesView value);

}  // namespace fieldpost::storage
