// Reports as an Excel workbook (ISO/IEC 29500), written by libxlsxwriter in constant memory: a
// sheet for each type, and one that says what this is.
//
// Every cell is text and no formula, except numbers that a spreadsheet keeps exactly.
#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "cli/command.h"
#include "cli/export/columns.h"
#include "cli/export/report_row.h"

namespace fieldpost::cli {

class Workbook {
public:
    // `columns`: those of each type's fields, all of them. They must outlive the workbook.
    Workbook(const std::filesystem::path& path, std::map<std::string, FieldColumns>& columns);
    ~Workbook();
    Workbook(const Workbook&) = delete;
    Workbook& operator=(const Workbook&) = delete;

    Outcome<void> add(const ReportRow& row);
    // Writes the sheet `about`, and the file. `about`: labels and values.
    Outcome<void> close(const std::vector<std::pair<std::string, std::string>>& about);

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

// A name for a sheet that spreadsheets take: at most 31 characters, without those that they refuse.
std::string sheet_name(const std::string& type, std::size_t characters_max);
// A longer text is cut, and says where the rest is.
std::string cut_for_cell(const std::string& text, const std::string& id);

}  // namespace fieldpost::cli
