#include "storage/lmdb_tables.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <lmdb.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <array>
#include <cerrno>

namespace fieldpost::storage {

namespace {

// Deletes need pages too, so the map is larger than the limit for records.
constexpr std::uint64_t headroom_bytes = 64U << 20;
// Set aside before a transaction begins, so that a full disk is met here and not in a commit. There
// LMDB would answer it with EIO.
constexpr std::uint64_t reserve_bytes = 16U << 20;
constexpr unsigned readers_max = 8;

Error error_of(int code, std::string_view doing) {
    auto detail = fmt::format("{}: {}", doing, mdb_strerror(code));
    switch (code) {
        case MDB_MAP_FULL:
        case ENOSPC:
        case EDQUOT:
            return {Errc::storage_full, std::move(detail)};
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_PANIC:
        case MDB_INVALID:
        case MDB_VERSION_MISMATCH:
            return {Errc::corrupt, std::move(detail)};
        default:
            return {Errc::unavailable, std::move(detail)};
    }
}

Result<void> check(int code, std::string_view doing) {
    if (code != MDB_SUCCESS) {
        return std::unexpected(error_of(code, doing));
    }
    return ok();
}

MDB_val value_of(BytesView bytes) {
    return {bytes.size(), const_cast<std::byte*>(bytes.data())};
}
BytesView view_of(const MDB_val& value) {
    return {static_cast<const std::byte*>(value.mv_data), value.mv_size};
}

// LMDB locks through shared memory and trusts the page cache. Neither works over a network.
bool is_network_file_system(const std::filesystem::path& folder) {
    struct statfs info{};
    if (statfs(folder.c_str(), &info) != 0) {
        return false;
    }
    constexpr std::array<long, 6> network = {0x6969,       // NFS
                                             0xff534d42,   // CIFS
                                             0xfe534d42,   // SMB2
                                             0x517b,       // SMB
                                             0x01021997,   // 9p
                                             0x65735546};  // FUSE
    return std::ranges::find(network, info.f_type) != network.end();
}

class LmdbTables final : public Tables {
public:
    explicit LmdbTables(LmdbOptions options) : options_(options) {}
    ~LmdbTables() override {
        abort();
        if (env_ != nullptr) {
            mdb_env_close(env_);
        }
    }

    Result<void> open(const std::filesystem::path& folder) {
        TRY(check(mdb_env_create(&env_), "store"));
        TRY(check(mdb_env_set_mapsize(env_, options_.limit_bytes + headroom_bytes), "store"));
        TRY(check(mdb_env_set_maxdbs(env_, table_count), "store"));
        TRY(check(mdb_env_set_maxreaders(env_, readers_max), "store"));
        // MDB_NOTLS: the one thread may change. MDB_NORDAHEAD: lookups are random. A read-ahead of
        // a store larger than memory would push everything else out.
        TRY(check(mdb_env_open(env_, folder.c_str(), MDB_NOTLS | MDB_NORDAHEAD, 0600),
                  fmt::format("opening the store in {}", folder.string())));
        int dead = 0;
        TRY(check(mdb_reader_check(env_, &dead), "store"));
        TRY(begin());
        for (std::size_t i = 0; i < table_count; ++i) {
            const auto name = fmt::format("{:02}", i);
            TRY(check(mdb_dbi_open(transaction_, name.c_str(), MDB_CREATE, &tables_[i]),
                      "opening a table"));
        }
        return commit();
    }

    Result<void> begin() override {
        ensure(transaction_ == nullptr, "one transaction at a time");
        auto reserved = reserve();
        if (!reserved && reserved.error().code != Errc::storage_full) {
            return reserved;
        }
        // A full disk does not end the transaction here, because stored values can still be read.
        is_full_ = !reserved.has_value();
        return check(mdb_txn_begin(env_, nullptr, 0, &transaction_), "beginning a transaction");
    }

    Result<void> commit() override {
        ensure(transaction_ != nullptr, "a transaction is open");
        const int code = mdb_txn_commit(transaction_);
        transaction_ = nullptr;
        // LMDB reports short writes on a full disk as EIO.
        return check(code == EIO && disk_is_full() ? ENOSPC : code, "committing");
    }

    void abort() override {
        if (transaction_ != nullptr) {
            mdb_txn_abort(transaction_);
            transaction_ = nullptr;
        }
    }

    Result<std::optional<BytesView>> get(Table table, BytesView key) const override {
        auto wanted = value_of(key);
        MDB_val found;
        const int code =
            mdb_get(transaction_, tables_[static_cast<std::size_t>(table)], &wanted, &found);
        if (code == MDB_NOTFOUND) {
            return std::optional<BytesView>{};
        }
        TRY(check(code, "reading"));
        return view_of(found);
    }

    Result<std::optional<TableEntry>> at_or_after(Table table, BytesView from) const override {
        const auto cursor = TRY(cursor_of(table));
        auto key = value_of(from);
        MDB_val value;
        // LMDB allows no empty key. Here an empty key means the beginning.
        return entry_of(
            mdb_cursor_get(cursor.get(), &key, &value, from.empty() ? MDB_FIRST : MDB_SET_RANGE),
            key, value);
    }

    Result<std::optional<TableEntry>> at_or_before(Table table, BytesView to) const override {
        const auto cursor = TRY(cursor_of(table));
        auto key = value_of(to);
        MDB_val value;
        int code = mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_RANGE);
        if (code == MDB_SUCCESS && !equal(view_of(key), to)) {
            code = mdb_cursor_get(cursor.get(), &key, &value, MDB_PREV);
        } else if (code == MDB_NOTFOUND) {
            code = mdb_cursor_get(cursor.get(), &key, &value, MDB_LAST);
        }
        return entry_of(code, key, value);
    }

    Result<void> put(Table table, BytesView key, BytesView value) override {
        return write(table, key, value, 0);
    }
    Result<void> append(Table table, BytesView key, BytesView value) override {
        return write(table, key, value, MDB_APPEND);
    }

    Result<void> erase(Table table, BytesView key) override {
        auto wanted = value_of(key);
        const int code =
            mdb_del(transaction_, tables_[static_cast<std::size_t>(table)], &wanted, nullptr);
        return check(code == MDB_NOTFOUND ? MDB_SUCCESS : code, "erasing");
    }

    // Counts the pages in use. Freed pages are not counted, because they can be used again.
    Usage usage() const override {
        std::uint64_t pages = 2;
        std::uint64_t page_bytes = 0;
        for (const auto table : tables_) {
            MDB_stat stat;
            if (mdb_stat(transaction_, table, &stat) == MDB_SUCCESS) {
                pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
                page_bytes = stat.ms_psize;
            }
        }
        return {pages * page_bytes, options_.limit_bytes};
    }

private:
    struct CursorCloser {
        void operator()(MDB_cursor* cursor) const { mdb_cursor_close(cursor); }
    };
    using Cursor = std::unique_ptr<MDB_cursor, CursorCloser>;

    Result<Cursor> cursor_of(Table table) const {
        MDB_cursor* cursor = nullptr;
        TRY(check(mdb_cursor_open(transaction_, tables_[static_cast<std::size_t>(table)], &cursor),
                  "reading"));
        return Cursor(cursor);
    }

    static Result<std::optional<TableEntry>> entry_of(int code, const MDB_val& key,
                                                      const MDB_val& value) {
        if (code == MDB_NOTFOUND) {
            return std::optional<TableEntry>{};
        }
        TRY(check(code, "reading"));
        return TableEntry{to_bytes(view_of(key)), view_of(value)};
    }

    Result<void> write(Table table, BytesView key, BytesView value, unsigned flags) {
        if (is_full_) {
            return fail(Errc::storage_full, "no disk space could be set aside");
        }
        auto k = value_of(key);
        auto v = value_of(value);
        return check(mdb_put(transaction_, tables_[static_cast<std::size_t>(table)], &k, &v, flags),
                     "writing");
    }

    // Makes the file reach beyond the last page in use, so that a reserve is always set aside.
    Result<void> reserve() {
        int file = -1;
        TRY(check(mdb_env_get_fd(env_, &file), "store"));
        struct stat info{};
        if (fstat(file, &info) != 0) {
            return check(errno, "store");
        }
        MDB_envinfo env_info;
        MDB_stat stat;
        TRY(check(mdb_env_info(env_, &env_info), "store"));
        TRY(check(mdb_env_stat(env_, &stat), "store"));
        const auto used = (std::uint64_t{env_info.me_last_pgno} + 1) * stat.ms_psize;
        const auto size = static_cast<std::uint64_t>(info.st_size);
        if (size >= used + reserve_bytes / 2) {
            return ok();
        }
        const auto wanted = std::min(used + reserve_bytes, options_.limit_bytes + headroom_bytes);
        if (wanted <= size) {
            return ok();
        }
        const int code =
            posix_fallocate(file, static_cast<off_t>(size), static_cast<off_t>(wanted - size));
        // Less than the whole reserve is enough to go on, at least with deletes.
        if (code == ENOSPC && size >= used + reserve_bytes / 8) {
            return ok();
        }
        return check(code, "setting disk space aside");
    }

    bool disk_is_full() const {
        int file = -1;
        struct statfs info{};
        return mdb_env_get_fd(env_, &file) == MDB_SUCCESS && fstatfs(file, &info) == 0 &&
               info.f_bavail * static_cast<std::uint64_t>(info.f_bsize) < reserve_bytes / 8;
    }

    LmdbOptions options_;
    MDB_env* env_ = nullptr;
    MDB_txn* transaction_ = nullptr;
    bool is_full_ = false;
    std::array<MDB_dbi, table_count> tables_{};
};

}  // namespace

Result<std::unique_ptr<Tables>> open_lmdb_tables(const std::filesystem::path& folder,
                                                 LmdbOptions options) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        return fail(Errc::unavailable,
                    fmt::format("store: cannot make {}: {}", folder.string(), error.message()));
    }
    if (is_network_file_system(folder)) {
        return fail(Errc::unavailable,
                    fmt::format("store: {} is on a network file system, which cannot keep it safe",
                                folder.string()));
    }
    auto tables = std::make_unique<LmdbTables>(options);
    TRY(tables->open(folder));
    return tables;
}

}  // namespace fieldpost::storage
