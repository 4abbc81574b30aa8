// Words for people: columns counted in terminal cells, sizes, times. No received text can act on
// the terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fieldpost::cli {

std::size_t cells(std::string_view utf8);
// Cut to `width` cells, ending in "..", or padded with spaces.
std::string fitted(std::string_view utf8, std::size_t width);
// Padded with spaces, never cut.
std::string padded(std::string_view utf8, std::size_t width);
// Lines of at most `width` cells, broken at spaces, each behind `indent` spaces. A longer word has
// a line of its own and is not cut.
std::string wrapped(std::string_view utf8, std::size_t width, std::size_t indent);

// Turns into escapes: control characters except newline and tab, and bidirectional and zero-width
// format characters.
std::string safe_text(std::string_view utf8);
// safe_text() in one line.
std::string safe_line(std::string_view utf8);

std::string human_size(std::uint64_t bytes);
// "3 d", "20 min", "now".
std::string human_age(std::int64_t seconds);
// "45 s", "3 d": for a length, which has no "now".
std::string human_length(std::int64_t seconds);
// "2026-11-21 16:07" in local time.
std::string local_time(std::int64_t unix_seconds);
// The time on clocks with this offset from UTC.
std::string time_at_offset(std::int64_t unix_seconds, int offset_minutes);
// The offset of this machine now, in minutes east of UTC.
int utc_offset_minutes();
// "+09:00".
std::string offset_text(int offset_minutes);
// "+09:00": the offset of this machine at that time.
std::string zone_of(std::int64_t unix_seconds);
// "2026-11-21T07:07:00Z".
std::string rfc3339(std::int64_t unix_seconds);
std::int64_t unix_now();

// TIME: RFC 3339, a local day, or an age such as 7d.
std::optional<std::int64_t> parse_time(std::string_view text);

// Columns are named by their number, from 0.
struct TableLook {
    std::vector<std::size_t> right{};  // aligned to the right
    std::vector<std::size_t> names{};  // names of offices: cut if a row would not fit one line
    bool is_last_whole = false;        // the last column takes more lines and is not cut
};

// Columns, each as wide as its widest cell. The last column is cut to the terminal. A row that
// still does not fit one line continues in the next: an ID is never cut.
class Table {
public:
    explicit Table(std::vector<std::string> head) { add(std::move(head)); }
    void add(std::vector<std::string> row) {
        measure(row);
        rows_.push_back(std::move(row));
    }
    // Added below the last row, unchanged.
    void add_line(std::string line) { rows_.push_back({std::move(line)}); }
    // Makes room for a row that is added later, so that a table can be printed in parts.
    void measure(const std::vector<std::string>& row);
    [[nodiscard]] std::string text(std::size_t width, const TableLook& look = {}) const;
    // The text of the rows since the last call; they are not kept.
    std::string next_text(std::size_t width, const TableLook& look = {});

private:
    [[nodiscard]] std::size_t columns() const { return natural_widths_.size(); }

    std::vector<std::vector<std::string>> rows_;
    std::vector<std::size_t> natural_widths_;
};
// The width of the terminal, at least 80.
std::size_t terminal_width();

}  // namespace fieldpost::cli
