// Tables in memory, for the simulator and for tests: the same promise, and a power cut is a copy.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <set>

#include "storage/tables.h"

namespace fieldpost::storage {

// What a disk holds. Copy it to restore it later, as a careless operator would.
struct MemoryDisk {
    using Content = std::map<Bytes, Bytes>;
    std::array<Content, table_count> tables;
    // Commits beyond this many bytes fail as a full disk does; 0: no limit.
    std::uint64_t limit_bytes = 0;
    std::uint64_t used_bytes = 0;
    // The power goes at the next commit, before anything of it is kept: unavailable.
    bool loses_next_commit = false;
    // How many values were looked up, for tests of what an input costs.
    std::uint64_t reads = 0;
    // What commits have changed, for tests that look at no more than that; they empty it.
    std::set<std::pair<Table, Bytes>> changed;
};

// `disk` must outlive the tables. An open transaction is lost with them, as in a crash.
std::unique_ptr<Tables> open_memory_tables(MemoryDisk& disk);

}  // namespace fieldpost::storage
