// Tables in which every value carries a version byte and a check of four bytes. LMDB has neither:
// it would return a page that rotted on an old disk as if it were right.
//
// The check is the first half of SipHash-2-4 over table, key and value (Aumasson, Bernstein 2012),
// without a secret. It finds accidents, not forgery. Values that must not be forged are signed or
// sealed.
//
// Not here: what happens once a check has failed (damage.h).
#pragma once

#include <memory>

#include "storage/tables.h"

namespace fieldpost::storage {

class CheckedTables {
public:
    explicit CheckedTables(std::unique_ptr<Tables> tables) : tables_(std::move(tables)) {}

    // For transactions, and for values as they lie on the disk.
    [[nodiscard]] Tables& raw() const { return *tables_; }
    [[nodiscard]] Usage usage() const { return tables_->usage(); }

    // As in Tables. corrupt: the value is not the one that was written under this key.
    [[nodiscard]] Result<std::optional<BytesView>> get(Table table, BytesView key) const;
    [[nodiscard]] Result<std::optional<TableEntry>> at_or_after(Table table, BytesView from) const;
    [[nodiscard]] Result<std::optional<TableEntry>> at_or_before(Table table, BytesView to) const;
    Result<void> put(Table table, BytesView key, BytesView value);
    // For keys that only grow: pages fill up whole. An entry that is there already is rewritten.
    Result<void> put_growing(Table table, BytesView key, BytesView value);
    Result<void> erase(Table table, BytesView key) { return tables_->erase(table, key); }

    // True if a read has met damage since the last forget_damage().
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
