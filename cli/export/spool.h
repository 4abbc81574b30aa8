// Reports between the two looks that a table needs: the first tells the columns, the second writes
// the rows. They lie in a file without a name, beside the output, and are gone with the process.
#pragma once

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>

#include "cli/command.h"

namespace fieldpost::wire {
class Entry;
}

namespace fieldpost::cli {

class Spool {
public:
    // Makes it in this folder. If that is empty: where the system keeps temporary files.
    static Outcome<Spool> create(const std::filesystem::path& folder);

    Outcome<void> add(const wire::Entry& entry);
    // Gives all reports to `take`, in the order in which they were added.
    Outcome<void> each(const std::function<Outcome<void>(const wire::Entry&)>& take);

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    explicit Spool(std::FILE* file) : file_(file) {}
    std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace fieldpost::cli
