// The two databases. Not for others than database.cpp.
#pragma once

#include "sink/database.h"

namespace fieldpost::sink {

extern const Dialect postgres_dialect;
extern const Dialect sqlite_dialect;

// The name of the database that a connection string names. invalid: it is no connection string, or
// there is a password in it.
cli::Outcome<std::string> name_of_postgres(const std::string& dsn);
Done<std::unique_ptr<Database>> open_postgres(const std::string& dsn);
std::string name_of_sqlite(const std::string& file);
Done<std::unique_ptr<Database>> open_sqlite(const std::string& file);

}  // namespace fieldpost::sink
