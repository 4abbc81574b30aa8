// The tables and views that the sink makes. Nothing is ever renamed or dropped: tables and views of
// an older sink gain what they lack.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sink/database.h"

namespace fieldpost::sink {

// A database of a higher version is not touched.
inline constexpr std::int64_t schema_version = 1;

// The columns of `report`, in their order. Every view of reports begins with them.
std::vector<std::string> report_columns();
// Make a view, or make it anew with more columns at its end.
std::vector<std::string> view_statements(const Dialect& dialect, const std::string& name,
                                         const std::string& select);
// Selects the current reports of a type. `fields` are further columns: ", EXPRESSION AS NAME"...
std::string form_select(const std::string& type, const std::string& fields);

// The statements that make a new database's tables and views, as text for people.
std::string schema_text(const Dialect& dialect);

// Makes what is missing, in a transaction. `network_id` in hexadecimal digits.
// refused: the database belongs to another network. unsupported: a newer sink made it.
cli::Outcome<void> prepare(Database& database, const std::string& network_id,
                           const std::string& network_name);

}  // namespace fieldpost::sink
