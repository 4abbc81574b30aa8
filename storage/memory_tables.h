// Tables in memory, for the simulator and for tests. The promise is that of Tables. A power cut is
// a copy of the disk.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <set>

#include "storage/tables.h"

namespace fieldpost::storage {

// The content of a disk. Copy it to restore it later, as a careless operator would.
struct MemoryDisk {
    using Content = std::map<Bytes, Bytes>;
    std::array<Content, table_count> tables;
    // Commits beyond this many bytes fail, as on a full disk. 0: no limit.
    std::uint64_t limit_bytes = 0;
    std::uint64_t used_bytes = 0;
    // The power goes at the next commit, before anything of it is kept. The commit returns
    // unavailable.
    bool loses_next_commit = false;
    // The number of values that were looked up, for tests of the cost of an input.
    std::uint64_t reads = 0;
    // The places that commits have changed, for tests that look only at those. Such a test empties
    // it.
    std::set<std::pair<Table, Bytes>> changed;
};

// `disk` must outlive the tables. An open transaction is lost with them, as in a crash.
std::unique_ptr<Tables> open_memory_tables(MemoryDisk& disk);

}  // namespace fieldpost::storage
