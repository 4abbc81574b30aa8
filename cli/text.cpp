#include "cli/text.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "proto/duration_text.h"

namespace fieldpost::cli {

namespace {

// Calls `each` with every code point and its bytes. Bytes that are not UTF-8 come as U+FFFD.
template <class Each>
void for_each_code_point(std::string_view utf8, const Each& each) {
    const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(utf8.data());
    auto left = static_cast<utf8proc_ssize_t>(utf8.size());
    while (left > 0) {
        utf8proc_int32_t code_point = 0;
        auto used = utf8proc_iterate(at, left, &code_point);
        const bool is_valid = used > 0;
        used = is_valid ? used : 1;
        each(is_valid ? code_point : 0xfffd,
             is_valid ? std::string_view(reinterpret_cast<const char*>(at),
                                         static_cast<std::size_t>(used))
                      : std::string_view("\xef\xbf\xbd"));
        at += used;
        left -= used;
    }
}

bool is_dangerous(utf8proc_int32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || utf8proc_category(c) == UTF8PROC_CATEGORY_CF ||
           c == 0x2028 || c == 0x2029;
}

std::string safe(std::string_view utf8, bool keeps_lines) {
    std::string out;
    for_each_code_point(utf8, [&](utf8proc_int32_t c, std::string_view bytes) {
        const bool is_kept = keeps_lines && (c == '\n' || c == '\t');
        if (is_dangerous(c) && !is_kept) {
            out += c < 0x100 ? fmt::format("\\x{:02x}", c) : fmt::format("\\u{{{:x}}}", c);
        } else {
            out += bytes;
        }
    });
    return out;
}

}  // namespace

std::size_t cells(std::string_view utf8) {
    std::size_t width = 0;
    for_each_code_point(utf8, [&](utf8proc_int32_t c, std::string_view) {
        width += static_cast<std::size_t>(std::max(0, utf8proc_charwidth(c)));
    });
    return width;
}

std::string fitted(std::string_view utf8, std::size_t width) {
    const auto full = cells(utf8);
    if (full <= width) {
        return std::string(utf8) + std::string(width - full, ' ');
    }
    std::string out;
    std::size_t used = 0;
    const auto room = width < 2 ? 0 : width - 2;
    bool is_full = false;
    for_each_code_point(utf8, [&](utf8proc_int32_t c, std::string_view bytes) {
        const auto one = static_cast<std::size_t>(std::max(0, utf8proc_charwidth(c)));
        is_full = is_full || used + one > room;
        if (!is_full) {
            out += bytes;
            used += one;
        }
    });
    return out + ".." + std::string(width - std::min(width, used + 2), ' ');
}

std::string padded(std::string_view utf8, std::size_t width) {
    return fitted(utf8, std::max(width, cells(utf8)));
}

std::string wrapped(std::string_view utf8, std::size_t width, std::size_t indent) {
    std::string out;
    std::string line(indent, ' ');
    while (!utf8.empty()) {
        const auto end = std::min(utf8.find(' '), utf8.size());
        const auto word = utf8.substr(0, end);
        const bool is_first = cells(line) == indent;
        if (!is_first && cells(line) + 1 + cells(word) > width) {
            out += line + '\n';
            line.assign(indent, ' ');
        } else if (!is_first) {
            line += ' ';
        }
        line += word;
        utf8.remove_prefix(std::min(end + 1, utf8.size()));
    }
    return out + line + '\n';
}

std::string safe_text(std::string_view utf8) {
    return safe(utf8, true);
}
std::string safe_line(std::string_view utf8) {
    return safe(utf8, false);
}

std::string human_size(std::uint64_t bytes) {
    constexpr std::uint64_t kilo = 1024;
    constexpr auto mega = kilo * kilo;
    constexpr auto giga = kilo * mega;
    const auto in = [&](std::uint64_t unit) {
        return static_cast<double>(bytes) / static_cast<double>(unit);
    };
    if (bytes < mega) {
        return fmt::format("{} KB", (bytes + kilo - 1) / kilo);
    }
    if (bytes < 10 * mega) {
        return fmt::format("{:.1f} MB", in(mega));
    }
    return bytes < giga ? fmt::format("{:.0f} MB", in(mega)) : fmt::format("{:.1f} GB", in(giga));
}

std::string human_age(std::int64_t seconds) {
    if (seconds < 60) {
        return "now";
    }
    if (seconds < 3600) {
        return fmt::format("{} min", seconds / 60);
    }
    return seconds < std::int64_t{2} * 86400 ? fmt::format("{} h", seconds / 3600)
                                             : fmt::format("{} d", seconds / 86400);
}

std::string human_length(std::int64_t seconds) {
    return seconds < 60 ? fmt::format("{} s", seconds) : human_age(seconds);
}

std::int64_t unix_now() {
    return static_cast<std::int64_t>(std::time(nullptr));
}

namespace {

std::string minute_of(const std::tm& parts) {
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min);
}

std::tm local_parts(std::int64_t unix_seconds) {
    const auto time = static_cast<std::time_t>(unix_seconds);
    std::tm parts{};
    localtime_r(&time, &parts);
    return parts;
}

}  // namespace

std::string local_time(std::int64_t unix_seconds) {
    return minute_of(local_parts(unix_seconds));
}

std::string time_at_offset(std::int64_t unix_seconds, int offset_minutes) {
    const auto time = static_cast<std::time_t>(unix_seconds + std::int64_t{60} * offset_minutes);
    std::tm parts{};
    gmtime_r(&time, &parts);
    return minute_of(parts);
}

int utc_offset_minutes() {
    return static_cast<int>(local_parts(unix_now()).tm_gmtoff / 60);
}

std::string offset_text(int offset_minutes) {
    const auto minutes = std::abs(offset_minutes);
    return fmt::format("{}{:02}:{:02}", offset_minutes < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

std::string zone_of(std::int64_t unix_seconds) {
    return offset_text(static_cast<int>(local_parts(unix_seconds).tm_gmtoff / 60));
}

std::string rfc3339(std::int64_t unix_seconds) {
    const auto time = static_cast<std::time_t>(unix_seconds);
    std::tm parts{};
    gmtime_r(&time, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", parts.tm_year + 1900,
                       parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

// The part of an RFC 3339 time after the seconds: a fraction, which is dropped, and Z or an offset.
static std::optional<std::int64_t> with_zone(std::int64_t as_if_utc, std::string_view rest) {
    if (rest.starts_with('.')) {
        const auto digits = rest.find_first_not_of("0123456789", 1);
        rest.remove_prefix(digits == std::string_view::npos ? rest.size() : digits);
    }
    if (rest == "Z" || rest == "z") {
        return as_if_utc;
    }
    int hours = 0;
    int minutes = 0;
    if (rest.size() != 6 || (rest[0] != '+' && rest[0] != '-') || rest[3] != ':' ||
        std::from_chars(rest.data() + 1, rest.data() + 3, hours).ptr != rest.data() + 3 ||
        std::from_chars(rest.data() + 4, rest.data() + 6, minutes).ptr != rest.data() + 6) {
        return std::nullopt;
    }
    const auto offset = hours * 3600 + minutes * 60;
    return rest[0] == '+' ? as_if_utc - offset : as_if_utc + offset;
}

std::optional<std::int64_t> parse_time(std::string_view text) {
    std::tm parts{};
    const std::string copy(text);
    if (const char* end = strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%S", &parts); end != nullptr) {
        return with_zone(timegm(&parts), end);
    }
    parts = {};
    if (const char* end = strptime(copy.c_str(), "%Y-%m-%d", &parts);
        end != nullptr && *end == '\0') {
        parts.tm_isdst = -1;
        return mktime(&parts);
    }
    if (const auto age = parse_duration(text)) {
        return unix_now() - *age;
    }
    return std::nullopt;
}

// A narrower terminal wraps lines. Text that was cut off would be lost.
constexpr std::size_t narrowest = 80;

std::size_t terminal_width() {
    winsize size{};
    if (isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
        size.ws_col > 0) {
        return std::max<std::size_t>(narrowest, size.ws_col);
    }
    return narrowest;
}

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t indent = 4;
// A column narrower than this tells nothing, so the row takes another line instead.
constexpr std::size_t last_least = 16;
constexpr std::size_t name_least = 12;

std::string cell(const std::string& text, std::size_t width, bool is_to_right) {
    const auto pad = width - std::min(width, cells(text));
    return is_to_right ? std::string(pad, ' ') + text : fitted(text, width);
}

void finish(std::string& out, std::string line) {
    while (line.ends_with(' ')) {
        line.pop_back();
    }
    out += line + '\n';
}

}  // namespace

void Table::measure(const std::vector<std::string>& row) {
    natural_widths_.resize(row.size(), 0);
    for (std::size_t i = 0; i < row.size(); ++i) {
        natural_widths_[i] = std::max(natural_widths_[i], cells(row[i]));
    }
}

std::string Table::next_text(std::size_t width, const TableLook& look) {
    auto out = text(width, look);
    rows_.clear();
    return out;
}

std::string Table::text(std::size_t width, const TableLook& look) const {
    auto widths = natural_widths_;
    const auto last = columns() - 1;
    const auto least = std::min(widths[last], last_least);
    const auto used = [&] {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < last; ++i) {
            sum += widths[i] + gap;
        }
        return sum;
    };
    // Columns with names are narrowed first, the widest before others.
    while (used() + least > width) {
        const auto longest =
            std::ranges::max_element(look.names, {}, [&](std::size_t i) { return widths[i]; });
        if (longest == look.names.end() || widths[*longest] <= name_least) {
            break;
        }
        --widths[*longest];
    }
    const bool is_one_line = used() + least <= width;
    if (!is_one_line) {
        widths = natural_widths_;
    }
    const auto room = is_one_line ? width - used() : 0;
    std::string out;
    for (const auto& row : rows_) {
        if (row.size() < columns()) {
            out += row.front() + '\n';
            continue;
        }
        std::string line;
        for (std::size_t i = 0; i < last; ++i) {
            const bool is_right = std::ranges::find(look.right, i) != look.right.end();
            if (!is_one_line && cells(line) > indent && cells(line) + widths[i] > width) {
                finish(out, std::move(line));
                line = std::string(indent, ' ');
            }
            line += cell(row[i], widths[i], is_right) + std::string(gap, ' ');
        }
        const auto left = is_one_line ? room : width - std::min(width, cells(line));
        if (cells(row[last]) > left && (look.is_last_whole || left < least)) {
            finish(out, std::move(line));
            out += look.is_last_whole
                       ? wrapped(row[last], width, indent)
                       : std::string(indent, ' ') + fitted(row[last], width - indent) + '\n';
        } else {
            finish(out, line + fitted(row[last], std::min(left, cells(row[last]))));
        }
    }
    return out;
}

}  // namespace fieldpost::cli
