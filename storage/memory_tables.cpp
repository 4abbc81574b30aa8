#include "storage/memory_tables.h"

namespace fieldpost::storage {

namespace {

class MemoryTables final : public Tables {
public:
    explicit MemoryTables(MemoryDisk& disk) : disk_(disk) {}

    Result<void> begin() override {
        ensure(!open_, "one transaction at a time");
        open_ = true;
        return ok();
    }

    Result<void> commit() override {
        ensure(open_, "a transaction is open");
        open_ = false;
        if (std::exchange(disk_.loses_next_commit, false)) {
            changes_.clear();
            return fail(Errc::unavailable, "commit: the power went");
        }
        std::uint64_t used = disk_.used_bytes;
        for (const auto& [place, value] : changes_) {
            const auto& content = content_of(place.first);
            const auto old = content.find(place.second);
            used -= old == content.end() ? 0 : old->first.size() + old->second.size();
            used += value ? place.second.size() + value->size() : 0;
        }
        auto changes = std::move(changes_);
        changes_.clear();
        if (disk_.limit_bytes != 0 && used > disk_.limit_bytes && used > disk_.used_bytes) {
            return fail(Errc::storage_full, "commit: the disk is full");
        }
        for (auto& [place, value] : changes) {
            disk_.changed.insert(place);
            auto& content = disk_.tables[static_cast<std::size_t>(place.first)];
            if (value) {
                content.insert_or_assign(place.second, std::move(*value));
            } else {
                content.erase(place.second);
            }
        }
        disk_.used_bytes = used;
        return ok();
    }

    void abort() override {
        changes_.clear();
        open_ = false;
    }

    Result<std::optional<BytesView>> get(Table table, BytesView key) const override {
        ensure(open_, "a transaction is open");
        ++disk_.reads;
        const auto changed = changes_.find({table, to_bytes(key)});
        if (changed != changes_.end()) {
            const auto& value = changed->second;
            return value ? std::optional<BytesView>(*value) : std::nullopt;
        }
        const auto& content = content_of(table);
        const auto found = content.find(to_bytes(key));
        return found == content.end() ? std::nullopt : std::optional<BytesView>(found->second);
    }

    Result<std::optional<TableEntry>> at_or_after(Table table, BytesView from) const override {
        ensure(open_, "a transaction is open");
        ++disk_.reads;
        const auto& content = content_of(table);
        auto stored = content.lower_bound(to_bytes(from));
        auto changed = changes_.lower_bound({table, to_bytes(from)});
        while (true) {
            const bool has_changed = changed != changes_.end() && changed->first.first == table;
            if (!has_changed && stored == content.end()) {
                return std::optional<TableEntry>{};
            }
            // The entry with the lower key comes first. A change hides the stored entry under its
            // key.
            if (stored != content.end() &&
                (!has_changed || stored->first < changed->first.second)) {
                return TableEntry{stored->first, stored->second};
            }
            if (const auto& value = changed->second) {
                return TableEntry{changed->first.second, *value};
            }
            if (stored != content.end() && stored->first == changed->first.second) {
                ++stored;
            }
            ++changed;
        }
    }

    Result<std::optional<TableEntry>> at_or_before(Table table, BytesView to) const override {
        ensure(open_, "a transaction is open");
        ++disk_.reads;
        const auto& content = content_of(table);
        auto stored = content.upper_bound(to_bytes(to));
        auto changed = changes_.upper_bound({table, to_bytes(to)});
        while (true) {
            const bool has_stored = stored != content.begin();
            const bool has_changed =
                changed != changes_.begin() && std::prev(changed)->first.first == table;
            if (!has_changed && !has_stored) {
                return std::optional<TableEntry>{};
            }
            if (has_stored &&
                (!has_changed || std::prev(stored)->first > std::prev(changed)->first.second)) {
                return TableEntry{std::prev(stored)->first, std::prev(stored)->second};
            }
            --changed;
            if (const auto& value = changed->second) {
                return TableEntry{changed->first.second, *value};
            }
            if (has_stored && std::prev(stored)->first == changed->first.second) {
                --stored;
            }
        }
    }

    Result<void> put(Table table, BytesView key, BytesView value) override {
        ensure(open_, "a transaction is open");
        changes_.insert_or_assign({table, to_bytes(key)}, to_bytes(value));
        return ok();
    }

    Result<void> append(Table table, BytesView key, BytesView value) override {
        return put(table, key, value);
    }

    Result<void> erase(Table table, BytesView key) override {
        ensure(open_, "a transaction is open");
        changes_.insert_or_assign({table, to_bytes(key)}, std::nullopt);
        return ok();
    }

    Usage usage() const override { return {disk_.used_bytes, disk_.limit_bytes}; }

private:
    const MemoryDisk::Content& content_of(Table table) const {
        return disk_.tables[static_cast<std::size_t>(table)];
    }

    MemoryDisk& disk_;
    bool open_ = false;
    std::map<std::pair<Table, Bytes>, std::optional<Bytes>> changes_;
};

}  // namespace

std::unique_ptr<Tables> open_memory_tables(MemoryDisk& disk) {
    return std::make_unique<MemoryTables>(disk);
}

}  // namespace fieldpost::storage
