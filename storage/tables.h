// Ordered tables of bytes with one transaction at a time. A RecordStore is built on them.
//
// Guarantees of every implementation:
//   - a change that commit() reported done survives a power cut (in memory: an engine crash);
//   - a transaction is applied whole or not at all;
//   - reads inside a transaction see its own changes.
// Keys compare as bytes. A transaction must be open for every call but begin(). One thread.
#pragma once

#include <optional>

#include "proto/bytes.h"

namespace fieldpost::storage {

// The numbers are in the schema: add at the end, never reorder.
enum class Table : std::uint8_t {
    meta,
    logs,
    records,
    numbers,
    parts,
    partials,
    registers,
    roster,
    custody,
    archive,
    reports,
    log_pages,
    answers,
    keys,
    events,
    report_events,
    leaves,
    peers,
    expiries,
    attention,
    bundled,
    waiting_for_keys,
    report_index,
    changes,
    feed_starts,
    days,
    types,
    reissues,
};
inline constexpr std::size_t table_count = static_cast<std::size_t>(Table::reissues) + 1;

struct TableEntry {
    Bytes key;
    // Valid until the next call on these tables.
    BytesView value;
};

struct Usage {
    std::uint64_t used_bytes = 0;   // pages in use
    std::uint64_t limit_bytes = 0;  // 0: none
};

class Tables {
public:
    virtual ~Tables() = default;

    // storage_full: no disk space could be set aside for a transaction. corrupt: stop and tell the
    // operator.
    virtual Result<void> begin() = 0;
    // After any failure nothing of the transaction is kept, and no transaction is open.
    virtual Result<void> commit() = 0;
    virtual void abort() = 0;

    // The value lies in the tables and is valid until the next call on them.
    virtual Result<std::optional<BytesView>> get(Table table, BytesView key) const = 0;
    // The entry with the least key >= `from`.
    virtual Result<std::optional<TableEntry>> at_or_after(Table table, BytesView from) const = 0;
    // The entry with the greatest key <= `to`.
    virtual Result<std::optional<TableEntry>> at_or_before(Table table, BytesView to) const = 0;

    // storage_full: the quota or the disk is full.
    virtual Result<void> put(Table table, BytesView key, BytesView value) = 0;
    // put() for a key above all others of its table: pages fill up whole.
    virtual Result<void> append(Table table, BytesView key, BytesView value) = 0;
    // Absence is not an error.
    virtual Result<void> erase(Table table, BytesView key) = 0;

    virtual Usage usage() const = 0;
};

}  // namespace fieldpost::storage
