#include "daemon/runtime/configuration.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <charconv>

#include "proto/office_statement.h"
#include "proto/size_text.h"

// toml++ 3.3 asserts that a table's name begins with a character that a name may have: "[!peer]" or
// "[주소]" would end the daemon. Here its assertions are errors of the file.
namespace fieldpost::runtime {
struct NoToml {};
constexpr void require_toml(bool holds) {
    if (!holds) {
        throw NoToml{};
    }
}
}  // namespace fieldpost::runtime
#define TOML_ASSERT(condition) fieldpost::runtime::require_toml(static_cast<bool>(condition))
#include <toml++/toml.h>

namespace fieldpost::runtime {

namespace {

// Thousands of peers fit.
constexpr std::size_t file_bytes_max = 1U << 20;

std::unexpected<Error> wrong(const toml::node& node, std::string_view reason) {
    return fail(Errc::malformed, fmt::format("line {}: {}", node.source().begin.line, reason));
}

Result<std::vector<std::string>> addresses_of(const toml::node& node,
                                              bool (*is_good)(std::string_view)) {
    const auto* array = node.as_array();
    if (array == nullptr) {
        return wrong(node, "a list of addresses is wanted");
    }
    std::vector<std::string> all;
    for (const auto& one : *array) {
        const auto text = one.value<std::string>();
        if (!text || !is_good(*text)) {
            return wrong(one, "an address looks like tcp://HOST:PORT");
        }
        all.push_back(*text);
    }
    return all;
}

// "socks5://HOST:PORT", to HOST:PORT.
std::optional<std::string> parse_proxy(std::string_view text) {
    constexpr std::string_view scheme = "socks5://";
    if (!text.starts_with(scheme)) {
        return std::nullopt;
    }
    auto address = std::string(text.substr(scheme.size()));
    return is_endpoint("tcp://" + address) ? std::optional(std::move(address)) : std::nullopt;
}

template <class T>
Result<T> parsed(const toml::node& node, std::optional<T> (*parse)(std::string_view),
                 std::string_view reason) {
    const auto text = node.value<std::string>();
    auto value = text ? parse(*text) : std::nullopt;
    if (!node.is_string() || !value) {
        return wrong(node, reason);
    }
    return std::move(*value);
}

Result<bool> flag_of(const toml::node& node, std::string_view key) {
    if (!node.is_boolean()) {
        return wrong(node, fmt::format("{} is true or false", key));
    }
    return node.value_or(false);
}

Result<void> read_policy(std::string_view key, const toml::node& value, Policy& policy) {
    if (key == "quiet") {
        policy.is_quiet = TRY(flag_of(value, key));
    } else if (key == "carry") {
        policy.carries = TRY(flag_of(value, key));
    } else if (key == "proxy") {
        policy.proxy = TRY(parsed(value, parse_proxy, "a proxy looks like \"socks5://HOST:PORT\""));
    } else if (key == "rate_limit") {
        policy.bytes_per_second =
            TRY(parsed(value, parse_rate, "a rate looks like \"32kbit\", and is at least 300bit"));
    } else if (key == "daily_limit") {
        policy.bytes_per_day = TRY(parsed(value, parse_size, "a size looks like \"20MiB\""));
        if (policy.bytes_per_day == 0) {
            return wrong(value, "a daily_limit of nothing would never let anything through");
        }
    } else if (key == "window") {
        policy.window = TRY(parsed(value, parse_hours, "a window looks like \"22:00-06:00\""));
    } else if (key == "outside_window") {
        const auto said = value.value<std::string>().value_or("");
        if (said != "urgent" && said != "nothing") {
            return wrong(value, "outside_window is \"urgent\" or \"nothing\"");
        }
        policy.is_urgent_outside = said == "urgent";
    } else {
        return wrong(value, fmt::format("{} is not a key of a peer", key));
    }
    return ok();
}

std::string not_a_key(std::string_view key) {
    constexpr std::array<std::string_view, 5> planned = {"retention", "passphrase", "spool",
                                                         "expect", "record"};
    return std::ranges::find(planned, key) == planned.end()
               ? fmt::format("{} is not a key", key)
               : fmt::format("{} is not in this release", key);
}

Result<PeerConfiguration> peer_of(const toml::table& table) {
    PeerConfiguration peer;
    // A wrong key first: it may be how somebody wrote `address`.
    for (const auto& [key, value] : table) {
        if (key.str() != "address") {
            TRY(read_policy(key.str(), value, peer.policy));
        }
    }
    const auto address = table["address"].value<std::string>();
    if (!address || !is_endpoint(*address)) {
        return wrong(table, "a peer has an address such as tcp://HOST:PORT");
    }
    peer.address = *address;
    if (table.contains("outside_window") && !peer.policy.window) {
        return wrong(*table.get("outside_window"), "outside_window needs a window");
    }
    return peer;
}

Result<void> read_peers(const toml::node& node, Configuration& configuration) {
    const auto* array = node.as_array();
    if (array == nullptr) {
        return wrong(node, "peers are written as [[peer]]");
    }
    for (const auto& one : *array) {
        const auto* table = one.as_table();
        if (table == nullptr) {
            return wrong(one, "a peer has an address such as tcp://HOST:PORT");
        }
        configuration.peers.push_back(TRY(peer_of(*table)));
    }
    return ok();
}

Result<FolderConfiguration> folder_of(const toml::table& table) {
    FolderConfiguration folder;
    for (const auto& [key, value] : table) {
        if (key.str() == "path") {
            folder.path = value.value<std::string>().value_or("");
        } else if (key.str() == "for") {
            const auto* offices = value.as_array();
            if (offices == nullptr || offices->empty()) {
                return wrong(value, "for is a list of offices, such as [\"hq\"]");
            }
            for (const auto& one : *offices) {
                const auto name = one.value<std::string>();
                if (!name || !is_office_name(*name)) {
                    return wrong(one, "the name of an office is wanted");
                }
                folder.offices.push_back(*name);
            }
        } else if (key.str() == "read_only") {
            folder.is_read_only = TRY(flag_of(value, key.str()));
        } else {
            return wrong(value, fmt::format("{} is not a key of a folder", key.str()));
        }
    }
    if (!folder.path.starts_with('/')) {
        return wrong(table, "a folder has a path that begins with /");
    }
    return folder;
}

Result<void> read_folders(const toml::node& node, Configuration& configuration) {
    const auto* array = node.as_array();
    if (array == nullptr) {
        return wrong(node, "folders are written as [[folder]]");
    }
    for (const auto& one : *array) {
        const auto* table = one.as_table();
        if (table == nullptr) {
            return wrong(one, "folders are written as [[folder]]");
        }
        auto folder = TRY(folder_of(*table));
        const auto is_same = [&](const auto& other) { return other.path == folder.path; };
        if (std::ranges::any_of(configuration.folders, is_same)) {
            return wrong(one, fmt::format("{} is there twice", folder.path));
        }
        configuration.folders.push_back(std::move(folder));
    }
    return ok();
}

Result<void> read_limits(const toml::node& node, Configuration& configuration) {
    const auto* table = node.as_table();
    if (table == nullptr) {
        return wrong(node, "limits are written under [limits]");
    }
    for (const auto& [key, value] : *table) {
        const auto text = value.value<std::string>();
        const auto size = text ? parse_size(*text) : std::nullopt;
        if (!size) {
            return wrong(value, "a size looks like \"64MiB\"");
        }
        if (key.str() == "store") {
            configuration.store_bytes = *size;
        } else if (key.str() == "carry") {
            configuration.carry_bytes = *size;
        } else {
            return wrong(value, key.str() == "record"
                                    ? not_a_key(key.str())
                                    : fmt::format("{} is not a limit", key.str()));
        }
    }
    return ok();
}

Result<Configuration> configuration_of(const toml::table& root) {
    Configuration configuration;
    for (const auto& [key, value] : root) {
        if (key.str() == "listen") {
            configuration.listen = TRY(addresses_of(value, is_listen_endpoint));
        } else if (key.str() == "advertise") {
            configuration.advertise = TRY(addresses_of(value, is_endpoint));
        } else if (key.str() == "beacon") {
            configuration.beacon = TRY(flag_of(value, key.str()));
        } else if (key.str() == "peer") {
            TRY(read_peers(value, configuration));
        } else if (key.str() == "folder") {
            TRY(read_folders(value, configuration));
        } else if (key.str() == "limits") {
            TRY(read_limits(value, configuration));
        } else {
            return wrong(value, not_a_key(key.str()));
        }
    }
    return configuration;
}

// Empty: there is no file. Never waits: in the place of the file may stand a pipe, whose opening
// waits for somebody to write, or a device.
Result<std::optional<std::string>> content_of(const std::filesystem::path& file) {
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
    std::string text(file_bytes_max + 1, '\0');
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
    if (size > file_bytes_max) {
        return fail(Errc::malformed,
                    fmt::format("{} is larger than {} bytes", file.string(), file_bytes_max));
    }
    text.resize(size);
    return text;
}

// The first line on which a table's name begins with a character that no name has; else the last.
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

// The line of the first letter outside quotes and comments that is not ASCII, if there is one. TOML
// has none there, and toml++ 3.3 has no defined answer to some of them, such as "é = 1".
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

Result<Configuration> read_file(const std::filesystem::path& file) {
    const auto text = TRY(content_of(file));
    if (!text) {
        return Configuration{};
    }
    if (const auto line = line_of_foreign_letter(*text)) {
        return fail(Errc::malformed,
                    fmt::format("{}: line {}: outside quotes there are only the letters a to z",
                                file.string(), *line));
    }
    try {
        auto read = configuration_of(toml::parse(*text));
        if (!read) {
            read.error().detail = fmt::format("{}: {}", file.string(), read.error().detail);
        }
        return read;
    } catch (const NoToml&) {
        return fail(Errc::malformed,
                    fmt::format("{}: line {}: a table's name is made of letters a to z, digits, - "
                                "and _",
                                file.string(), line_of_bad_name(*text)));
    } catch (const toml::parse_error& error) {
        return fail(Errc::malformed, fmt::format("{}: line {}: {}", file.string(),
                                                 error.source().begin.line, error.description()));
    }
}

}  // namespace

Result<Configuration> read_configuration(const std::filesystem::path& file,
                                         const Configuration& added) {
    auto configuration = TRY(read_file(file));
    for (const auto& endpoint : added.listen) {
        if (!is_listen_endpoint(endpoint)) {
            return fail(Errc::malformed, fmt::format("{} is no address to listen on, such as "
                                                     "tcp://*:6743",
                                                     endpoint));
        }
    }
    for (const auto& peer : added.peers) {
        if (!is_endpoint(peer.address)) {
            return fail(Errc::malformed,
                        fmt::format("{} is no address, such as tcp://HOST:PORT", peer.address));
        }
    }
    const auto add = [](auto& to, const auto& from) {
        to.insert(to.end(), from.begin(), from.end());
    };
    add(configuration.listen, added.listen);
    add(configuration.peers, added.peers);
    configuration.beacon = configuration.beacon && added.beacon;
    return configuration;
}

}  // namespace fieldpost::runtime
