// An office whose feed goes into databases, and what a database must hold then.
#pragma once

#include "tests/end_to_end/database_server.h"
#include "tests/end_to_end/offices.h"

namespace fieldpost::end_to_end {

Command sink_command(const Office& office, const std::string& dsn, Words more = {});
// Feeds the database once.
void feed(const Office& office, const std::string& dsn, const Words& more = {});

bool is_sqlite(const std::string& dsn);

// An office's reports as it shows them, in the form of a database's rows.
struct Expected {
    std::set<sink::Row> reports;
    std::set<sink::Row> answers;
    std::set<sink::Row> attachments;
    std::set<std::string> unanswered;
};
Expected expected_of(const Office& office);
// The rows that a database has for them.
std::set<sink::Row> reports_in(const std::string& dsn);

// The database has what the office shows, and its files lie in the folder.
void check_equal(const Office& office, const std::string& dsn,
                 const std::filesystem::path& attachments = {});

struct Headquarters {
    Network network;
    Office& hq = network.found();
    Office& hyesan = network.add(hq, "hyesan", "field");

    std::string deliver(const Words& words, const std::string& text) const {
        return hyesan.deliver(words, text);
    }
    [[nodiscard]] std::string sqlite(const std::string& name = "reports.db") const {
        return "sqlite:" + (network.folder() / name).string();
    }
    // A bit of everything that changes a report.
    void live(unsigned round) const;
};

}  // namespace fieldpost::end_to_end
