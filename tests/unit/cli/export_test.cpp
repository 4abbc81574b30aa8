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
    return columns.names().at(columns.place_of(key));
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
        columns.place_of(fmt::format("{}{}", i % 2 == 0 ? "Key" : "key", i / 2));
    }
    std::set<std::string> folded;
    for (const auto& name : columns.names()) {
        CHECK(name.size() <= column_bytes_max);
        folded.insert(case_folded(name));
    }
    CHECK(folded.size() == 10'000);
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
    // A character beyond the first plane counts twice.
    CHECK(sheet_name("\xf0\x9f\x98\x80\xf0\x9f\x98\x80", 3) == "\xf0\x9f\x98\x80");
}

TEST_CASE("a text that is too long for a cell says where it goes on", "[export]") {
    CHECK(cut_for_cell(std::string(32'700, 'x'), "hyesan-4").size() == 32'700);
    CHECK(cut_for_cell(std::string(32'701, 'x'), "hyesan-4") ==
          std::string(32'700, 'x') + ".. (show hyesan-4)");
}
