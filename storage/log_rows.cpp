#include "storage/log_rows.h"

#include "proto/limits.h"
#include "storage/values.h"

namespace fieldpost::storage {

namespace {

Bytes encode_row(const LogState& state) {
    ByteWriter out;
    write(out, state.known);
    out.u8(static_cast<std::uint8_t>(state.refused.size()));
    for (const auto& [reason, numbers] : state.refused) {
        out.u8(reason);
        write(out, numbers);
    }
    write(out, state.closed);
    out.u32(state.window);
    out.u32(state.window_hole);
    out.u32(state.window_since.seconds);
    out.u8(state.addresses_us ? 1 : 0);
    out.u32(state.closed_from);
    out.u32(state.next);
    out.u32(state.reserved);
    out.u32(state.published);
    if (state.published != 0) {
        out.raw(state.published_id.view());
    }
    return out.take();
}

Result<void> read_numbers_of_own(ByteReader& in, LogState& state) {
    state.addresses_us = TRY(in.read_u8()) != 0;
    state.closed_from = TRY(in.read_u32());
    state.next = TRY(in.read_u32());
    state.reserved = TRY(in.read_u32());
    state.published = TRY(in.read_u32());
    if (state.published != 0) {
        state.published_id = TRY(in.read_array<RecordId>());
    }
    return in.expect_end("log");
}

Result<LogState> read_row(ByteReader& in) {
    LogState state;
    state.known = TRY(read_interval_set(in));
    const auto reasons = TRY(in.read_u8());
    for (unsigned i = 0; i < reasons; ++i) {
        const auto reason = TRY(in.read_u8());
        state.refused.emplace(reason, TRY(read_interval_set(in)));
    }
    state.closed = TRY(read_interval_set(in));
    state.window = TRY(in.read_u32());
    state.window_hole = TRY(in.read_u32());
    state.window_since = WallTime{TRY(in.read_u32())};
    TRY(read_numbers_of_own(in, state));
    return state;
}

Result<LogState> read_row_of_1(ByteReader& in) {
    const auto any_size = [&] { return read_interval_set(in, in.left() / 2); };
    const auto held = TRY(any_size());
    LogState state;
    state.end(TRY(any_size()));
    const auto reasons = TRY(in.read_u8());
    for (unsigned i = 0; i < reasons; ++i) {
        const auto reason = TRY(in.read_u8());
        state.refuse(reason, TRY(any_size()));
    }
    // Schema 1 stored *done* too. The *done* of other authors is in their statements, and our own
    // follows from N and H.
    TRY(any_size());
    TRY(any_size());
    const auto receipted = TRY(any_size());
    const auto top_id = TRY(in.read_array<ShortHash>());
    const auto unreadable = TRY(any_size());
    TRY(read_numbers_of_own(in, state));
    for (const auto run : held.intervals()) {
        state.hold(run);
    }
    for (const auto run : receipted.intervals()) {
        state.count_receipted(run, top_id, {});
    }
    if (!state.tops.empty()) {
        state.tops.erase(state.tops.begin(), state.tops.end() - 1);  // of these the id is lost
    }
    for (const auto run : unreadable.intervals()) {
        state.count_unreadable(run);
    }
    return state;
}

Bytes page_key(const LogKey& log, NumberPage page) {
    return record_key(log, page);
}

Bytes encode_page(const LogState& state, NumberPage page) {
    const IntervalSet numbers{
        {std::max<Number>(1, page << number_page_bits),
         static_cast<Number>((page << number_page_bits) + ((1U << number_page_bits) - 1))}};
    ByteWriter out;
    bool is_empty = true;
    for (const auto* set : {&state.held, &state.receipted, &state.unreadable, &state.withdrawn}) {
        const auto here = intersection(*set, numbers);
        is_empty = is_empty && here.empty();
        write(out, here);
    }
    for (const auto* ends : {&state.tops, &state.bottoms}) {
        const auto first = std::ranges::lower_bound(*ends, numbers.intervals().front().first, {},
                                                    &LogState::End::number);
        const auto last =
            std::ranges::upper_bound(*ends, numbers.top(), {}, &LogState::End::number);
        out.varint(static_cast<std::uint64_t>(last - first));
        for (const auto& end : std::ranges::subrange(first, last)) {
            out.u32(end.number);
            out.raw(end.id.view());
        }
    }
    return is_empty ? Bytes{} : out.take();
}

Result<void> read_page(BytesView value, LogState& state) {
    ByteReader in(value);
    for (auto* set : {&state.held, &state.receipted, &state.unreadable, &state.withdrawn}) {
        set->add(TRY(read_interval_set(in)));
    }
    // Pages are read in ascending order.
    for (auto* ends : {&state.tops, &state.bottoms}) {
        for (auto left = TRY(in.read_varint()); left > 0; --left) {
            const auto number = TRY(in.read_u32());
            ends->push_back({number, TRY(in.read_array<ShortHash>())});
        }
    }
    return in.expect_end("page of a log");
}

// The keys of `table` that begin with `prefix`. Their values are not checked.
Result<std::vector<Bytes>> keys_of(const CheckedTables& tables, Table table, const Bytes& prefix) {
    std::vector<Bytes> keys;
    Bytes from = prefix;
    while (true) {
        const auto entry = TRY(tables.raw().at_or_after(table, from));
        if (!entry || entry->key.size() < prefix.size() ||
            !std::equal(prefix.begin(), prefix.end(), entry->key.begin())) {
            return keys;
        }
        keys.push_back(entry->key);
        from = entry->key;
        from.push_back(std::byte{0});
    }
}

}  // namespace

Result<void> write_log(CheckedTables& tables, const LogKey& log, const LogState& state) {
    TRY(tables.put(Table::logs, log_key(log), encode_row(state)));
    for (const auto page : state.touched) {
        const auto key = page_key(log, page);
        const auto value = encode_page(state, page);
        TRY(value.empty() ? tables.erase(Table::log_pages, key)
                          : tables.put(Table::log_pages, key, value));
    }
    return ok();
}

Result<void> drop_log(CheckedTables& tables, const LogKey& log) {
    for (const auto& page : TRY(keys_of(tables, Table::log_pages, log_key(log)))) {
        TRY(tables.erase(Table::log_pages, page));
    }
    return tables.erase(Table::logs, log_key(log));
}

Result<std::optional<LogState>> read_log(const CheckedTables& tables, const LogKey& log) {
    const auto value = TRY(tables.get(Table::logs, log_key(log)));
    if (!value) {
        return std::optional<LogState>{};
    }
    ByteReader in(*value);
    auto state = TRY(or_corrupt(read_row(in)));
    for (const auto& key : TRY(keys_of(tables, Table::log_pages, log_key(log)))) {
        const auto page = TRY(tables.get(Table::log_pages, key));
        TRY(or_corrupt(read_page(*page, state)));
    }
    return std::optional(std::move(state));
}

Result<std::vector<LogKey>> log_keys(const CheckedTables& tables) {
    std::vector<LogKey> logs;
    for (const auto& key : TRY(keys_of(tables, Table::logs, {}))) {
        logs.push_back(TRY(read_log_key(key)));
    }
    return logs;
}

Result<LogState> decode_log_of_1(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_row_of_1(in));
}

}  // namespace fieldpost::storage
