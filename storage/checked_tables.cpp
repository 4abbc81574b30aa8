#include "storage/checked_tables.h"

#include <fmt/format.h>

#include "crypto/hash.h"

namespace fieldpost::storage {

namespace {

constexpr std::uint8_t value_version = 2;
constexpr std::size_t head_bytes = 1 + 4;

std::uint32_t check_of(Table table, BytesView key, BytesView value) {
    ByteWriter all;
    all.u8(static_cast<std::uint8_t>(table));
    all.sized(key);
    all.raw(value);
    return static_cast<std::uint32_t>(crypto::accident_check(all.bytes()));
}

Bytes with_head(Table table, BytesView key, BytesView value) {
    ByteWriter out;
    out.u8(value_version);
    out.u32(check_of(table, key, value));
    out.raw(value);
    return out.take();
}

}  // namespace

Result<BytesView> CheckedTables::without_head(Table table, BytesView key, BytesView stored) const {
    ByteReader in(stored);
    const auto version = in.read_u8();
    const auto check = in.read_u32();
    if (!version || !check || *version != value_version ||
        *check != check_of(table, key, in.rest())) {
        has_met_damage_ = true;
        return fail(Errc::corrupt, fmt::format("store: a damaged value in table {}",
                                               static_cast<unsigned>(table)));
    }
    return stored.subspan(head_bytes);
}

Result<std::optional<TableEntry>> CheckedTables::without_head(
    Table table, std::optional<TableEntry> entry) const {
    if (entry) {
        entry->value = TRY(without_head(table, entry->key, entry->value));
    }
    return entry;
}

Result<std::optional<BytesView>> CheckedTables::get(Table table, BytesView key) const {
    const auto stored = TRY(tables_->get(table, key));
    if (!stored) {
        return std::optional<BytesView>{};
    }
    return TRY(without_head(table, key, *stored));
}

Result<std::optional<TableEntry>> CheckedTables::at_or_after(Table table, BytesView from) const {
    return without_head(table, TRY(tables_->at_or_after(table, from)));
}

Result<std::optional<TableEntry>> CheckedTables::at_or_before(Table table, BytesView to) const {
    return without_head(table, TRY(tables_->at_or_before(table, to)));
}

Result<void> CheckedTables::put(Table table, BytesView key, BytesView value) {
    return tables_->put(table, key, with_head(table, key, value));
}

Result<void> CheckedTables::put_growing(Table table, BytesView key, BytesView value) {
    const auto last = TRY(tables_->at_or_before(table, Bytes(16, std::byte{0xff})));
    const bool is_last = !last || std::ranges::lexicographical_compare(last->key, key);
    const auto stored = with_head(table, key, value);
    return is_last ? tables_->append(table, key, stored) : tables_->put(table, key, stored);
}

}  // namespace fieldpost::storage
