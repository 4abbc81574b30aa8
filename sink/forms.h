// The views of forms: one for each type of report, with two columns for each field that any report
// of the type had.
//
// Names are given once and kept in the database, for all sinks alike. Types and fields that find no
// room have no view or column; `fields` of the table `report` has them all.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "sink/database.h"

namespace fieldpost::sink {

inline constexpr std::size_t forms_max = 200;
inline constexpr std::size_t fields_max = 500;

class Forms {
public:
    explicit Forms(Database& database) : database_(&database) {}

    // Reads the names that were given.
    Done<void> load();
    // True if all these fields have a column, or never will.
    [[nodiscard]] bool has(const std::string& type, const std::vector<std::string>& fields) const;
    // Gives names, in the transaction that is open: to be called with what has() says no to. If the
    // transaction does not come to its end, load() is due.
    Done<void> give(const std::map<std::string, std::vector<std::string>>& wanted);
    // Makes the views that lack columns, each in a transaction. One that cannot be made, because
    // somebody reads it for long or has another one of its name, is tried again after a minute.
    Done<void> show();

private:
    struct Form {
        std::string view;
        std::int64_t shown = -1;                    // fields in the view; -1: there is no view
        std::map<std::string, std::size_t> places;  // of the names, by the fields' keys
        std::vector<std::string> names;
    };
    void add_type(const std::string& type);
    void add_field(const std::string& type, Form& form, const std::string& key);
    Done<void> show(const std::string& type);
    static bool lacks_columns(const Form& form);

    Database* database_;
    std::map<std::string, Form> forms_;
    // By the type: the views that could not be made, and when to try again.
    struct Failed {
        std::chrono::steady_clock::time_point again_at;
        Trouble trouble;
    };
    std::map<std::string, Failed> failed_;
};

}  // namespace fieldpost::sink
