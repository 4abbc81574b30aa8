// Tables in one LMDB environment, in the default sync mode: two flushes a commit. A power cut loses
// nothing that was committed, if the disk honours flushes.
//
// Faster modes were rejected: without sync, or with the writable map, simulated power cuts and a
// full disk lost data or killed the process. The settings and their reasons are in
// storage/SCHEMA.md.
#pragma once

#include <filesystem>
#include <memory>

#include "storage/tables.h"

namespace fieldpost::storage {

struct LmdbOptions {
    std::uint64_t limit_bytes = std::uint64_t{4} << 30;
};

// Opens or creates `folder`. One process only: the caller holds the home's lock. storage_full:
// there is no room even to begin. unavailable: the folder cannot be used (read-only, or on a
// network file system). corrupt: LMDB reports damage.
Result<std::unique_ptr<Tables>> open_lmdb_tables(const std::filesystem::path& folder,
                                                 LmdbOptions options);

}  // namespace fieldpost::storage
