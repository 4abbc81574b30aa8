// Reports as an Excel workbook (ISO/IEC 29500), written by libxlsxwriter in constant memory: a
// sheet for each type, and one that says what this is.
//
// Every cell is text and no formula, except numbers that a spreadsheet keeps exactly.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "cli/command.h"
#include "cli/export/columns.h"
#include "cli/export/report_row.h"

namespace fieldpost::cli {

// The reports of a workbook, by their types, once all were looked at.
class WorkbookPlan {
public:
    void add(const ReportRow& row);

    // Each sheet is a temporary file until the end, so there cannot be one for each of ten thousand
    // types. The types with most reports have one each, and all others share one.
    struct SheetPlan {
        std::string name;  // as wanted
        FieldColumns columns;
    };
    [[nodiscard]] std::vector<SheetPlan> sheets() const;
    // The place of the type's sheet among these.
    [[nodiscard]] std::size_t sheet_of(const std::string& type) const;
    [[nodiscard]] std::map<std::string, std::uint64_t> counts() const;

private:
    struct Type {
        std::uint64_t reports = 0;
        std::vector<std::string> keys;  // of its fields, in the order in which they were met
        std::set<std::string> known;
    };
    [[nodiscard]] std::vector<std::string> with_a_sheet() const;
    std::map<std::string, Type> types_;
    mutable std::map<std::string, std::size_t> places_;
};

class Workbook {
public:
    // Temporary files lie beside the workbook. failed, no_space: it could not be begun.
    static Outcome<Workbook> create(const std::filesystem::path& path, const WorkbookPlan& plan);
    ~Workbook();
    Workbook(Workbook&&) noexcept;
    Workbook& operator=(Workbook&&) = delete;

    Outcome<void> add(const ReportRow& row);
    // Writes the sheet `about`, and the file. `about`: labels and values.
    Outcome<void> close(const std::vector<std::pair<std::string, std::string>>& about);

private:
    struct Parts;
    explicit Workbook(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

// A name for a sheet that spreadsheets take: at most `characters_max` characters, without those
// that they refuse.
std::string sheet_name(const std::string& type, std::size_t characters_max);
// The text as it stands in a cell. A longer one than 32,700 characters is cut, and says where the
// rest is.
std::string cell_text(const std::string& text, const std::string& id);

}  // namespace fieldpost::cli
