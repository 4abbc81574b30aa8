#include "tests/end_to_end/database_server.h"

#include <pwd.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace fieldpost::end_to_end {

namespace fs = std::filesystem;

namespace {

// Debian's place for the one release that Debian 12 has.
const fs::path programs = "/usr/lib/postgresql/15/bin";

}  // namespace

DatabaseServer::DatabaseServer(const fs::path& folder) : folder_(folder) {
    fs::create_directories(folder_);
    if (::geteuid() == 0) {
        const auto* user = ::getpwnam("postgres");
        REQUIRE(user != nullptr);
        REQUIRE(::chown(folder_.c_str(), user->pw_uid, user->pw_gid) == 0);
        fs::permissions(folder_.parent_path(), fs::perms::others_exec, fs::perm_options::add);
    }
    const auto made =
        as_its_user({(programs / "initdb").string(), "-D", (folder_ / "data").string(), "-E",
                     "UTF8", "--locale", "C.UTF-8", "-A", "trust", "-U", "postgres"});
    INFO(made);
    REQUIRE(made.exit_code == 0);
    start();
}

DatabaseServer::~DatabaseServer() {
    (void)as_its_user({(programs / "pg_ctl").string(), "-D", (folder_ / "data").string(), "-m",
                       "immediate", "stop"});
}

Ran DatabaseServer::as_its_user(std::vector<std::string> words) const {
    if (::geteuid() == 0) {
        const std::vector<std::string> as = {"/usr/bin/setpriv", "--reuid",  "postgres",
                                             "--regid",          "postgres", "--clear-groups"};
        words.insert(words.begin(), as.begin(), as.end());
    }
    return end_to_end::run({.words = std::move(words), .folder = folder_});
}

void DatabaseServer::start() {
    const auto started = as_its_user(
        {(programs / "pg_ctl").string(), "-D", (folder_ / "data").string(), "-w", "-l",
         (folder_ / "log").string(), "-o",
         "-c listen_addresses='' -c unix_socket_directories=" + folder_.string(), "start"});
    INFO(started);
    REQUIRE(started.exit_code == 0);
}

void DatabaseServer::crash() {
    const auto stopped = as_its_user({(programs / "pg_ctl").string(), "-D",
                                      (folder_ / "data").string(), "-m", "immediate", "stop"});
    INFO(stopped);
    REQUIRE(stopped.exit_code == 0);
}

std::string DatabaseServer::dsn(const std::string& database, const std::string& user) const {
    return "host=" + folder_.string() + " dbname=" + database + " user=" + user;
}

void DatabaseServer::run(const std::string& database, const std::string& sql) const {
    auto connected = sink::connect(dsn(database));
    REQUIRE(connected);
    const auto done = (*connected)->ask(sql);
    INFO((done ? "" : done.error().what));
    REQUIRE(done);
}

std::vector<sink::Row> rows(const std::string& dsn, const std::string& sql) {
    auto connected = sink::connect(dsn);
    INFO((connected ? "" : connected.error().what));
    REQUIRE(connected);
    auto found = (*connected)->ask(sql);
    INFO((found ? "" : found.error().what));
    REQUIRE(found);
    return std::move(*found);
}

}  // namespace fieldpost::end_to_end
