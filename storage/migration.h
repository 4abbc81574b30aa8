// Brings a store of an older schema to this one.
#pragma once

#include "crypto/box.h"
#include "storage/checked_tables.h"

namespace fieldpost::storage {

// From schema 1: every value gets its version and check, and every report a page of its own. What
// is shown of an own report follows from what that store's events, receipts, answers and statements
// of custody prove; after that it no longer depends on them. Events of one kind that one office
// caused to a report become one, and enrolments lie under their hashes. In the open transaction.
Result<void> migrate_from_1(CheckedTables& tables, const crypto::SealKey& seal_key);

}  // namespace fieldpost::storage
