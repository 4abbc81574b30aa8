#include "sink/schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/text.h"

namespace fieldpost::sink {

namespace {

// Stand for the dialect's types.
constexpr auto a_time = "TIME";
constexpr auto a_json = "JSON";

struct Column {
    const char* name;
    const char* type;
};
struct TableOf {
    const char* name;
    std::vector<Column> columns;
    const char* key;
};

// `sink`, `sink_form` and `sink_column` are the sink's own. A table gains columns at its end.
const std::vector<TableOf>& tables() {
    static const std::vector<TableOf> all = {
        {"sink", {{"schema", "bigint"}, {"network", "text"}, {"network_name", "text"}}, "schema"},
        {"report",
         {{"hash", "text"},
          {"network", "text"},
          {"id", "text"},
          {"author", "bigint"},
          {"incarnation", "bigint"},
          {"class", "text"},
          {"number", "bigint"},
          {"box", "text"},
          {"type", "text"},
          {"form_version", "bigint"},
          {"office", "text"},
          {"recipients", "text"},
          {"subject", "text"},
          {"text", "text"},
          {"staff", "text"},
          {"priority", "text"},
          {"created_at", a_time},
          {"utc_offset", "text"},
          {"clock_doubtful", "boolean"},
          {"fields", a_json},
          {"reply_to", "text"},
          {"replaces", "text"},
          {"replaced_by", "text"},
          {"withdrawn_at", a_time},
          {"forgotten_at", a_time},
          {"withdrawal_reason", "text"},
          {"first_received_at", a_time}},
         "hash"},
        {"seen",
         {{"hash", "text"},
          {"source", "bigint"},
          {"change", "bigint"},
          {"received_at", a_time},
          {"state", "text"},
          {"box", "text"},
          {"replaced_by", "text"}},
         "hash, source"},
        {"answer",
         {{"hash", "text"},
          {"answer_id", "text"},
          {"office", "text"},
          {"outcome", "text"},
          {"note", "text"},
          {"staff", "text"},
          {"at", a_time},
          {"source", "bigint"},
          {"author", "bigint"}},
         "hash, answer_id"},
        {"attachment",
         {{"hash", "text"},
          {"n", "bigint"},
          {"name", "text"},
          {"size_bytes", "bigint"},
          {"media_type", "text"},
          {"sha256", "text"},
          {"path", "text"}},
         "hash, n"},
        {"progress",
         {{"network", "text"},
          {"source", "bigint"},
          {"feed_id", "text"},
          {"change", "bigint"},
          {"place", "text"},
          {"office", "text"},
          {"at", a_time}},
         "source"},
        {"rejected",
         {{"hash", "text"}, {"source", "bigint"}, {"change", "bigint"}, {"reason", "text"}},
         "source, change"},
        {"waiting", {{"hash", "text"}, {"created_at", a_time}}, "hash"},
        {"sink_form", {{"type", "text"}, {"view", "text"}, {"shown", "bigint"}}, "type"},
        {"sink_column",
         {{"type", "text"}, {"key", "text"}, {"name", "text"}, {"place", "bigint"}},
         "type, key"},
    };
    return all;
}

constexpr auto current = "replaced_by IS NULL AND withdrawn_at IS NULL AND forgotten_at IS NULL";

// Views of the newest reports, of the oldest that wait, and of one form of one office in a month
// read as many rows as they show.
std::vector<std::string> indexes() {
    const auto of_current = [](const char* name, const char* columns) {
        return fmt::format("CREATE INDEX IF NOT EXISTS {} ON report ({}) WHERE {}", name, columns,
                           current);
    };
    const auto* replaced =
        "CREATE INDEX IF NOT EXISTS seen_replaced ON seen (replaced_by) "
        "WHERE replaced_by IS NOT NULL";
    return {"CREATE INDEX IF NOT EXISTS report_id ON report (id)",
            "CREATE INDEX IF NOT EXISTS report_number ON report (author, number)",
            of_current("report_received", "first_received_at"),
            of_current("report_created", "created_at"),
            of_current("report_form", "type, office, created_at"),
            replaced,
            "CREATE INDEX IF NOT EXISTS waiting_created ON waiting (created_at)",
            "CREATE INDEX IF NOT EXISTS attachment_sum ON attachment (sha256)"};
}

// Views of forms begin with so many columns of `report`, also when it has gained more: PostgreSQL
// lets a view gain columns at its end only, and fields come behind these.
constexpr std::size_t columns_of_forms = 27;

std::string columns_of_report(const char* of_created, std::size_t count = SIZE_MAX) {
    std::vector<std::string> columns;
    for (const auto& name : report_columns()) {
        if (columns.size() == count) {
            break;
        }
        columns.push_back(name == "created_at" ? std::string(of_created) + ".created_at"
                                               : "r." + name);
    }
    return fmt::format("{}", fmt::join(columns, ", "));
}

struct ViewOf {
    const char* name;
    std::string select;
};

std::vector<ViewOf> views() {
    return {{"report_current",
             fmt::format("SELECT {} FROM report r WHERE {}", columns_of_report("r"), current)},
            {"waiting_for_answer",
             fmt::format("SELECT {} FROM waiting w JOIN report r ON r.hash = w.hash",
                         columns_of_report("w"))}};
}

std::string type_in(const Dialect& dialect, const char* type) {
    return type == a_time ? dialect.time : type == a_json ? dialect.json : type;
}

std::string create(const Dialect& dialect, const TableOf& table) {
    std::string columns;
    for (const auto& column : table.columns) {
        columns += fmt::format("  {} {},\n", column.name, type_in(dialect, column.type));
    }
    return fmt::format("CREATE TABLE IF NOT EXISTS {} (\n{}  PRIMARY KEY ({})\n)", table.name,
                       columns, table.key);
}

// The statements that make a view, or make it anew.
std::vector<std::string> statements_of(const Dialect& dialect, const ViewOf& view) {
    return view_statements(dialect, view.name, view.select);
}

cli::Outcome<void> or_fail(const Done<void>& done) {
    return done ? cli::Outcome<void>{} : std::unexpected(failure_of(done.error()));
}

Done<void> make_all(Database& database) {
    const auto& dialect = database.dialect();
    for (const auto& table : tables()) {
        database.run(create(dialect, table));
        const auto there = database.ask(dialect.columns, {std::string(table.name)});
        if (!there) {
            return std::unexpected(there.error());
        }
        for (const auto& column : table.columns) {
            if (std::ranges::none_of(*there,
                                     [&](const Row& row) { return row[0] == column.name; })) {
                database.run(fmt::format("ALTER TABLE {} ADD COLUMN {} {}", table.name, column.name,
                                         type_in(dialect, column.type)));
            }
        }
    }
    for (const auto& index : indexes()) {
        database.run(index);
    }
    for (const auto& view : views()) {
        for (const auto& statement : statements_of(dialect, view)) {
            database.run(statement);
        }
    }
    return database.flush();
}

// The row of `sink`; nothing: the table is not there, or empty.
Done<std::vector<Row>> head_of(Database& database) {
    const auto columns = database.ask(database.dialect().columns, {std::string("sink")});
    if (!columns || columns->empty()) {
        return columns;
    }
    return database.ask("SELECT schema, network, network_name FROM sink");
}

}  // namespace

std::vector<std::string> view_statements(const Dialect& dialect, const std::string& name,
                                         const std::string& select) {
    const auto quoted = quoted_name(name);
    if (dialect.replaces_views) {
        return {fmt::format("CREATE OR REPLACE VIEW {} AS {}", quoted, select)};
    }
    return {fmt::format("DROP VIEW IF EXISTS {}", quoted),
            fmt::format("CREATE VIEW {} AS {}", quoted, select)};
}

std::vector<std::string> report_columns() {
    std::vector<std::string> names;
    for (const auto& table : tables()) {
        if (std::string_view(table.name) == "report") {
            for (const auto& column : table.columns) {
                names.emplace_back(column.name);
            }
        }
    }
    return names;
}

std::string form_select(const std::string& type, const std::string& fields) {
    return fmt::format("SELECT {}{} FROM report r WHERE type = {} AND {}",
                       columns_of_report("r", columns_of_forms), fields, quoted(type), current);
}

std::string schema_text(const Dialect& dialect) {
    std::string text;
    const auto add = [&](const std::string& statement) { text += statement + ";\n"; };
    for (const auto& table : tables()) {
        add(create(dialect, table));
    }
    for (const auto& index : indexes()) {
        add(index);
    }
    for (const auto& view : views()) {
        for (const auto& statement : statements_of(dialect, view)) {
            add(statement);
        }
    }
    text += "-- and a view form_TYPE for each type of report, once one has come\n";
    return text;
}

namespace {

// True if the tables are those of this release.
cli::Outcome<bool> check_head(Database& database, const std::string& network_id,
                              const std::string& network_name) {
    const auto head = head_of(database);
    if (!head) {
        return std::unexpected(failure_of(head.error()));
    }
    if (!head->empty()) {
        const auto& row = head->front();
        if (std::stoll(row[0]) > schema_version) {
            return std::unexpected(cli::Failure{
                exit_invalid, "newer", "a newer fieldpost-sink made the tables of this database",
                "install the newer release here too"});
        }
        if (row[1] != network_id) {
            return std::unexpected(cli::Failure{
                exit_refused, "other_network",
                fmt::format("this database belongs to the network {}", cli::safe_line(row[2])),
                fmt::format("give {} a database of its own", network_name)});
        }
        return std::stoll(row[0]) == schema_version;
    }
    return false;
}

}  // namespace

cli::Outcome<void> prepare(Database& database, const std::string& network_id,
                           const std::string& network_name) {
    auto is_ready = check_head(database, network_id, network_name);
    if (!is_ready || *is_ready) {
        return is_ready ? cli::Outcome<void>{} : std::unexpected(is_ready.error());
    }
    begin(database);
    // Another sink may have been first.
    is_ready = check_head(database, network_id, network_name);
    if (!is_ready || *is_ready) {
        database.run("ROLLBACK");
        (void)database.flush();
        return is_ready ? cli::Outcome<void>{} : std::unexpected(is_ready.error());
    }
    auto made = make_all(database);
    if (made) {
        database.run("DELETE FROM sink");
        database.run("INSERT INTO sink (schema, network, network_name) VALUES ($1, $2, $3)",
                     {schema_version, network_id, network_name});
        database.run("COMMIT");
        made = database.flush();
    }
    if (!made) {
        database.run("ROLLBACK");
        (void)database.flush();
    }
    return or_fail(made);
}

}  // namespace fieldpost::sink
