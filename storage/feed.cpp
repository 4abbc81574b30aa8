#include "storage/feed.h"

#include "crypto/secret.h"
#include "storage/values.h"

namespace fieldpost::storage {

namespace {

const Bytes head_key = to_bytes(as_bytes("feed"));

// A row has so many changes at most: half a page of LMDB. A row for each change would take three
// times the space.
constexpr std::size_t changes_a_row = 64;

void write(ByteWriter& out, const Change& change) {
    const auto& origin = change.report.origin;
    out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(change.of) << 4 |
                                     static_cast<unsigned>(origin.record_class)));
    out.varint(value_of(change.report.author));
    out.varint(origin.incarnation.ordinal);
    out.u32(origin.incarnation.random);
    out.varint(origin.number);
    if (change.of == ChangeOf::state) {
        out.varint(value_of(change.office));
    }
    if (change.of == ChangeOf::answer) {
        out.varint(static_cast<std::uint64_t>(change.answer));
    }
}

Result<Change> read_change(ByteReader& in) {
    const auto first = TRY(in.read_u8());
    Change change;
    change.of = static_cast<ChangeOf>(first >> 4);
    if (change.of > ChangeOf::forgotten || (first & 0xf) >= record_classes) {
        return fail(Errc::corrupt, "store: a change that is none");
    }
    auto& origin = change.report.origin;
    origin.record_class = static_cast<RecordClass>(first & 0xf);
    change.report.author = OfficeId{static_cast<std::uint16_t>(TRY(in.read_varint()))};
    origin.incarnation.ordinal = static_cast<std::uint16_t>(TRY(in.read_varint()));
    origin.incarnation.random = TRY(in.read_u32());
    origin.number = static_cast<Number>(TRY(in.read_varint()));
    if (change.of == ChangeOf::state) {
        change.office = OfficeId{static_cast<std::uint16_t>(TRY(in.read_varint()))};
    }
    if (change.of == ChangeOf::answer) {
        change.answer = Arrival{TRY(in.read_varint())};
    }
    return change;
}

Bytes encode(const std::vector<Change>& row, std::uint64_t first) {
    ByteWriter out;
    auto before = first;
    for (const auto& change : row) {
        out.varint(change.number - before);
        before = change.number;
        write(out, change);
    }
    return out.take();
}

Result<std::vector<Change>> decode_row(BytesView value, std::uint64_t first) {
    std::vector<Change> row;
    ByteReader in(value);
    while (!in.at_end()) {
        first += TRY(in.read_varint());
        row.push_back(TRY(read_change(in)));
        row.back().number = first;
    }
    return row;
}

Result<std::vector<Change>> read_row(const TableEntry& entry) {
    return or_corrupt(decode_row(entry.value, trailing_number(entry.key)));
}

}  // namespace

Result<Feed::Head> Feed::head() const {
    const auto value = TRY(tables_->get(Table::meta, head_key));
    if (!value) {
        return Head{};
    }
    ByteReader in(*value);
    Head head;
    const auto read = [&]() -> Result<void> {
        head.id = TRY(in.read_array<FeedId>());
        head.next = TRY(in.read_varint());
        return in.expect_end("feed");
    };
    TRY(or_corrupt(read()));
    return head;
}

// The row whose key is the greatest <= `number`. Null: there is none.
Result<Feed::Row*> Feed::row(std::uint64_t number) {
    const auto entry = TRY(tables_->at_or_before(Table::changes, number_key(number)));
    auto after = changed_.upper_bound(number);
    const bool is_changed = after != changed_.begin();
    if (!entry) {
        return is_changed ? &std::prev(after)->second : nullptr;
    }
    const auto first = trailing_number(entry->key);
    if (is_changed && std::prev(after)->first >= first) {
        return &std::prev(after)->second;
    }
    return &changed_.emplace(first, TRY(read_row(*entry))).first->second;
}

Result<std::uint64_t> Feed::append(Change change) {
    if (!changed_head_) {
        changed_head_ = TRY(head());
    }
    change.number = changed_head_->next++;
    auto* last = TRY(row(change.number));
    if (last == nullptr || last->size() >= changes_a_row) {
        last = &changed_[change.number];
    }
    last->push_back(change);
    return change.number;
}

Result<void> Feed::drop(std::uint64_t number) {
    if (auto* found = TRY(row(number))) {
        std::erase_if(*found, [&](const Change& change) { return change.number == number; });
    }
    return ok();
}

Result<void> Feed::begin_anew() {
    forget();
    for (const auto table : {Table::changes, Table::feed_starts}) {
        while (const auto entry = TRY(tables_->raw().at_or_after(table, {}))) {
            TRY(tables_->erase(table, Bytes(entry->key)));
        }
    }
    changed_head_ = Head{};
    crypto::fill_random(changed_head_->id.bytes);
    return ok();
}

Result<void> Feed::draw_id() {
    if (!changed_head_) {
        changed_head_ = TRY(head());
    }
    crypto::fill_random(changed_head_->id.bytes);
    return ok();
}

Result<void> Feed::note_start(std::uint32_t start) {
    const auto next = changed_head_ ? changed_head_->next : TRY(head()).next;
    ByteWriter value;
    value.u32(start);
    return tables_->put(Table::feed_starts, number_key(next), value.bytes());
}

Result<void> Feed::flush() {
    for (const auto& [first, row] : std::exchange(changed_, {})) {
        const auto key = number_key(first);
        TRY(row.empty() ? tables_->erase(Table::changes, key)
                        : tables_->put_growing(Table::changes, key, encode(row, first)));
    }
    if (changed_head_) {
        ByteWriter value;
        value.raw(changed_head_->id.view());
        value.varint(changed_head_->next);
        changed_head_.reset();
        TRY(tables_->put(Table::meta, head_key, value.bytes()));
    }
    return ok();
}

void Feed::forget() {
    changed_.clear();
    changed_head_.reset();
}

Result<FeedPlace> Feed::end() const {
    const auto newest = TRY(head());
    return place_of(newest.next - 1);
}

Result<FeedPlace> Feed::place_of(std::uint64_t number) const {
    FeedPlace place{TRY(head()).id, number, 0};
    const auto entry = TRY(tables_->at_or_before(Table::feed_starts, number_key(number)));
    if (entry && number != 0) {
        ByteReader in(entry->value);
        place.start = TRY(or_corrupt(in.read_u32()));
    }
    return place;
}

Result<std::vector<Change>> Feed::changes(std::uint64_t after, std::size_t limit) const {
    std::vector<Change> all;
    // The row that holds the first of them may begin before it.
    auto entry = TRY(tables_->at_or_before(Table::changes, number_key(after + 1)));
    if (!entry) {
        entry = TRY(tables_->at_or_after(Table::changes, number_key(after + 1)));
    }
    while (entry && all.size() < limit) {
        const auto first = trailing_number(entry->key);
        for (const auto& change : TRY(read_row(*entry))) {
            if (change.number > after && all.size() < limit) {
                all.push_back(change);
            }
        }
        entry = TRY(tables_->at_or_after(Table::changes, number_key(first + 1)));
    }
    return all;
}

}  // namespace fieldpost::storage
