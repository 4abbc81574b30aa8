// Brings a store of an older schema to this one.
#pragma once

#include "crypto/box.h"
#include "storage/checked_tables.h"

namespace fieldpost::storage {

// Brings a store of schema 1 to this one, in the open transaction. Every value gets its version and
// check, and every report a page of its own.
//
// The page of an own report follows from what the store's events, receipts, answers and statements
// of custody prove. Afterwards the page no longer depends on them.
//
// Events of one kind that one office caused to a report become one event. Enrolments lie under
// their hashes.
Result<void> migrate_from_1(CheckedTables& tables, const crypto::SealKey& seal_key);

}  // namespace fieldpost::storage
