// Reports as comma-separated values (RFC 4180), for spreadsheets.
#pragma once

#include <string>

#include "cli/export/columns.h"
#include "cli/export/report_row.h"

namespace fieldpost::cli {

// The mark by which spreadsheets know UTF-8, and the names of all columns.
std::string csv_head(const FieldColumns& columns, char delimiter);
// All fields of the row must have been added to the columns.
std::string csv_line(const ReportRow& row, const FieldColumns& columns, char delimiter);

}  // namespace fieldpost::cli
