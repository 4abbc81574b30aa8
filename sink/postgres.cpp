// PostgreSQL by libpq, in its pipeline mode: statements are sent one after the other, and what
// became of them is read once for many. Method: PostgreSQL 15 documentation, 34.5 "Pipeline Mode".
#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "sink/engines.h"

namespace fieldpost::sink {

const Dialect postgres_dialect{
    .begin = "BEGIN",
    .hurry = "SET LOCAL lock_timeout = '1s'",
    .lock = "SELECT pg_advisory_xact_lock(1718644595, -1)",
    .time = "timestamptz",
    .json = "json",
    .texts = "SELECT json_array_elements_text($1::json)",
    .columns =
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = $1",
    .replaces_views = true,
};

namespace {

// The first key of our advisory locks. The second is the office's index, or -1 for who writes.
constexpr auto lock_key = "1718644595";
// Their answers fit into the buffers of a socket, so neither end waits for the other.
constexpr int sent_max = 100;

struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
    void operator()(PGconn* connection) const { PQfinish(connection); }
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Answer = std::unique_ptr<PGresult, Clear>;
using Options = std::unique_ptr<PQconninfoOption, Clear>;

std::string one_line(std::string words) {
    while (!words.empty() && (words.back() == '\n' || words.back() == ' ')) {
        words.pop_back();
    }
    std::ranges::replace(words, '\n', ' ');
    return words;
}

// PostgreSQL 15 documentation, appendix A.
Trouble::Kind kind_of(std::string_view state) {
    using Kind = Trouble::Kind;
    if (state.empty() || state.starts_with("08") || state.starts_with("57P")) {
        return Kind::gone;
    }
    if (state.starts_with("40") || state == "55P03") {
        return Kind::again;
    }
    if (state == "53100" || state == "53200") {
        return Kind::full;
    }
    if (state == "42501" || state == "25006" || state.starts_with("28")) {
        return Kind::no_rights;
    }
    constexpr std::array<std::string_view, 5> of_row = {"22", "23", "44", "54", "P0"};
    const bool is_of_row =
        std::ranges::any_of(of_row, [&](std::string_view head) { return state.starts_with(head); });
    return is_of_row ? Kind::row : Kind::other;
}

class Postgres final : public Database {
public:
    explicit Postgres(PGconn* connection) : connection_(connection) {}

    void run(const std::string& sql, std::vector<Value> values) override {
        if (sql.starts_with("ROLLBACK")) {
            roll_back(sql);
        } else if (!trouble_) {
            send(sql, values);
        }
    }

    Done<void> flush() override {
        finish();
        return trouble_ ? Done<void>(std::unexpected(*trouble_)) : Done<void>{};
    }

    Done<std::vector<Row>> ask(const std::string& sql, std::vector<Value> values) override {
        if (auto done = flush(); !done) {
            return std::unexpected(done.error());
        }
        rows_.clear();
        run(sql, std::move(values));
        if (auto done = flush(); !done) {
            return std::unexpected(done.error());
        }
        return std::move(rows_);
    }

    Done<bool> lock(std::uint32_t source) override {
        const auto rows =
            ask(fmt::format("SELECT pg_try_advisory_lock({}, {})", lock_key, source), {});
        return rows ? Done<bool>(!rows->empty() && rows->front()[0] == "t")
                    : std::unexpected(rows.error());
    }

    Done<std::string> unfit() override {
        const auto rows = ask("SHOW server_encoding", {});
        if (!rows) {
            return std::unexpected(rows.error());
        }
        const auto& encoding = rows->front()[0];
        return encoding == "UTF8"
                   ? ""
                   : fmt::format("the database is in {}, and reports are UTF-8", encoding);
    }

    [[nodiscard]] const Dialect& dialect() const override { return postgres_dialect; }
    [[nodiscard]] std::string field(const std::string& key) const override {
        return fmt::format("(r.fields ->> {})", quoted(key));
    }
    [[nodiscard]] std::string number(const std::string& key) const override {
        const auto text = field(key);
        return fmt::format(
            "CASE WHEN {0} ~ '^-?(0|[1-9][0-9]*)([.][0-9]+)?$' AND length({0}) <= 17 "
            "THEN {0}::numeric END",
            text);
    }

private:
    void send(const std::string& sql, const std::vector<Value>& values) {
        std::vector<std::string> texts;
        std::vector<const char*> pointers;
        texts.reserve(values.size());
        for (const auto& value : values) {
            if (std::holds_alternative<std::monostate>(value)) {
                pointers.push_back(nullptr);
                continue;
            }
            if (const auto* number = std::get_if<std::int64_t>(&value)) {
                texts.push_back(std::to_string(*number));
            } else if (const auto* is = std::get_if<bool>(&value)) {
                texts.emplace_back(*is ? "t" : "f");
            } else {
                texts.push_back(std::get<std::string>(value));
            }
            pointers.push_back(texts.back().c_str());
        }
        const auto count = static_cast<int>(values.size());
        bool is_sent = false;
        if (values.empty()) {
            is_sent = PQsendQueryParams(connection_.get(), sql.c_str(), 0, nullptr, nullptr,
                                        nullptr, nullptr, 0) == 1;
        } else {
            const auto [known, is_new] =
                prepared_.try_emplace(sql, fmt::format("s{}", prepared_.size()));
            is_sent = (!is_new || PQsendPrepare(connection_.get(), known->second.c_str(),
                                                sql.c_str(), count, nullptr) == 1) &&
                      PQsendQueryPrepared(connection_.get(), known->second.c_str(), count,
                                          pointers.data(), nullptr, nullptr, 0) == 1;
        }
        if (!is_sent) {
            fail({Trouble::Kind::gone, one_line(PQerrorMessage(connection_.get()))});
        } else if (++sent_ >= sent_max) {
            finish();
        }
    }

    // Statements that were prepared after the first trouble do not exist there, though they do in
    // prepared_: all are forgotten at both ends.
    void roll_back(const std::string& sql) {
        finish();
        const auto trouble = std::exchange(trouble_, std::nullopt);
        send(sql, {});
        if (trouble) {
            send("DEALLOCATE ALL", {});
            prepared_.clear();
        }
    }

    void fail(Trouble trouble) {
        if (!trouble_) {
            trouble_ = std::move(trouble);
        }
    }

    // Reads what became of all that was sent.
    void finish() {
        if (sent_ == 0) {
            return;
        }
        sent_ = 0;
        if (PQpipelineSync(connection_.get()) != 1) {
            fail({Trouble::Kind::gone, one_line(PQerrorMessage(connection_.get()))});
            return;
        }
        for (int ends = 0; ends < 2;) {
            const Answer answer(PQgetResult(connection_.get()));
            if (!answer) {  // the end of one statement; two in a row: there is nothing more
                ++ends;
                continue;
            }
            ends = 0;
            const auto status = PQresultStatus(answer.get());
            if (status == PGRES_PIPELINE_SYNC) {
                return;
            }
            if (status == PGRES_TUPLES_OK) {
                keep_rows(*answer);
            } else if (status == PGRES_FATAL_ERROR) {
                const char* state = PQresultErrorField(answer.get(), PG_DIAG_SQLSTATE);
                const char* words = PQresultErrorField(answer.get(), PG_DIAG_MESSAGE_PRIMARY);
                fail({kind_of(state == nullptr ? "" : state),
                      one_line(words == nullptr ? PQresultErrorMessage(answer.get()) : words)});
            }
        }
        // No sync came: the connection is gone.
        fail({Trouble::Kind::gone, one_line(PQerrorMessage(connection_.get()))});
    }

    void keep_rows(const PGresult& answer) {
        for (int row = 0; row < PQntuples(&answer); ++row) {
            auto& kept = rows_.emplace_back();
            for (int column = 0; column < PQnfields(&answer); ++column) {
                kept.emplace_back(PQgetvalue(&answer, row, column));
            }
        }
    }

    std::unique_ptr<PGconn, Clear> connection_;
    std::map<std::string, std::string> prepared_;  // its name, by the statement
    int sent_ = 0;
    std::optional<Trouble> trouble_;  // nothing is done until it is rolled back
    std::vector<Row> rows_;
};

}  // namespace

cli::Outcome<std::string> name_of_postgres(const std::string& dsn) {
    char* words = nullptr;
    const Options options(PQconninfoParse(dsn.c_str(), &words));
    if (!options) {
        const auto why = one_line(words == nullptr ? "" : words);
        PQfreemem(words);
        return std::unexpected(
            cli::Failure{exit_invalid, "invalid", fmt::format("this is no DSN: {}", why),
                         "write sqlite:FILE, or what psql connects with, such as "
                         "postgresql:///reports"});
    }
    std::string database;
    std::string host;
    for (const auto* option = options.get(); option->keyword != nullptr; ++option) {
        const bool is_given = option->val != nullptr && *option->val != '\0';
        const std::string_view word = option->keyword;
        if (is_given && (word == "dbname" || word == "host")) {
            (word == "host" ? host : database) = option->val;
        }
        if (is_given && word == "password") {
            return std::unexpected(
                cli::Failure{exit_invalid, "invalid",
                             "a password in the DSN is seen by everybody on this machine",
                             "put it into a file, and name that in PGPASSFILE"});
        }
    }
    return fmt::format("postgresql {} at {}", database.empty() ? "(its default)" : database,
                       host.empty() ? "this machine" : host);
}

Done<std::unique_ptr<Database>> open_postgres(const std::string& dsn) {
    // A given value comes after the defaults and takes their place. client_encoding takes the place
    // of a given one.
    constexpr std::array<const char*, 9> words = {"connect_timeout",
                                                  "tcp_user_timeout",
                                                  "keepalives_idle",
                                                  "keepalives_interval",
                                                  "keepalives_count",
                                                  "fallback_application_name",
                                                  "dbname",
                                                  "client_encoding",
                                                  nullptr};
    const std::array<const char*, 9> values = {
        "10", "30000", "30", "10", "3", "fieldpost-sink", dsn.c_str(), "UTF8", nullptr};
    std::unique_ptr<PGconn, Clear> connection(PQconnectdbParams(words.data(), values.data(), 1));
    if (PQstatus(connection.get()) != CONNECTION_OK || PQenterPipelineMode(connection.get()) != 1) {
        const auto why = one_line(PQerrorMessage(connection.get()));
        return std::unexpected(Trouble{Trouble::Kind::gone, why});
    }
    PQsetNoticeProcessor(connection.get(), [](void*, const char*) {}, nullptr);
    auto database = std::make_unique<Postgres>(connection.release());
    // Every statement of the sink finds its rows by keys. PostgreSQL does not know the size of a
    // table that grew within minutes, and would read it whole for each page. A machine that
    // vanishes in the middle of a transaction must not keep the sinks of others waiting for hours.
    for (const auto* setting :
         {"standard_conforming_strings = on", "timezone = 'UTC'", "lock_timeout = '20s'",
          "enable_seqscan = off", "enable_hashjoin = off", "enable_mergejoin = off",
          "idle_in_transaction_session_timeout = '60s'", "tcp_keepalives_idle = 30",
          "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3"}) {
        database->run(fmt::format("SET {}", setting), {});
    }
    if (auto set = database->flush(); !set) {
        return std::unexpected(std::move(set.error()));
    }
    return database;
}

}  // namespace fieldpost::sink
