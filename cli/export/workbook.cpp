#include "cli/export/workbook.h"

#include <fmt/format.h>
#include <xlsxwriter.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "cli/text.h"
#include "proto/typed.h"

namespace fieldpost::cli {

namespace {

constexpr lxw_row_t rows_max = LXW_ROW_MAX;
constexpr std::size_t sheet_characters_max = 31;
constexpr std::size_t sheets_max = 250;
constexpr auto more_types = "more types";
// A cell takes 32,767 characters, counted as UTF-16 counts them.
constexpr std::size_t cell_units_max = 32'700;
constexpr std::string_view replacement = "\xef\xbf\xbd";

// The bytes of the character that begins here.
std::size_t bytes_of(std::string_view text) {
    std::size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) {
        ++size;
    }
    return size;
}

// XML has no U+FFFE and no U+FFFF.
bool is_in_no_xml(std::string_view character) {
    return character == "\xef\xbf\xbe" || character == "\xef\xbf\xbf";
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n';
}

// Spreadsheets read "_x0041_" as the character with that number. The library writes control
// characters so, and leaves a text that looks so as it is.
bool is_escape(std::string_view text) {
    constexpr std::size_t size = 7;
    return text.size() >= size && text.starts_with("_x") &&
           (text[size - 1] == '_' || is_control(text[size - 1])) &&
           std::ranges::all_of(text.substr(2, 4), [](unsigned char c) { return std::isxdigit(c); });
}

Failure not_written(const std::filesystem::path& path, const std::string& why) {
    const bool is_full = errno == ENOSPC || errno == EDQUOT;
    return {is_full ? exit_no_space : exit_failed, is_full ? "no_space" : "failed",
            fmt::format("{} could not be written: {}", safe_line(path.string()), why),
            "is there room for it, and as much again beside it?"};
}

}  // namespace

std::string cell_text(const std::string& text, const std::string& id) {
    std::string cell;
    std::size_t units = 0;
    for (std::string_view left = text; !left.empty();) {
        const auto character = left.substr(0, bytes_of(left));
        auto piece = std::string(is_in_no_xml(character) ? replacement : character);
        std::size_t size = character.size() > 3 ? 2 : 1;
        if (is_control(left.front())) {
            size = std::string_view("_x000D_").size();
        } else if (is_escape(left)) {
            piece = "_x005F_";
            size = piece.size();
        }
        units += size;
        if (units > cell_units_max) {
            return cell + fmt::format(".. (show {})", id);
        }
        cell += piece;
        left.remove_prefix(character.size());
    }
    return cell;
}

std::string sheet_name(const std::string& type, std::size_t characters_max) {
    std::string name;
    std::size_t units = 0;
    for (std::string_view left = type; !left.empty();) {
        const auto character = left.substr(0, bytes_of(left));
        units += character.size() > 3 ? 2 : 1;
        if (units > characters_max) {
            break;
        }
        const bool is_refused =
            std::string_view("[]:*?/\\'").contains(character.front()) || is_in_no_xml(character);
        name += is_refused ? std::string("_") : std::string(character);
        left.remove_prefix(character.size());
    }
    return name;
}

void WorkbookPlan::add(const ReportRow& row) {
    auto& type = types_[row.type];
    ++type.reports;
    for (const auto& [key, value] : row.fields) {
        if (type.keys.size() < table_columns_max && type.known.insert(key).second) {
            type.keys.push_back(key);
        }
    }
}

// The types that get a sheet, by name. If there are too many: those with most reports.
std::vector<std::string> WorkbookPlan::with_a_sheet() const {
    std::vector<std::pair<std::uint64_t, std::string>> all;
    all.reserve(types_.size());
    for (const auto& [name, type] : types_) {
        all.emplace_back(type.reports, name);
    }
    std::ranges::stable_sort(all, [](const auto& a, const auto& b) { return a.first > b.first; });
    if (all.size() > sheets_max) {
        all.resize(sheets_max - 1);
    }
    std::vector<std::string> names;
    names.reserve(all.size());
    for (auto& [reports, name] : all) {
        names.push_back(std::move(name));
    }
    std::ranges::sort(names);
    return names;
}

std::vector<WorkbookPlan::SheetPlan> WorkbookPlan::sheets() const {
    std::vector<SheetPlan> sheets;
    places_.clear();
    for (const auto& name : with_a_sheet()) {
        places_.emplace(name, sheets.size());
        sheets.push_back({name.empty() ? "reports" : name, {}});
        for (const auto& key : types_.at(name).keys) {
            sheets.back().columns.add(key);
        }
    }
    if (places_.size() == types_.size()) {
        return sheets;
    }
    sheets.push_back({more_types, {}});
    for (const auto& [name, type] : types_) {
        if (places_.emplace(name, sheets.size() - 1).second) {
            for (const auto& key : type.keys) {
                sheets.back().columns.add(key);
            }
        }
    }
    return sheets;
}

std::size_t WorkbookPlan::sheet_of(const std::string& type) const {
    return places_.at(type);
}

std::map<std::string, std::uint64_t> WorkbookPlan::counts() const {
    std::map<std::string, std::uint64_t> counts;
    for (const auto& [name, type] : types_) {
        counts[name] = type.reports;
    }
    return counts;
}

struct Workbook::Parts {
    struct Sheet {
        WorkbookPlan::SheetPlan plan;
        lxw_worksheet* worksheet = nullptr;
        lxw_row_t next_row = 1;
    };

    std::filesystem::path path;
    std::string folder;
    const WorkbookPlan* plan = nullptr;
    lxw_workbook* workbook = nullptr;
    std::vector<Sheet> sheets;
    // Case folded. Excel keeps the second for itself.
    std::set<std::string> names = {"about", "history"};

    std::string free_name(const std::string& wanted) {
        auto name = sheet_name(wanted, sheet_characters_max);
        for (int i = 2; name.empty() || names.contains(case_folded(name)); ++i) {
            const auto end = fmt::format(" ({})", i);
            name = sheet_name(wanted, sheet_characters_max - end.size()) + end;
        }
        names.insert(case_folded(name));
        return name;
    }

    Outcome<void> write(lxw_worksheet* worksheet, lxw_row_t row, std::size_t column,
                        const std::string& text, const std::string& id) const {
        const auto at = static_cast<lxw_col_t>(column);
        if (text.empty()) {
            return {};
        }
        auto done = LXW_NO_ERROR;
        if (is_exact_number(text)) {
            double number = 0;
            std::from_chars(text.data(), text.data() + text.size(), number);
            done = worksheet_write_number(worksheet, row, at, number, nullptr);
        } else {
            done = worksheet_write_string(worksheet, row, at, cell_text(text, id).c_str(), nullptr);
        }
        return done == LXW_NO_ERROR ? Outcome<void>{}
                                    : std::unexpected(not_written(path, lxw_strerror(done)));
    }

    Outcome<lxw_worksheet*> add_sheet(const std::string& name) {
        errno = 0;
        auto* worksheet = workbook_add_worksheet(workbook, name.c_str());
        if (worksheet == nullptr) {
            return std::unexpected(
                not_written(path, errno == 0 ? "a sheet is refused" : strerror(errno)));
        }
        return worksheet;
    }

    // Begins a sheet, or the next one when this one is full.
    Outcome<void> begin(Sheet& sheet) {
        auto added = add_sheet(free_name(sheet.plan.name));
        if (!added) {
            return std::unexpected(added.error());
        }
        sheet.worksheet = *added;
        sheet.next_row = 1;
        std::size_t at = 0;
        for (const auto& names_of : {fixed_columns(), sheet.plan.columns.names()}) {
            for (const auto& column : names_of) {
                if (auto done = write(sheet.worksheet, 0, at++, column, ""); !done) {
                    return done;
                }
            }
        }
        worksheet_freeze_panes(sheet.worksheet, 1, 0);
        return {};
    }

    // The library does not look whether its temporary files took what it wrote.
    Outcome<void> check(const Sheet& sheet) const {
        auto* file = sheet.worksheet->optimize_tmpfile;
        errno = 0;
        if (file != nullptr && (std::fflush(file) != 0 || std::ferror(file) != 0)) {
            return std::unexpected(not_written(path, strerror(errno == 0 ? EIO : errno)));
        }
        return {};
    }
};

Workbook::Workbook(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Workbook::Workbook(Workbook&&) noexcept = default;

Outcome<Workbook> Workbook::create(const std::filesystem::path& path, const WorkbookPlan& plan) {
    Workbook made(std::make_unique<Parts>());
    auto& parts = *made.parts_;
    parts.path = path;
    parts.folder = path.parent_path().empty() ? "." : path.parent_path().string();
    parts.plan = &plan;
    lxw_workbook_options options{};
    options.constant_memory = LXW_TRUE;
    options.use_zip64 = LXW_TRUE;
    options.tmpdir = parts.folder.data();
    parts.workbook = workbook_new_opt(path.c_str(), &options);
    if (parts.workbook == nullptr) {
        return std::unexpected(not_written(path, "no memory"));
    }
    for (auto& sheet : plan.sheets()) {
        parts.sheets.push_back({std::move(sheet)});
        if (auto begun = parts.begin(parts.sheets.back()); !begun) {
            return std::unexpected(begun.error());
        }
    }
    return made;
}

Workbook::~Workbook() {
    if (parts_ && parts_->workbook != nullptr) {
        lxw_workbook_free(parts_->workbook);
    }
}

Outcome<void> Workbook::add(const ReportRow& row) {
    auto& sheet = parts_->sheets.at(parts_->plan->sheet_of(row.type));
    if (sheet.next_row >= rows_max) {
        auto done = parts_->check(sheet);
        done = done ? parts_->begin(sheet) : done;
        if (!done) {
            return done;
        }
    }
    const auto at = sheet.next_row++;
    const auto& id = row.cells.front();
    // In constant memory the cells of a row have to come in order.
    auto cells = values_by_column(sheet.plan.columns, row.fields);
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
        cells[i] = row.cells[i];
    }
    for (const auto& [column, value] : cells) {
        if (auto done = parts_->write(sheet.worksheet, at, column, value, id); !done) {
            return done;
        }
    }
    return {};
}

Outcome<void> Workbook::close(const std::vector<std::pair<std::string, std::string>>& about) {
    for (const auto& sheet : parts_->sheets) {
        if (auto done = parts_->check(sheet); !done) {
            return done;
        }
    }
    const auto sheet = parts_->add_sheet("about");
    if (!sheet) {
        return std::unexpected(sheet.error());
    }
    auto lines = about;
    for (const auto& [type, count] : parts_->plan->counts()) {
        lines.emplace_back("reports of type " + (type.empty() ? "(none)" : type),
                           std::to_string(count));
    }
    lxw_row_t row = 0;
    for (const auto& [label, value] : lines) {
        auto done = parts_->write(*sheet, row, 0, label, "");
        done = done ? parts_->write(*sheet, row, 1, value, "") : done;
        if (!done) {
            return done;
        }
        ++row;
    }
    errno = 0;
    const auto done = workbook_close(std::exchange(parts_->workbook, nullptr));
    return done == LXW_NO_ERROR ? Outcome<void>{}
                                : std::unexpected(not_written(parts_->path, lxw_strerror(done)));
}

}  // namespace fieldpost::cli
