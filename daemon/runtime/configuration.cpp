#include "daemon/runtime/configuration.h"

#include <fmt/format.h>

#include "daemon/engine/record/addressees.h"
#include "daemon/runtime/toml_text.h"
#include "proto/duration_text.h"
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

std::unexpected<Error> wrong(const toml::node& node, std::string_view reason) {
    return fail(Errc::malformed, fmt::format("line {}: {}", node.source().begin.line, reason));
}

// A list of strings that are all good.
Result<std::vector<std::string>> strings_of(const toml::node& node,
                                            bool (*is_good)(std::string_view),
                                            std::string_view reason) {
    const auto* array = node.as_array();
    if (array == nullptr) {
        return wrong(node, reason);
    }
    std::vector<std::string> all;
    for (const auto& one : *array) {
        const auto text = one.value<std::string>();
        if (!text || !is_good(*text)) {
            return wrong(one, reason);
        }
        all.push_back(*text);
    }
    return all;
}

constexpr std::string_view address_wanted = "addresses are a list, and look like tcp://HOST:PORT";

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
    constexpr std::array<std::string_view, 3> planned = {"retention", "passphrase", "record"};
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
            folder.offices = TRY(
                strings_of(value, is_office_name, "for is a list of offices, such as [\"hq\"]"));
            if (folder.offices.empty()) {
                return wrong(value, "for is a list of offices, such as [\"hq\"]");
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

bool has_path(const Configuration& configuration, const std::string& path) {
    const auto is_same = [&](const auto& other) { return other.path == path; };
    return std::ranges::any_of(configuration.folders, is_same) ||
           std::ranges::any_of(configuration.spools, is_same);
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
        if (has_path(configuration, folder.path)) {
            return wrong(one, fmt::format("{} is there twice", folder.path));
        }
        configuration.folders.push_back(std::move(folder));
    }
    return ok();
}

bool is_addressee(std::string_view name) {
    return is_office_name(name) || engine::group_named(name);
}

bool is_key_to_allow(std::string_view key) {
    constexpr std::array<std::string_view, 4> keys = {"to", "staff", "key", "replaces"};
    return std::ranges::find(keys, key) != keys.end();
}

Result<SpoolConfiguration> spool_of(const toml::table& table) {
    SpoolConfiguration spool;
    for (const auto& [key, value] : table) {
        if (key.str() == "path") {
            const std::filesystem::path path = value.value<std::string>().value_or("");
            spool.path = (path / "").lexically_normal().parent_path().string();
        } else if (key.str() == "to") {
            spool.to = TRY(strings_of(value, is_addressee,
                                      "to is a list of offices and groups, such as [\"hq\"]"));
        } else if (key.str() == "allow") {
            spool.allow =
                TRY(strings_of(value, is_key_to_allow,
                               "allow is a list of \"to\", \"staff\", \"key\", \"replaces\""));
        } else if (key.str() == "keep") {
            spool.keep_seconds =
                TRY(parsed(value, parse_duration, "keep is a length of time, such as \"7d\""));
        } else {
            return wrong(value, fmt::format("{} is not a key of a spool", key.str()));
        }
    }
    if (!spool.path.starts_with('/')) {
        return wrong(table, "a spool has a path that begins with /");
    }
    if (spool.to.empty()) {
        return wrong(table, "a spool says where its reports go, such as to = [\"hq\"]");
    }
    return spool;
}

Result<void> read_spools(const toml::node& node, Configuration& configuration) {
    const auto* array = node.as_array();
    if (array == nullptr) {
        return wrong(node, "spools are written as [[spool]]");
    }
    for (const auto& one : *array) {
        const auto* table = one.as_table();
        if (table == nullptr) {
            return wrong(one, "spools are written as [[spool]]");
        }
        auto spool = TRY(spool_of(*table));
        if (has_path(configuration, spool.path)) {
            return wrong(one, fmt::format("{} is there twice", spool.path));
        }
        configuration.spools.push_back(std::move(spool));
    }
    return ok();
}

// Each costs a look at every report of its type.
constexpr std::size_t expectations_max = 32;

Result<Every> every_of(const toml::node& node) {
    constexpr std::array<std::pair<std::string_view, Every>, 3> words = {
        {{"day", Every::day}, {"week", Every::week}, {"month", Every::month}}};
    const auto said = node.value<std::string>().value_or("");
    for (const auto& [word, every] : words) {
        if (said == word) {
            return every;
        }
    }
    return wrong(node, "every is \"day\", \"week\" or \"month\"");
}

Result<Expectation> expectation_of(const toml::table& table) {
    Expectation expectation;
    bool has_every = false;
    for (const auto& [key, value] : table) {
        const auto words = value.value<std::string>().value_or("");
        if (key.str() == "type") {
            expectation.type = words;
        } else if (key.str() == "from") {
            expectation.from = words;
        } else if (key.str() == "every") {
            expectation.every = TRY(every_of(value));
            has_every = true;
        } else if (key.str() == "due") {
            expectation.due_seconds =
                TRY(parsed(value, parse_duration, "due is a length of time, such as \"2d\""));
        } else if (key.str() == "period_field") {
            if (words.empty()) {
                return wrong(value, "period_field is the key of a field");
            }
            expectation.period_field = words;
        } else {
            return wrong(value, fmt::format("{} is not a key of expect", key.str()));
        }
    }
    if (expectation.type.empty()) {
        return wrong(table, "expect names the type of the reports, such as type = \"weekly\"");
    }
    if (!is_addressee(expectation.from)) {
        return wrong(table, "expect names an office or a group, such as from = \"@field\"");
    }
    // Later than that a period is not listed any more.
    constexpr std::array<std::uint32_t, 3> days_max = {7, 49, 196};
    const auto due_max = days_max[static_cast<std::size_t>(expectation.every)];
    if (expectation.due_seconds / 86400 > due_max) {
        return wrong(table, fmt::format("due is at most {}d here", due_max));
    }
    if (!has_every) {
        return wrong(table, "expect has every = \"day\", \"week\" or \"month\"");
    }
    return expectation;
}

Result<void> read_expectations(const toml::node& node, Configuration& configuration) {
    const auto* array = node.as_array();
    if (array == nullptr) {
        return wrong(node, "what is expected is written as [[expect]]");
    }
    for (const auto& one : *array) {
        const auto* table = one.as_table();
        if (table == nullptr) {
            return wrong(one, "what is expected is written as [[expect]]");
        }
        if (configuration.expectations.size() == expectations_max) {
            return wrong(one, fmt::format("more than {} times [[expect]]", expectations_max));
        }
        auto expectation = TRY(expectation_of(*table));
        const auto is_same = [&](const Expectation& other) {
            return other.type == expectation.type && other.from == expectation.from;
        };
        if (std::ranges::any_of(configuration.expectations, is_same)) {
            return wrong(
                one, fmt::format("{} from {} is there twice", expectation.type, expectation.from));
        }
        configuration.expectations.push_back(std::move(expectation));
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
            configuration.listen = TRY(strings_of(value, is_listen_endpoint, address_wanted));
        } else if (key.str() == "advertise") {
            configuration.advertise = TRY(strings_of(value, is_endpoint, address_wanted));
        } else if (key.str() == "beacon") {
            configuration.beacon = TRY(flag_of(value, key.str()));
        } else if (key.str() == "peer") {
            TRY(read_peers(value, configuration));
        } else if (key.str() == "folder") {
            TRY(read_folders(value, configuration));
        } else if (key.str() == "spool") {
            TRY(read_spools(value, configuration));
        } else if (key.str() == "expect") {
            TRY(read_expectations(value, configuration));
        } else if (key.str() == "limits") {
            TRY(read_limits(value, configuration));
        } else {
            return wrong(value, not_a_key(key.str()));
        }
    }
    return configuration;
}

Result<Configuration> read_file(const std::filesystem::path& file) {
    const auto text = TRY(read_toml_text(file));
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
