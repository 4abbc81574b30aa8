#include "sink/database.h"

#include <fmt/format.h>

#include "cli/text.h"
#include "sink/engines.h"

namespace fieldpost::sink {

namespace {

constexpr std::string_view sqlite_head = "sqlite:";

std::string doubled(const std::string& text, char mark) {
    std::string out(1, mark);
    for (const char c : text) {
        out.append(c == mark ? 2 : 1, c);
    }
    out.push_back(mark);
    return out;
}

}  // namespace

std::string quoted(const std::string& text) {
    return doubled(text, '\'');
}

std::string quoted_name(const std::string& name) {
    return doubled(name, '"');
}

void begin(Database& database, Patience patience) {
    const auto& dialect = database.dialect();
    database.run(dialect.begin);
    for (const auto* statement :
         {patience == Patience::little ? dialect.hurry : "", dialect.lock}) {
        if (*statement != '\0') {
            database.run(statement);
        }
    }
}

cli::Outcome<Kind> kind_of(const std::string& dsn) {
    if (dsn == sqlite_head) {
        return std::unexpected(cli::Failure{exit_invalid, "invalid",
                                            "sqlite: needs the name of a file",
                                            "write it as sqlite:reports.db"});
    }
    if (dsn.starts_with(sqlite_head)) {
        return Kind{&sqlite_dialect, name_of_sqlite(dsn.substr(sqlite_head.size()))};
    }
    auto name = name_of_postgres(dsn);
    return name ? cli::Outcome<Kind>(Kind{&postgres_dialect, std::move(*name)})
                : std::unexpected(name.error());
}

cli::Outcome<std::unique_ptr<Database>> connect(const std::string& dsn) {
    if (const auto kind = kind_of(dsn); !kind) {
        return std::unexpected(kind.error());
    }
    auto connected = dsn.starts_with(sqlite_head) ? open_sqlite(dsn.substr(sqlite_head.size()))
                                                  : open_postgres(dsn);
    return connected ? cli::Outcome<std::unique_ptr<Database>>(std::move(*connected))
                     : std::unexpected(failure_of(connected.error()));
}

cli::Failure failure_of(const Trouble& trouble) {
    const auto what = [&](const char* head) {
        return fmt::format("{}: {}", head, cli::safe_line(trouble.what));
    };
    switch (trouble.kind) {
        case Trouble::Kind::gone:
            return {exit_failed, "no_database", what("there is no connection to the database"),
                    "is it running, does it know this user, and is the DSN right?"};
        case Trouble::Kind::full:
            return {exit_no_space, "no_space", what("the database is full"),
                    "free space there, then try again; nothing is lost"};
        case Trouble::Kind::no_rights:
            return {exit_refused, "no_rights", what("the database does not allow it"),
                    "give this user the right to create and fill tables there"};
        default:
            return {exit_failed, "database", what("the database refused a statement"),
                    "nothing is lost; see the database's log"};
    }
}

}  // namespace fieldpost::sink
