#include "cli/export/workbook.h"

#include <fmt/format.h>
#include <xlsxwriter.h>

#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>

#include "cli/json.h"
#include "cli/text.h"
#include "proto/typed.h"

namespace fieldpost::cli {

namespace {

// Spreadsheets take no more.
constexpr lxw_row_t rows_max = LXW_ROW_MAX;
constexpr std::size_t columns_max = LXW_COL_MAX;
constexpr std::size_t sheet_characters_max = 31;
// Each sheet is a temporary file until the end. Reports of further types share one.
constexpr std::size_t sheets_max = 250;
// A cell takes 32,767 characters, and characters beyond the first plane count twice there.
constexpr std::size_t cell_units_max = 32'700;

// The code units of UTF-16 that a character takes, by the first byte of its UTF-8.
std::size_t units_of(char first) {
    return (static_cast<unsigned char>(first) & 0xf8U) == 0xf0U ? 2 : 1;
}
bool begins_character(char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
}

// Spreadsheets read "_x0041_" as the character with that number. The library writes control
// characters so, and leaves a text that looks so as it is.
bool is_escape(std::string_view text) {
    constexpr std::size_t size = 7;
    return text.size() >= size && text.starts_with("_x") && text[size - 1] == '_' &&
           std::ranges::all_of(text.substr(2, 4), [](unsigned char c) { return std::isxdigit(c); });
}

// XML has no U+FFFE and no U+FFFF.
std::string for_xml(std::string text) {
    for (auto at = text.find("_x"); at != std::string::npos; at = text.find("_x", at + 1)) {
        if (is_escape(std::string_view(text).substr(at))) {
            text.insert(at, "_x005F");
            at += std::string_view("_x005F").size();
        }
    }
    for (const std::string_view bad : {"\xef\xbf\xbe", "\xef\xbf\xbf"}) {
        for (auto at = text.find(bad); at != std::string::npos; at = text.find(bad, at)) {
            text.replace(at, bad.size(), "\xef\xbf\xbd");
        }
    }
    return text;
}

}  // namespace

std::string cut_for_cell(const std::string& text, const std::string& id) {
    std::size_t units = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        units += begins_character(text[at]) ? units_of(text[at]) : 0;
        if (begins_character(text[at]) && units > cell_units_max) {
            return text.substr(0, at) + fmt::format(".. (show {})", id);
        }
    }
    return text;
}

std::string sheet_name(const std::string& type, std::size_t characters_max) {
    std::string name;
    std::size_t units = 0;
    for (const char c : type) {
        units += begins_character(c) ? units_of(c) : 0;
        if (units > characters_max) {
            break;
        }
        const bool is_refused = std::string_view("[]:*?/\\'").contains(c);
        name += is_refused ? '_' : c;
    }
    return name;
}

struct Workbook::Parts {
    struct Sheet {
        lxw_worksheet* worksheet = nullptr;
        lxw_row_t next_row = 1;
        int number = 1;
        FieldColumns* columns = nullptr;
    };

    std::filesystem::path path;
    std::map<std::string, FieldColumns>* columns = nullptr;
    lxw_workbook* workbook = nullptr;
    std::map<std::string, Sheet> sheets;
    std::set<std::string> names;  // case folded
    std::map<std::string, std::uint64_t> counts;

    std::string free_name(const std::string& wanted) {
        auto name = sheet_name(wanted, sheet_characters_max);
        for (int i = 2; name.empty() || names.contains(case_folded(name)); ++i) {
            const auto end = fmt::format(" ({})", i);
            name = sheet_name(wanted, sheet_characters_max - end.size()) + end;
        }
        names.insert(case_folded(name));
        return name;
    }

    void write(lxw_worksheet* worksheet, lxw_row_t row, std::size_t column, const std::string& text,
               const std::string& id) const {
        const auto at = static_cast<lxw_col_t>(column);
        if (text.empty()) {
            return;
        }
        if (is_exact_number(text)) {
            double number = 0;
            std::from_chars(text.data(), text.data() + text.size(), number);
            worksheet_write_number(worksheet, row, at, number, nullptr);
            return;
        }
        worksheet_write_string(worksheet, row, at, for_xml(cut_for_cell(text, id)).c_str(),
                               nullptr);
    }

    void begin(Sheet& sheet, const std::string& type) {
        const auto name = free_name(type.empty() ? "reports" : type);
        sheet.worksheet = workbook_add_worksheet(workbook, name.c_str());
        sheet.next_row = 1;
        std::size_t at = 0;
        for (const auto& column : fixed_columns()) {
            write(sheet.worksheet, 0, at++, column, "");
        }
        for (const auto& column : sheet.columns->names()) {
            if (at + 1 < columns_max) {
                write(sheet.worksheet, 0, at++, column, "");
            } else {
                write(sheet.worksheet, 0, columns_max - 1, "more_fields", "");
                break;
            }
        }
        worksheet_freeze_panes(sheet.worksheet, 1, 0);
    }

    Sheet& sheet_of(const std::string& type) {
        const auto found = sheets.find(type);
        if (found != sheets.end()) {
            return found->second;
        }
        if (sheets.size() >= sheets_max && type != "more types") {
            return sheet_of("more types");
        }
        auto& sheet = sheets[type];
        sheet.columns = &(*columns)[type];
        begin(sheet, type);
        return sheet;
    }
};

Workbook::Workbook(const std::filesystem::path& path, std::map<std::string, FieldColumns>& columns)
    : parts_(std::make_unique<Parts>()) {
    parts_->path = path;
    parts_->columns = &columns;
    lxw_workbook_options options{};
    options.constant_memory = LXW_TRUE;
    options.use_zip64 = LXW_TRUE;
    parts_->workbook = workbook_new_opt(path.c_str(), &options);
}

Workbook::~Workbook() {
    if (parts_->workbook != nullptr) {
        lxw_workbook_free(parts_->workbook);
    }
}

Outcome<void> Workbook::add(const ReportRow& row) {
    auto& sheet = parts_->sheet_of(row.type);
    ++parts_->counts[row.type];
    if (sheet.next_row >= rows_max) {
        parts_->begin(sheet, row.type);
    }
    const auto at = sheet.next_row++;
    const auto& id = row.cells.front();
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        parts_->write(sheet.worksheet, at, i, row.cells[i], id);
    }
    // In constant memory the cells of a row have to come in order.
    std::map<std::size_t, std::string> fields;
    auto more = nlohmann::ordered_json::object();
    for (const auto& [key, value] : row.fields) {
        const auto column = fixed_columns().size() + sheet.columns->place_of(key);
        column + 1 < columns_max ? void(fields[column] = value) : void(more[key] = value);
    }
    if (!more.empty()) {
        fields[columns_max - 1] = json_text(more);
    }
    for (const auto& [column, value] : fields) {
        parts_->write(sheet.worksheet, at, column, value, id);
    }
    return {};
}

Outcome<void> Workbook::close(const std::vector<std::pair<std::string, std::string>>& about) {
    auto* sheet = workbook_add_worksheet(parts_->workbook, parts_->free_name("about").c_str());
    lxw_row_t row = 0;
    const auto add = [&](const std::string& label, const std::string& value) {
        parts_->write(sheet, row, 0, label, "");
        parts_->write(sheet, row, 1, value, "");
        ++row;
    };
    for (const auto& [label, value] : about) {
        add(label, value);
    }
    for (const auto& [type, count] : parts_->counts) {
        add("reports of type " + (type.empty() ? "(none)" : type), std::to_string(count));
    }
    const auto done = workbook_close(std::exchange(parts_->workbook, nullptr));
    if (done != LXW_NO_ERROR) {
        return std::unexpected(
            Failure{exit_failed, "failed",
                    fmt::format("{} could not be written: {}", safe_line(parts_->path.string()),
                                lxw_strerror(done)),
                    "is there room for it, and for temporary files?"});
    }
    return {};
}

}  // namespace fieldpost::cli
