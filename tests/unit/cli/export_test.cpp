// Goal: any field of any report gets a column that databases and spreadsheets take, and no cell is
// taken for a formula or loses what it says.
// Method: names and texts that people and hostile members write.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "cli/export/columns.h"
#include "cli/export/csv.h"
#include "cli/export/workbook.h"
#include "proto/typed.h"

using namespace fieldpost;
using namespace fieldpost::cli;

namespace {

std::string name_of(FieldColumns& columns, const std::string& key) {
    columns.add(key);
    return columns.names().at(columns.place_of(key).value());
}

ReportRow row_with(const std::string& text) {
    ReportRow row;
    row.cells.resize(fixed_columns().size());
    row.cells.back() = text;
    return row;
}

// The last cell of a line.
std::string cell(const std::string& text, char delimiter = ',') {
    FieldColumns columns;
    const auto line = csv_line(row_with(text), columns, delimiter);
    REQUIRE(line.ends_with("\r\n"));
    return line.substr(fixed_columns().size() - 1, line.size() - fixed_columns().size() - 1);
}

}  // namespace

TEST_CASE("a field's column is its key, if it can be", "[export]") {
    FieldColumns columns;
    CHECK(name_of(columns, "week") == "week");
    CHECK(name_of(columns, "주") == "주");
    CHECK(name_of(columns, "\"; drop") == "\"; drop");
    CHECK(name_of(columns, "week") == "week");  // the same column
    CHECK(columns.names().size() == 3);
}

TEST_CASE("a key that is taken or too long gets digits of its hash", "[export]") {
    FieldColumns columns;
    CHECK(name_of(columns, "name") == "name");
    const auto other = name_of(columns, "Name");
    CHECK(other.starts_with("Name_"));
    CHECK(other.size() == 11);
    CHECK(name_of(columns, "note").starts_with("note_"));  // every report has this column
    const auto long_one = name_of(columns, std::string(64, 'k'));
    CHECK(long_one.size() == column_bytes_max);
    CHECK(long_one.starts_with(std::string(48, 'k') + "_"));
    // Cut between characters.
    std::string korean;
    while (korean.size() + 3 <= 64) {
        korean += "주";
    }
    CHECK(name_of(columns, korean).starts_with(korean.substr(0, 48) + "_"));
    // É as one character, and as two.
    CHECK(name_of(columns, "\xc3\x89tage") == "\xc3\x89tage");
    CHECK(name_of(columns, "E\xcc\x81tage") != "E\xcc\x81tage");
}

TEST_CASE("no two columns of ten thousand have one name", "[export]") {
    FieldColumns columns;
    for (int i = 0; i < 10'000; ++i) {
        columns.add(fmt::format("{}{}", i % 2 == 0 ? "Key" : "key", i / 2));
    }
    std::set<std::string> folded;
    for (const auto& name : columns.names()) {
        CHECK(name.size() <= column_bytes_max);
        folded.insert(case_folded(name));
    }
    CHECK(folded.size() == 10'000);
}

TEST_CASE("names that somebody took on purpose cost another try", "[export]") {
    FieldColumns columns;
    // The names that "note" would get, one after the other.
    for (int i = 0; i < 25; ++i) {
        FieldColumns before = columns;
        const auto next = name_of(before, "note");
        CHECK(name_of(columns, next) == next);
    }
    CHECK(name_of(columns, "note").starts_with("note_"));
    // csv writes both of these with a mark.
    CHECK(name_of(columns, "=x") == "=x");
    CHECK(name_of(columns, "'=x") != "'=x");
}

TEST_CASE("fields beyond the last column stand in it together", "[export]") {
    FieldColumns columns;
    std::vector<std::pair<std::string, std::string>> fields;
    for (std::size_t i = 0; i < table_columns_max; ++i) {
        fields.emplace_back(fmt::format("k{}", i), fmt::format("{}", i));
        columns.add(fields.back().first);
    }
    CHECK(fixed_columns().size() + columns.count() == table_columns_max);
    CHECK(columns.names().back() == "more_fields");
    const auto values = values_by_column(columns, fields);
    CHECK(values.rbegin()->first == table_columns_max - 1);
    CHECK(values.rbegin()->second.contains(fmt::format("\"k{}\"", table_columns_max - 1)));
    CHECK(values.size() == table_columns_max - fixed_columns().size());
}

TEST_CASE("a workbook has a sheet for the types with most reports, and one for the others",
          "[export]") {
    WorkbookPlan plan;
    for (int type = 0; type < 400; ++type) {
        for (int i = 0; i < (type == 399 ? 3 : 1); ++i) {
            auto row = row_with("text");
            row.type = fmt::format("t{}", type);
            row.fields = {{fmt::format("f{}", type), "1"}};
            plan.add(row);
        }
    }
    const auto sheets = plan.sheets();
    REQUIRE(sheets.size() == 250);
    CHECK(sheets.at(plan.sheet_of("t399")).name == "t399");
    CHECK(sheets.back().name == "more types");
    // The fields of the types that share it have their columns.
    std::size_t shared = 0;
    for (int type = 0; type < 400; ++type) {
        const auto place = plan.sheet_of(fmt::format("t{}", type));
        shared += place == sheets.size() - 1 ? 1 : 0;
        CHECK(sheets.at(place).columns.place_of(fmt::format("f{}", type)));
    }
    CHECK(shared == 151);
}

TEST_CASE("what a spreadsheet would run as a formula is text", "[export]") {
    CHECK(cell("=1+1") == "'=1+1");
    CHECK(cell("+82 2 123") == "'+82 2 123");
    CHECK(cell("-5") == "-5");
    CHECK(cell("-12.50") == "-12.50");
    CHECK(cell("-x") == "'-x");
    CHECK(cell("@cmd") == "'@cmd");
    CHECK(cell("\tx") == "'\tx");
    CHECK(cell("\rx") == "\"'\rx\"");
    CHECK(cell("plain") == "plain");
}

TEST_CASE("a cell with a delimiter, a quote or an end of line is quoted", "[export]") {
    CHECK(cell("a,b") == "\"a,b\"");
    CHECK(cell("a;b") == "a;b");
    CHECK(cell("a;b", ';') == "\"a;b\"");
    CHECK(cell("say \"no\"") == "\"say \"\"no\"\"\"");
    CHECK(cell("two\nlines") == "\"two\nlines\"");
    CHECK(cell("") == "");
}

TEST_CASE("a spreadsheet gets numbers that it keeps exactly, and no others", "[export]") {
    for (const auto* text : {"0", "42", "-42", "0.5", "-0.25", "123456789012345"}) {
        CAPTURE(text);
        CHECK(is_exact_number(text));
    }
    for (const auto* text : {"", "-", "+1", "007", "1.50", "-0", "1e5", "1234567890123456", "1.",
                             ".5", "١٢", "0x10", "1,5"}) {
        CAPTURE(text);
        CHECK_FALSE(is_exact_number(text));
    }
}

TEST_CASE("a sheet has a name that spreadsheets take", "[export]") {
    CHECK(sheet_name("weekly", 31) == "weekly");
    CHECK(sheet_name("a/b\\c?d*e[f]g:h'", 31) == "a_b_c_d_e_f_g_h_");
    CHECK(sheet_name(std::string(64, 'x'), 31).size() == 31);
    CHECK(sheet_name("주간보고", 2) == "주간");
    CHECK(sheet_name("a\xef\xbf\xbf", 31) == "a_");
    // A character beyond the first plane counts twice.
    CHECK(sheet_name("\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 3) == "\xf0\x9f\x98\x80");
}

TEST_CASE("a text that is too long for a cell says where it goes on", "[export]") {
    CHECK(cell_text(std::string(32'700, 'x'), "hyesan-4").size() == 32'700);
    CHECK(cell_text(std::string(32'701, 'x'), "hyesan-4") ==
          std::string(32'700, 'x') + ".. (show hyesan-4)");
    // The limit counts the characters that the file will have.
    std::string escapes;
    while (escapes.size() < 32'000) {
        escapes += "_x0041_";
    }
    const auto cell = cell_text(escapes, "hyesan-4");
    CHECK(cell.size() < 32'767);
    CHECK(cell.ends_with(".. (show hyesan-4)"));
}

TEST_CASE("a cell says what was written", "[export]") {
    CHECK(cell_text("_x0041_", "") == "_x005F_x0041_");
    CHECK(cell_text("_x0041\r", "") == "_x005F_x0041\r");
    CHECK(cell_text("_x00_ _y0041_", "") == "_x00_ _y0041_");
    CHECK(cell_text("a\xef\xbf\xbe", "") == "a\xef\xbf\xbd");
}
