#include "daemon/runtime/toml_text.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

namespace fieldpost::runtime {

namespace {

// Thousands of peers fit.
constexpr std::size_t toml_bytes_max = 1U << 20;

// The end of the string that begins at `at`: behind its quotes, or at the line's or the file's end
// where those are missing.
std::size_t end_of_string(std::string_view text, std::size_t at) {
    const auto quote = text[at];
    const bool has_lines = text.substr(at).starts_with(std::string(3, quote));
    if (has_lines) {
        at += 2;
    }
    for (++at; at < text.size(); ++at) {
        if (text[at] == '\\' && quote == '"') {
            ++at;
        } else if (text[at] == quote) {
            if (!has_lines) {
                return at + 1;
            }
            if (text.substr(at).starts_with(std::string(3, quote))) {
                // Two more may stand before the three that end it.
                return std::min(text.find_first_not_of(quote, at), at + 5);
            }
        } else if (text[at] == '\n' && !has_lines) {
            return at;
        }
    }
    return text.size();
}

}  // namespace

Result<std::optional<std::string>> read_toml_text(const std::filesystem::path& file) {
    const int fd = ::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENOENT) {
        return std::nullopt;
    }
    const auto unreadable = [&] {
        return fail(Errc::malformed, fmt::format("{} cannot be read", file.string()));
    };
    struct stat about{};
    if (fd < 0 || ::fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        ::close(fd);
        return unreadable();
    }
    std::string text(toml_bytes_max + 1, '\0');
    std::size_t size = 0;
    ssize_t got = 1;
    while (got > 0 && size < text.size()) {
        got = ::read(fd, text.data() + size, text.size() - size);
        size += static_cast<std::size_t>(std::max<ssize_t>(0, got));
    }
    ::close(fd);
    if (got < 0) {
        return unreadable();
    }
    if (size > toml_bytes_max) {
        return fail(Errc::malformed,
                    fmt::format("{} is larger than {} bytes", file.string(), toml_bytes_max));
    }
    text.resize(size);
    return text;
}

std::size_t line_of_bad_name(std::string_view text) {
    std::size_t line = 1;
    while (true) {
        const auto end = text.find('\n');
        auto words = text.substr(0, end);
        words.remove_prefix(std::min(words.find_first_not_of(" \t"), words.size()));
        if (words.starts_with('[')) {
            words.remove_prefix(std::min(words.find_first_not_of("[ \t"), words.size()));
            const bool is_name =
                !words.empty() && (std::isalnum(static_cast<unsigned char>(words.front())) != 0 ||
                                   std::string_view("-_\"'").contains(words.front()));
            if (!is_name) {
                return line;
            }
        }
        if (end == std::string_view::npos) {
            return line;
        }
        text.remove_prefix(end + 1);
        ++line;
    }
}

std::optional<std::size_t> line_of_foreign_letter(std::string_view text) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) {
        text.remove_prefix(byte_order_mark.size());
    }
    std::size_t at = 0;
    while (at < text.size()) {
        const bool is_quote = text[at] == '"' || text[at] == '\'';
        // In the middle of a word toml++ takes a quote for any other character.
        const bool may_begin = at == 0 || std::string_view(" \t\r\n=[{,.").contains(text[at - 1]);
        if (text[at] == '#') {
            at = std::min(text.find('\n', at), text.size());
        } else if (is_quote && may_begin) {
            at = end_of_string(text, at);
        } else if (static_cast<unsigned char>(text[at]) >= 0x80) {
            return 1 + std::ranges::count(text.substr(0, at), '\n');
        } else {
            ++at;
        }
    }
    return std::nullopt;
}

}  // namespace fieldpost::runtime
