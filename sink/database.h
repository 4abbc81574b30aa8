// A database that the sink fills: PostgreSQL or SQLite, behind the same statements.
//
// A statement has parameters $1, $2, and so on. It may wait in a line with others: flush() tells
// whether all were done. After a trouble nothing more is done, and each flush() tells it again,
// until a statement that begins with ROLLBACK.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "cli/command.h"

namespace fieldpost::sink {

struct Trouble {
    enum class Kind : std::uint8_t {
        row,        // the database refuses this row, and may take others
        again,      // another transaction was in the way: try the same once more
        gone,       // there is no connection, or none any more
        full,       // there is no room
        no_rights,  // the user of the database may not do this
        other,
    };
    Kind kind{};
    std::string what;  // in the database's words, in one line
};
template <class T>
using Done = std::expected<T, Trouble>;

// std::monostate stands for NULL.
using Value = std::variant<std::monostate, std::int64_t, bool, std::string>;
// In a row, NULL is an empty text.
using Row = std::vector<std::string>;

// The SQL that differs between the two databases.
struct Dialect {
    const char* begin;    // a transaction
    const char* hurry;    // in a transaction: to be held up is a trouble soon; empty: as always
    const char* lock;     // in a transaction: no other sink writes; empty: so it is anyway
    const char* time;     // the type of a time
    const char* json;     // the type of a JSON text
    const char* texts;    // selects the texts of the JSON array $1
    const char* columns;  // selects the names of the columns of the table $1
    bool replaces_views;  // without dropping them
};

class Database {
public:
    virtual ~Database() = default;
    Database() = default;
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    virtual void run(const std::string& sql, std::vector<Value> values = {}) = 0;
    // The first trouble since the last ROLLBACK.
    virtual Done<void> flush() = 0;
    // Does the statement alone, after those that wait.
    virtual Done<std::vector<Row>> ask(const std::string& sql, std::vector<Value> values = {}) = 0;
    // For the sink of one office, until this is destroyed or the connection goes. False: another
    // sink of that office is at work.
    virtual Done<bool> lock(std::uint32_t source) = 0;
    // Why the database cannot be used, in words; empty: it can. Asked once.
    virtual Done<std::string> unfit() = 0;

    [[nodiscard]] virtual const Dialect& dialect() const = 0;
    // Expressions for a field of the column `fields`: its text, and its number, or NULL if the text
    // is none. `key` is any text.
    [[nodiscard]] virtual std::string field(const std::string& key) const = 0;
    [[nodiscard]] virtual std::string number(const std::string& key) const = 0;
};

// Begins a transaction that writes. Sinks write one after the other: what they derive from rows of
// several offices is then derived from all of them.
enum class Patience : std::uint8_t { normal, little };
void begin(Database& database, Patience patience = Patience::normal);

// "it's" becomes 'it''s', and a name becomes "a ""name""".
std::string quoted(const std::string& text);
std::string quoted_name(const std::string& name);

// `dsn` is sqlite:FILE, or what libpq connects with. invalid: neither, or there is a password in
// it. Otherwise as Trouble.
cli::Outcome<std::unique_ptr<Database>> connect(const std::string& dsn);
struct Kind {
    const Dialect* dialect = nullptr;
    std::string name;  // what people and the office's attention call the database; no password
};
// Reads `dsn` without connecting. invalid: as connect().
cli::Outcome<Kind> kind_of(const std::string& dsn);
cli::Failure failure_of(const Trouble& trouble);

}  // namespace fieldpost::sink
