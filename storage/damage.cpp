#include "storage/damage.h"

#include "proto/record.h"
#include "proto/sync_frames.h"
#include "storage/values.h"

namespace fieldpost::storage {

namespace {

Bytes after(Bytes key) {
    key.push_back(std::byte{0});
    return key;
}

class Sieve {
public:
    Sieve(CheckedTables& tables, const crypto::SealKey& seal_key, const std::set<Blob>& doubted)
        : tables_(&tables), seal_key_(&seal_key), doubted_(&doubted) {}

    Result<PutAside> all() {
        // Records first, because the other rows are compared with them.
        TRY(records());
        TRY(numbers());
        TRY(parts());
        TRY(events());
        TRY(archive());
        TRY(keep_readable(Table::keys, decode_keyed));
        TRY(keep_readable(Table::reissues, decode_reissue));
        // In these tables the key says everything, or only this office writes the value.
        for (const auto table : {Table::answers, Table::expiries, Table::bundled}) {
            TRY(each(table, [](BytesView, BytesView) -> Result<bool> { return true; }));
        }
        TRY(types());
        // Pages last, and what follows from them and is made anew.
        const auto before = gone_.values;
        TRY(keep_readable(Table::reports, decode_progress));
        for (const auto table :
             {Table::report_index, Table::changes, Table::feed_starts, Table::days}) {
            TRY(each(table, [](BytesView, BytesView) -> Result<bool> { return true; }));
        }
        gone_.has_lost_pages = gone_.values > before;
        return gone_;
    }

private:
    // Calls `keeps` with every row of a table. `keeps` returns false for a row that contradicts
    // others. Such a row is erased too. It is not counted, because the damage is in another row.
    template <class Keeps>
    Result<void> each(Table table, const Keeps& keeps) {
        Bytes from;
        while (const auto entry = TRY(tables_->raw().at_or_after(table, from))) {
            const auto key = entry->key;
            from = after(key);
            const auto value = tables_->get(table, key);
            const auto kept = value ? keeps(key, to_bytes(**value))
                                    : Result<bool>(std::unexpected(value.error()));
            if (!kept && kept.error().code == Errc::unavailable) {
                return std::unexpected(kept.error());
            }
            if (!kept) {
                ++gone_.values;
            }
            if (!kept || !*kept) {
                TRY(tables_->erase(table, key));
            }
        }
        return ok();
    }

    template <class Decode>
    Result<void> keep_readable(Table table, const Decode& decode) {
        return each(table, [&](BytesView, BytesView value) -> Result<bool> {
            TRY(decode(value));
            return true;
        });
    }

    // Reports have the number of a type, so the row stays although its name is lost.
    Result<void> types() {
        Bytes from;
        while (const auto entry = TRY(tables_->raw().at_or_after(Table::types, from))) {
            const auto key = entry->key;
            from = after(key);
            const auto value = tables_->get(Table::types, key);
            if (!value && value.error().code == Errc::unavailable) {
                return std::unexpected(value.error());
            }
            if (!value) {
                ++gone_.values;
                TRY(tables_->put(Table::types, key, {}));
            }
        }
        return ok();
    }

    Result<void> archive() {
        TRY(each(Table::waiting_for_keys, [&](BytesView key, BytesView) -> Result<bool> {
            return TRY(tables_->raw().get(Table::archive, key)).has_value();
        }));
        return each(Table::archive, [&](BytesView key, BytesView value) -> Result<bool> {
            if (TRY(decode_archive(value)).waits_for_keys()) {
                TRY(tables_->put(Table::waiting_for_keys, key, {}));
            }
            return true;
        });
    }

    // Only the sizes of the parts are checked here. Their content is compared with their hashes
    // when they are sent or opened.
    [[nodiscard]] Result<bool> has_all_parts(const StoredRecord& record) const {
        const BodyShape shape{TRY(decode_header(record.header)).body_bytes};
        for (std::uint32_t part = 1; part <= part_count(shape); ++part) {
            const auto bytes = TRY(tables_->raw().get(Table::parts, part_key(record.blob, part)));
            if (!bytes || bytes->size() != part_size(shape, part)) {
                return false;
            }
        }
        return true;
    }

    Result<void> records() {
        return each(Table::records, [&](BytesView, BytesView value) -> Result<bool> {
            const auto record = TRY(decode_record(value, WithBody::no));
            if (record.blob == Blob{} || record.blob == forgotten_body) {
                return true;
            }
            if (doubted_->contains(record.blob) || !TRY(has_all_parts(record))) {
                return fail(Errc::corrupt, "store: a damaged body");
            }
            blobs_.insert(record.blob);
            return true;
        });
    }

    // A missing row is made again. It says nothing that its record does not say.
    Result<void> numbers() {
        const auto is_of = [&](BytesView key, BytesView arrival) -> Result<bool> {
            const auto value = TRY(tables_->get(Table::records, arrival));
            if (!value) {
                return false;
            }
            const auto record = TRY(decode_record(*value, WithBody::no));
            return equal(key, record_key(record.log, record.run.first));
        };
        TRY(each(Table::numbers, is_of));
        return each(Table::records, [&](BytesView key, BytesView value) -> Result<bool> {
            const auto record = TRY(decode_record(value, WithBody::no));
            const auto number = record_key(record.log, record.run.first);
            if (!TRY(tables_->get(Table::numbers, number))) {
                TRY(tables_->put(Table::numbers, number, key));
            }
            return true;
        });
    }

    // Erases parts if neither their record nor their body under way is left.
    Result<void> parts() {
        Bytes from;
        while (const auto entry = TRY(tables_->raw().at_or_after(Table::partials, from))) {
            from = after(entry->key);
            const auto value = tables_->get(Table::partials, entry->key);
            if (const auto partial = value ? decode_partial(**value)
                                           : Result<Partial>(std::unexpected(value.error()))) {
                blobs_.insert(partial->blob);
            }
        }
        from = {};
        while (const auto entry = TRY(tables_->raw().at_or_after(Table::parts, from))) {
            const auto& key = entry->key;
            const Blob blob{key.size() < 8 ? 0 : trailing_number(BytesView(key).first(8))};
            if (blobs_.contains(blob)) {
                from = after(part_key(blob, UINT32_MAX));
            } else {
                from = after(entry->key);
                TRY(tables_->erase(Table::parts, entry->key));
            }
        }
        return ok();
    }

    Result<void> events() {
        TRY(each(Table::events, [&](BytesView key, BytesView value) -> Result<bool> {
            TRY(open_event(*seal_key_, trailing_number(key), value));
            return true;
        }));
        TRY(each(Table::report_events, [&](BytesView, BytesView seq) -> Result<bool> {
            return TRY(tables_->get(Table::events, seq)).has_value();
        }));
        return each(Table::events, [&](BytesView key, BytesView value) -> Result<bool> {
            const auto event = TRY(open_event(*seal_key_, trailing_number(key), value));
            if (event.report) {
                const auto name = report_event_key(*event.report, event.what, event.office);
                if (!TRY(tables_->get(Table::report_events, name))) {
                    TRY(tables_->put(Table::report_events, name, key));
                }
            }
            return true;
        });
    }

    CheckedTables* tables_;
    const crypto::SealKey* seal_key_;
    const std::set<Blob>* doubted_;
    std::set<Blob> blobs_;  // the bodies that stay
    PutAside gone_;
};

}  // namespace

Result<PutAside> put_aside_damage(CheckedTables& tables, const crypto::SealKey& seal_key,
                                  const std::set<Blob>& doubted) {
    return Sieve(tables, seal_key, doubted).all();
}

}  // namespace fieldpost::storage
