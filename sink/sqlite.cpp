#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>

#include "sink/engines.h"

namespace fieldpost::sink {

const Dialect sqlite_dialect{
    .begin = "BEGIN IMMEDIATE",
    .hurry = "",
    .lock = "",
    .time = "TEXT",
    .json = "TEXT",
    .texts = "SELECT value FROM json_each($1)",
    .columns = "SELECT name FROM pragma_table_info($1)",
    .replaces_views = false,
};

namespace {

// Another program may read, and hold up who writes, for so long.
constexpr int busy_ms = 30'000;

struct Close {
    void operator()(sqlite3* one) const { sqlite3_close_v2(one); }
    void operator()(sqlite3_stmt* one) const { sqlite3_finalize(one); }
};
using Connection = std::unique_ptr<sqlite3, Close>;
using Statement = std::unique_ptr<sqlite3_stmt, Close>;

Trouble::Kind kind_of(int code) {
    switch (code & 0xff) {
        case SQLITE_FULL:
            return Trouble::Kind::full;
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
        case SQLITE_AUTH:
            return Trouble::Kind::no_rights;
        case SQLITE_CONSTRAINT:
        case SQLITE_TOOBIG:
        case SQLITE_MISMATCH:
            return Trouble::Kind::row;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Trouble::Kind::again;
        default:
            return Trouble::Kind::other;
    }
}

class Sqlite final : public Database {
public:
    Sqlite(Connection connection, std::string file)
        : connection_(std::move(connection)), file_(std::move(file)) {}
    ~Sqlite() override {
        if (lock_ >= 0) {
            ::close(lock_);
        }
    }

    void run(const std::string& sql, std::vector<Value> values) override {
        if (sql.starts_with("ROLLBACK")) {
            trouble_.reset();
            if (sqlite3_get_autocommit(connection_.get()) != 0) {
                return;  // the transaction never began, or SQLite has ended it
            }
        }
        if (!trouble_) {
            rows_.clear();
            step(sql, values);
        }
    }

    Done<void> flush() override {
        return trouble_ ? Done<void>(std::unexpected(*trouble_)) : Done<void>{};
    }

    Done<std::vector<Row>> ask(const std::string& sql, std::vector<Value> values) override {
        if (auto done = flush(); !done) {
            return std::unexpected(done.error());
        }
        run(sql, std::move(values));
        if (auto done = flush(); !done) {
            return std::unexpected(done.error());
        }
        return std::move(rows_);
    }

    // A file beside the database: SQLite's own locks are for a transaction, and for everybody.
    Done<bool> lock(std::uint32_t source) override {
        const auto path = fmt::format("{}.sink-{}.lock", file_, source);
        if (lock_ < 0) {
            lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        }
        if (lock_ < 0) {
            return std::unexpected(
                Trouble{Trouble::Kind::no_rights, fmt::format("{}: {}", path, strerror(errno))});
        }
        return ::flock(lock_, LOCK_EX | LOCK_NB) == 0;
    }

    Done<std::string> unfit() override {
        const auto rows = ask("PRAGMA encoding", {});
        if (!rows) {
            return std::unexpected(rows.error());
        }
        return rows->front()[0] == "UTF-8" ? "" : "the database is in " + rows->front()[0];
    }

    [[nodiscard]] const Dialect& dialect() const override { return sqlite_dialect; }
    // By json_each, and not by a path: a path cannot name every key.
    [[nodiscard]] std::string field(const std::string& key) const override {
        return fmt::format("(SELECT value FROM json_each(r.fields) WHERE key = {})", quoted(key));
    }
    [[nodiscard]] std::string number(const std::string& key) const override {
        return fmt::format(
            "(SELECT CASE WHEN length(value) <= 17 AND value NOT GLOB '*[^-0-9.]*' AND "
            "json_valid(value) THEN CAST(value AS NUMERIC) END FROM json_each(r.fields) WHERE "
            "key = {})",
            quoted(key));
    }

private:
    void step(const std::string& sql, const std::vector<Value>& values) {
        auto& statement = statements_[sql];
        if (!statement) {
            sqlite3_stmt* made = nullptr;
            const auto code = sqlite3_prepare_v2(connection_.get(), sql.c_str(),
                                                 static_cast<int>(sql.size()) + 1, &made, nullptr);
            statement.reset(made);
            if (code != SQLITE_OK) {
                fail(code);
                statements_.erase(sql);
                return;
            }
        }
        auto* ready = statement.get();
        for (std::size_t i = 0; i < values.size(); ++i) {
            const auto place =
                sqlite3_bind_parameter_index(ready, fmt::format("${}", i + 1).c_str());
            bind(ready, place, values[i]);
        }
        int code = sqlite3_step(ready);
        for (; code == SQLITE_ROW; code = sqlite3_step(ready)) {
            auto& row = rows_.emplace_back();
            for (int column = 0; column < sqlite3_column_count(ready); ++column) {
                const auto* text = sqlite3_column_text(ready, column);
                row.emplace_back(text == nullptr ? "" : reinterpret_cast<const char*>(text));
            }
        }
        if (code != SQLITE_DONE) {
            fail(sqlite3_extended_errcode(connection_.get()));
        }
        sqlite3_reset(ready);
        sqlite3_clear_bindings(ready);
        if (values.empty()) {
            statements_.erase(sql);  // made for once
        }
    }

    static void bind(sqlite3_stmt* statement, int place, const Value& value) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) {
            sqlite3_bind_int64(statement, place, *number);
        } else if (const auto* is = std::get_if<bool>(&value)) {
            sqlite3_bind_int(statement, place, *is ? 1 : 0);
        } else if (const auto* text = std::get_if<std::string>(&value)) {
            sqlite3_bind_text64(statement, place, text->data(), text->size(), SQLITE_TRANSIENT,
                                SQLITE_UTF8);
        } else {
            sqlite3_bind_null(statement, place);
        }
    }

    void fail(int code) {
        if (!trouble_) {
            trouble_ = Trouble{kind_of(code), sqlite3_errmsg(connection_.get())};
        }
    }

    Connection connection_;
    std::string file_;
    int lock_ = -1;
    std::map<std::string, Statement> statements_;
    std::optional<Trouble> trouble_;
    std::vector<Row> rows_;
};

}  // namespace

std::string name_of_sqlite(const std::string& file) {
    std::error_code error;
    const auto path = std::filesystem::absolute(file, error);
    return "sqlite " + (error ? file : path.string());
}

Done<std::unique_ptr<Database>> open_sqlite(const std::string& file) {
    sqlite3* opened = nullptr;
    const auto code =
        sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
    Connection connection(opened);
    if (code != SQLITE_OK) {
        const auto* why = opened == nullptr ? "not enough memory" : sqlite3_errmsg(opened);
        return std::unexpected(Trouble{kind_of(code), fmt::format("{}: {}", file, why)});
    }
    sqlite3_extended_result_codes(opened, 1);
    sqlite3_busy_timeout(opened, busy_ms);
    auto database =
        std::make_unique<Sqlite>(std::move(connection), std::filesystem::absolute(file).string());
    // Forgotten words are overwritten on the disk, and do not stay in free pages.
    if (const auto set = database->ask("PRAGMA secure_delete = ON", {}); !set) {
        return std::unexpected(set.error());
    }
    return database;
}

}  // namespace fieldpost::sink
