// Tables whose every value carries a version byte and a check of four bytes, for LMDB has neither:
// a page that rotted on an old disk would be read as if it were right.
//
// The check is the first half of SipHash-2-4 over table, key and value (Aumasson, Bernstein 2012),
// without a secret: it finds accidents, not forgery. What must not be forged is signed or sealed.
#pragma once

#include <memory>

#include "storage/tables.h"

namespace fieldpost::storage {

class CheckedTables {
public:
    explicit CheckedTables(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}

    // Transactions, and values as they lie on the disk.
    [[nodiscard]] Tables& raw() const { return *tables_; }
    [[nodiscard]] Usage usage() const { return tables_->usage(); }

    // As Tables. corrupt: the value is not what was written under this key.
    [[nodiscard]] Result<std::optional<BytesView>> get(Table table, BytesView key) const;
    [[nodiscard]] Result<std::optional<TableEntry>> at_or_after(Table table, BytesView from) const;
    [[nodiscard]] Result<std::optional<TableEntry>> at_or_before(Table table, BytesView to) const;
    Result<void> put(Table table, BytesView key, BytesView value);
    // Keys that only grow fill pages whole; one that is there already is rewritten.
    Result<void> put_growing(Table table, BytesView key, BytesView value);
    Result<void> erase(Table table, BytesView key) { return tables_->erase(table, key); }

    // A read has met damage since the last forget_damage().
    [[nodiscard]] bool has_met_damage() const { return has_met_damage_; }
    void forget_damage() { has_met_damage_ = false; }

private:
    [[nodiscard]] Result<BytesView> without_head(Table table, BytesView key,
                                                 BytesView stored) const;
    [[nodiscard]] Result<std::optional<TableEntry>> without_head(
        Table table, std::optional<TableEntry> entry) const;

    mutable bool has_met_damage_ = false;
    std::unique_ptr<Tables> tables_;
};

}  // namespace fieldpost::storage
