// A PostgreSQL server of a test: its own cluster, in a folder, on a socket there.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "sink/database.h"
#include "tests/end_to_end/program.h"

namespace fieldpost::end_to_end {

class DatabaseServer {
public:
    // Makes the cluster and starts it. PostgreSQL refuses to run as root, so it runs as its own
    // user, which must be able to pass `folder`.
    explicit DatabaseServer(const std::filesystem::path& folder);
    ~DatabaseServer();
    DatabaseServer(const DatabaseServer&) = delete;
    DatabaseServer& operator=(const DatabaseServer&) = delete;

    void start();
    // As a power cut ends it: what was committed is there after the next start.
    void crash();
    // The connection string of one of its databases.
    [[nodiscard]] std::string dsn(const std::string& database,
                                  const std::string& user = "postgres") const;
    // Fails the test if the server refuses it.
    void run(const std::string& database, const std::string& sql) const;

private:
    [[nodiscard]] Ran as_its_user(std::vector<std::string> words) const;
    std::filesystem::path folder_;
};

// The rows of a query. Fails the test if there are none to be had.
std::vector<sink::Row> rows(const std::string& dsn, const std::string& sql);

}  // namespace fieldpost::end_to_end
