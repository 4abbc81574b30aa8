// The types of reports as numbers, so that the store can index them without knowing their names.
//
// The dictionary lies in the store, sealed under the archive key: while mail is locked no type has
// a name here, and what is filed is of `other_type`. An office can add 64 types at most. Reports of
// further types are of `other_type` too: they are found by opening them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "storage/record_store.h"

namespace fieldpost::engine {

class Ledger;

class ReportTypes {
public:
    // The number of a type that a report of `author` has. Gives it one if it has none yet.
    storage::TypeNumber number_of(Ledger& ledger, const std::string& name, OfficeId author);
    // The numbers of all reports that may be of this type. Those of `other_type`, and of types whose
    // names the disk lost, may be of another type too: they have to be opened to know.
    [[nodiscard]] std::vector<storage::TypeNumber> numbers_of(const Ledger& ledger,
                                                              const std::string& name) const;
    // Mail was locked, or the store was made anew.
    void forget() { *this = {}; }

private:
    void load(const Ledger& ledger) const;

    mutable bool is_loaded_ = false;
    mutable std::map<std::string, storage::TypeNumber> numbers_;
    mutable std::map<OfficeId, std::size_t> added_;  // by each office
    mutable std::vector<storage::TypeNumber> without_name_;
    mutable storage::TypeNumber next_ = storage::first_type;
};

}  // namespace fieldpost::engine
