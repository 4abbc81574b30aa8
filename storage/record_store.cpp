#include "storage/record_store.h"

#include <fmt/format.h>

#include "storage/damage.h"
#include "storage/days.h"
#include "storage/log_rows.h"
#include "storage/migration.h"
#include "storage/values.h"

namespace fieldpost::storage {

namespace {

const Bytes schema_key = to_bytes(as_bytes("schema"));
const Bytes meta_key = to_bytes(as_bytes("office"));

}  // namespace

Result<std::unique_ptr<RecordStore>> RecordStore::open(std::unique_ptr<Tables> tables,
                                                       crypto::SealKey seal_key) {
    std::unique_ptr<RecordStore> store(new RecordStore(std::move(tables), std::move(seal_key)));
    TRY(store->begin());
    if (const auto ready = store->bring_to_this_schema(); !ready) {
        store->abort();
        return std::unexpected(ready.error());
    }
    TRY(store->commit());
    return store;
}

// The schema version lies bare, so that every release can read it.
Result<void> RecordStore::bring_to_this_schema() {
    auto& raw = tables_.raw();
    const auto found = TRY(raw.get(Table::meta, schema_key));
    if (found) {
        ByteReader reader(*found);
        const auto version = reader.read_u32();
        if (!version) {
            return fail(Errc::corrupt, "store: no schema version");
        }
        if (*version > schema_version) {
            return fail(Errc::unsupported, fmt::format("store: schema {}, this release knows {}",
                                                       *version, schema_version));
        }
        if (*version == schema_version) {
            return ok();
        }
        TRY(migrate_from_1(tables_, seal_key_));
    }
    TRY(derive_from_rows());
    ByteWriter version;
    version.u32(schema_version);
    return raw.put(Table::meta, schema_key, version.bytes());
}

Result<void> RecordStore::commit() {
    if (const auto flushed = flush(); !flushed) {
        abort();
        return flushed;
    }
    return tables_.raw().commit();
}

void RecordStore::abort() {
    index_.forget();
    feed_.forget();
    tables_.raw().abort();
}

struct RecordStore::Applier {
    RecordStore& store;
    CheckedTables& tables;
    const crypto::SealKey& seal_key;

    Result<void> put(Table table, const Bytes& key, const Bytes& value) {
        return tables.put(table, key, value);
    }
    Result<void> put_sealed(Table table, const Bytes& key, const Bytes& value) {
        return tables.put(table, key,
                          crypto::seal_value(seal_key, seal_context(table, key), value));
    }
    Result<void> put_growing(Table table, const Bytes& key, const Bytes& value) {
        return tables.put_growing(table, key, value);
    }

    Result<void> operator()(const PutMeta& change) {
        return put(Table::meta, meta_key, encode(change.meta));
    }
    Result<void> operator()(const PutLog& change) {
        return write_log(tables, change.log, change.state);
    }
    Result<void> operator()(const DropLog& change) { return drop_log(tables, change.log); }
    Result<void> operator()(const PutRecord& change) {
        const auto key = number_key(static_cast<std::uint64_t>(change.record.arrival));
        TRY(put_growing(Table::records, key, encode(change.record)));
        TRY(note_day(tables, change.record));
        return put(Table::numbers, record_key(change.record.log, change.record.run.first), key);
    }
    Result<void> operator()(const DropRecord& change) {
        TRY(tables.erase(Table::records, number_key(static_cast<std::uint64_t>(change.arrival))));
        return tables.erase(Table::numbers, record_key(change.log, change.number));
    }
    Result<void> operator()(const DropNumber& change) {
        return tables.erase(Table::numbers, record_key(change.log, change.number));
    }
    Result<void> operator()(const PutPart& change) {
        const auto key = part_key(change.blob, change.part);
        const auto last = TRY(tables.raw().at_or_before(Table::parts, Bytes(16, std::byte{0xff})));
        return !last || last->key < key ? tables.raw().append(Table::parts, key, change.bytes)
                                        : tables.raw().put(Table::parts, key, change.bytes);
    }
    Result<void> operator()(const DropParts& change) {
        for (std::uint32_t part = 1; part <= change.count; ++part) {
            TRY(tables.erase(Table::parts, part_key(change.blob, part)));
        }
        return ok();
    }
    Result<void> operator()(const PutPartial& change) {
        return put(Table::partials, to_bytes(change.partial.id.view()), encode(change.partial));
    }
    Result<void> operator()(const DropPartial& change) {
        return tables.erase(Table::partials, change.id.view());
    }
    Result<void> operator()(const PutRegister& change) {
        return put(Table::registers,
                   register_key(change.signer, change.kind, change.subject, change.enrolment),
                   change.bytes);
    }
    Result<void> operator()(const DropRegister& change) {
        return tables.erase(Table::registers, register_key(change.signer, change.kind,
                                                           change.subject, change.enrolment));
    }
    Result<void> operator()(const AddRosterChange& change) {
        return put_sealed(Table::roster, number_key(change.version), change.bytes);
    }
    Result<void> operator()(const PutCustody& change) {
        return put(Table::custody, office_key(change.signer), change.bytes);
    }
    Result<void> operator()(const PutBundled& change) {
        return put(Table::bundled, office_key(change.office), change.bytes);
    }
    Result<void> operator()(const PutArchive& change) {
        const auto key = number_key(static_cast<std::uint64_t>(change.arrival));
        TRY(put_growing(Table::archive, key, encode(change.entry)));
        return change.entry.waits_for_keys() ? put(Table::waiting_for_keys, key, {})
                                             : tables.erase(Table::waiting_for_keys, key);
    }
    Result<void> operator()(const DropArchive& change) {
        const auto key = number_key(static_cast<std::uint64_t>(change.arrival));
        TRY(tables.erase(Table::waiting_for_keys, key));
        return tables.erase(Table::archive, key);
    }
    Result<void> operator()(const PutReport& change) {
        return store.put_page(change.report, change.progress);
    }
    Result<void> operator()(const DropReport& change) { return store.drop_page(change.report); }
    Result<void> operator()(const FileWith& change) {
        if (change.as == Filed::answer) {
            TRY(store.tell_answer(change.about, change.arrival));
        }
        return put(Table::answers, filed_key(change.about, change.as, change.arrival),
                   change.as == Filed::answer ? Bytes{} : to_bytes(change.hash.view()));
    }
    Result<void> operator()(const PutReissue& change) {
        return put(Table::reissues, report_key(change.as), encode(change.reissue));
    }
    Result<void> operator()(const PutType& change) {
        return put(Table::types, type_key(change.type), change.sealed);
    }
    Result<void> operator()(const NoteStart& change) {
        return store.feed_.note_start(change.start);
    }
    Result<void> operator()(const RenewFeed&) { return store.feed_.draw_id(); }
    Result<void> operator()(const PutKeyed& change) {
        return put(Table::keys, to_bytes(change.key.view()), encode(change.report));
    }
    Result<void> drop_event(std::uint64_t seq) {
        const auto key = number_key(seq);
        const auto value = TRY(tables.get(Table::events, key));
        if (!value) {
            return ok();
        }
        const auto event = TRY(open_event(seal_key, seq, *value));
        if (event.report) {
            TRY(tables.erase(Table::report_events,
                             report_event_key(*event.report, event.what, event.office)));
        }
        return tables.erase(Table::events, key);
    }
    Result<void> operator()(const PutEvent& change) {
        const auto& event = change.event;
        const auto key = number_key(event.seq);
        TRY(put_growing(Table::events, key, seal_event(seal_key, event)));
        if (event.report) {
            TRY(put(Table::report_events, report_event_key(*event.report, event.what, event.office),
                    key));
        }
        return event.seq > events_kept ? drop_event(event.seq - events_kept) : ok();
    }
    Result<void> operator()(const PutLeaf& change) {
        return put(Table::leaves, office_key(change.office), to_bytes(change.leaf.view()));
    }
    Result<void> operator()(const PutExpiry& change) {
        return put(Table::expiries, expiry_key(change.at, change.arrival), {});
    }
    Result<void> operator()(const DropExpiry& change) {
        return tables.erase(Table::expiries, expiry_key(change.at, change.arrival));
    }
    Result<void> operator()(const PutAttention& change) {
        return put_sealed(Table::attention, attention_key(change.item), encode(change.item));
    }
    Result<void> operator()(const DropAttention& change) {
        return tables.erase(Table::attention, attention_key(change.item));
    }
    Result<void> operator()(const PutPeer& change) {
        return put(Table::peers, office_key(change.office), encode(change.state));
    }
};

Result<void> RecordStore::apply(const StoreChange& change) {
    return std::visit(Applier{*this, tables_, seal_key_}, change);
}

Result<std::optional<OfficeMeta>> RecordStore::meta() const {
    const auto value = TRY(tables_.get(Table::meta, meta_key));
    if (!value) {
        return std::optional<OfficeMeta>{};
    }
    return TRY(decode_meta(*value));
}

Result<std::optional<LogState>> RecordStore::log(const LogKey& log) const {
    return read_log(tables_, log);
}

namespace {

// Calls `each` with every entry whose key begins with `prefix`, in order.
template <class Each>
Result<void> for_each(const CheckedTables& tables, Table table, const Bytes& prefix,
                      const Each& each) {
    Bytes from = prefix;
    while (true) {
        // Only the rows that are wanted are checked: the one behind them may be damaged.
        const auto found = TRY(tables.raw().at_or_after(table, from));
        if (!found || found->key.size() < prefix.size() ||
            !std::equal(prefix.begin(), prefix.end(), found->key.begin())) {
            return ok();
        }
        from = found->key;
        const auto value = TRY(tables.get(table, from));
        TRY(each(TableEntry{from, value.value()}));
        from.push_back(std::byte{0});
    }
}

}  // namespace

template <class Each>
Result<void> RecordStore::for_each_sound(Table table, const Each& each) const {
    Bytes from;
    while (const auto entry = TRY(tables_.raw().at_or_after(table, from))) {
        const auto value = tables_.get(table, entry->key);
        const auto taken = value ? each(TableEntry{entry->key, **value})
                                 : Result<void>(std::unexpected(value.error()));
        if (!taken && taken.error().code == Errc::unavailable) {
            return taken;
        }
        if (!taken) {
            damaged_.emplace(table, entry->key);
        }
        from = entry->key;
        from.push_back(std::byte{0});
    }
    return ok();
}

Result<std::size_t> RecordStore::erase_damaged() {
    for (const auto& [table, key] : damaged_) {
        TRY(tables_.erase(table, key));
    }
    return std::exchange(damaged_, {}).size();
}

Result<PutAside> RecordStore::put_aside_damage() {
    const auto gone = TRY(storage::put_aside_damage(tables_, seal_key_, doubted_));
    if (gone.has_lost_pages || !index_.counts() || !feed_.end()) {
        TRY(derive_from_rows());
        TRY(flush());
    }
    tables_.forget_damage();
    doubted_.clear();
    is_in_doubt_ = false;
    return gone;
}

Result<std::vector<LogKey>> RecordStore::logs() const {
    return log_keys(tables_);
}

Result<std::vector<StoredRecord>> RecordStore::records_of(const LogKey& log) const {
    std::vector<StoredRecord> all;
    TRY(for_each(tables_, Table::numbers, log_key(log),
                 [&](const TableEntry& entry) -> Result<void> {
                     const Arrival arrival{trailing_number(entry.value)};
                     if (auto found = TRY(record(arrival, WithBody::no))) {
                         all.push_back(std::move(*found));
                     }
                     return ok();
                 }));
    return all;
}

Result<std::optional<StoredRecord>> RecordStore::record(Arrival arrival, WithBody body) const {
    const auto value =
        TRY(tables_.get(Table::records, number_key(static_cast<std::uint64_t>(arrival))));
    if (!value) {
        return std::optional<StoredRecord>{};
    }
    auto record = TRY(decode_record(*value, body));
    record.arrival = arrival;
    return record;
}

Result<std::optional<StoredRecord>> RecordStore::record(const LogKey& log, Number number,
                                                        WithBody body) const {
    // The run that holds `number` begins at `number` or before it.
    auto found = TRY(record_beginning_to(log, number, body));
    return found && found->run.last >= number ? std::move(found) : std::optional<StoredRecord>{};
}

Result<std::optional<StoredRecord>> RecordStore::record_beginning_to(const LogKey& log,
                                                                     Number number,
                                                                     WithBody body) const {
    const auto key = record_key(log, number);
    const auto entry = TRY(tables_.at_or_before(Table::numbers, key));
    if (!entry || entry->key.size() != key.size() || TRY(read_log_key(entry->key)) != log) {
        return std::optional<StoredRecord>{};
    }
    auto found = TRY(record(Arrival{trailing_number(entry->value)}, body));
    if (!found) {
        doubt();
        return fail(Errc::corrupt, "store: a number without its record");
    }
    return found;
}

Result<std::optional<StoredRecord>> RecordStore::record_ending_from(const LogKey& log,
                                                                    Number number,
                                                                    WithBody body) const {
    if (auto found = TRY(record(log, number, body))) {
        return found;
    }
    const auto key = record_key(log, number);
    const auto entry = TRY(tables_.at_or_after(Table::numbers, key));
    if (!entry || entry->key.size() != key.size() || TRY(read_log_key(entry->key)) != log) {
        return std::optional<StoredRecord>{};
    }
    return record(Arrival{trailing_number(entry->value)}, body);
}

Result<std::optional<StoredRecord>> RecordStore::record_from(Arrival from, WithBody body) const {
    const auto entry =
        TRY(tables_.at_or_after(Table::records, number_key(static_cast<std::uint64_t>(from))));
    if (!entry) {
        return std::optional<StoredRecord>{};
    }
    auto record = TRY(decode_record(entry->value, body));
    record.arrival = Arrival{trailing_number(entry->key)};
    return record;
}

Result<std::optional<StoredRecord>> RecordStore::record_until(Arrival to, WithBody body) const {
    const auto entry =
        TRY(tables_.at_or_before(Table::records, number_key(static_cast<std::uint64_t>(to))));
    if (!entry) {
        return std::optional<StoredRecord>{};
    }
    auto record = TRY(decode_record(entry->value, body));
    record.arrival = Arrival{trailing_number(entry->key)};
    return record;
}

Result<std::optional<Bytes>> RecordStore::part(Blob blob, std::uint32_t part) const {
    const auto value = TRY(tables_.raw().get(Table::parts, part_key(blob, part)));
    if (!value) {
        return std::optional<Bytes>{};
    }
    return to_bytes(*value);
}

Result<std::optional<Partial>> RecordStore::partial(const RecordId& id) const {
    const auto value = TRY(tables_.get(Table::partials, id.view()));
    return value ? std::optional(TRY(decode_partial(*value))) : std::nullopt;
}

Result<std::vector<Partial>> RecordStore::partials() const {
    std::vector<Partial> all;
    TRY(for_each_sound(Table::partials, [&](const TableEntry& entry) -> Result<void> {
        all.push_back(TRY(decode_partial(entry.value)));
        return ok();
    }));
    return all;
}

Result<std::vector<Register>> RecordStore::registers() const {
    std::vector<Register> all;
    TRY(for_each_sound(Table::registers, [&](const TableEntry& entry) -> Result<void> {
        ByteReader in(entry.value);
        all.push_back(TRY(read_register(in)));
        return ok();
    }));
    return all;
}

Result<std::vector<Bytes>> RecordStore::roster_changes() const {
    std::vector<Bytes> all;
    TRY(for_each(tables_, Table::roster, {}, [&](const TableEntry& entry) -> Result<void> {
        all.push_back(TRY(
            crypto::open_value(seal_key_, seal_context(Table::roster, entry.key), entry.value)));
        return ok();
    }));
    return all;
}

Result<std::vector<Custody>> RecordStore::custody() const {
    std::vector<Custody> all;
    TRY(for_each_sound(Table::custody, [&](const TableEntry& entry) -> Result<void> {
        ByteReader in(entry.value);
        all.push_back(TRY(read_custody(in)));
        return ok();
    }));
    return all;
}

Result<std::optional<Bytes>> RecordStore::bundled(OfficeId office) const {
    const auto value = TRY(tables_.get(Table::bundled, office_key(office)));
    return value ? std::optional(to_bytes(*value)) : std::nullopt;
}

Result<std::optional<ArchiveEntry>> RecordStore::archive(Arrival arrival) const {
    const auto value =
        TRY(tables_.get(Table::archive, number_key(static_cast<std::uint64_t>(arrival))));
    if (!value) {
        return std::optional<ArchiveEntry>{};
    }
    return TRY(decode_archive(*value));
}

Result<std::optional<Arrival>> RecordStore::waiting_for_keys(Arrival from) const {
    const auto entry = TRY(
        tables_.at_or_after(Table::waiting_for_keys, number_key(static_cast<std::uint64_t>(from))));
    return entry ? std::optional(Arrival{trailing_number(entry->key)}) : std::nullopt;
}

Result<std::optional<ReportProgress>> RecordStore::report(const ReportKey& report) const {
    const auto value = TRY(tables_.get(Table::reports, report_key(report)));
    if (!value) {
        return std::optional<ReportProgress>{};
    }
    return TRY(decode_progress(*value));
}

Result<std::optional<ReportKey>> RecordStore::report_from(const ReportKey& from) const {
    const auto entry = TRY(tables_.at_or_after(Table::reports, report_key(from)));
    return entry ? std::optional(TRY(read_report_key(entry->key))) : std::nullopt;
}

Result<std::vector<ReportKey>> RecordStore::reports() const {
    std::vector<ReportKey> all;
    TRY(for_each(tables_, Table::reports, {}, [&](const TableEntry& entry) -> Result<void> {
        all.push_back(TRY(read_report_key(entry.key)));
        return ok();
    }));
    return all;
}

Result<std::optional<Arrival>> RecordStore::first_received_since(WallTime time) const {
    return storage::first_received_since(tables_, time);
}

Result<std::vector<Arrival>> RecordStore::answers(const ReportKey& about) const {
    std::vector<Arrival> all;
    TRY(for_each(tables_, Table::answers, filed_prefix(about, Filed::answer),
                 [&](const TableEntry& entry) -> Result<void> {
                     all.push_back(Arrival{trailing_number(entry.key)});
                     return ok();
                 }));
    return all;
}

Result<std::optional<KeyedReport>> RecordStore::keyed(const Hash& key) const {
    const auto value = TRY(tables_.get(Table::keys, key.view()));
    if (!value) {
        return std::optional<KeyedReport>{};
    }
    return TRY(decode_keyed(*value));
}

Result<std::vector<Event>> RecordStore::events(std::uint64_t from, std::size_t limit) const {
    std::vector<Event> all;
    while (all.size() < limit) {
        const auto entry = TRY(tables_.at_or_after(Table::events, number_key(from)));
        if (!entry) {
            break;
        }
        const auto seq = trailing_number(entry->key);
        all.push_back(TRY(open_event(seal_key_, seq, entry->value)));
        from = seq + 1;
    }
    return all;
}

Result<std::optional<Event>> RecordStore::event(std::uint64_t seq) const {
    const auto value = TRY(tables_.get(Table::events, number_key(seq)));
    if (!value) {
        return std::optional<Event>{};
    }
    return TRY(open_event(seal_key_, seq, *value));
}

Result<std::vector<Event>> RecordStore::events_of(const ReportKey& report) const {
    std::vector<std::uint64_t> seqs;
    TRY(for_each(tables_, Table::report_events, report_key(report),
                 [&](const TableEntry& entry) -> Result<void> {
                     seqs.push_back(trailing_number(entry.value));
                     return ok();
                 }));
    std::ranges::sort(seqs);
    std::vector<Event> all;
    all.reserve(seqs.size());
    for (const auto seq : seqs) {
        all.push_back(TRY(named_event(seq)));
    }
    return all;
}

Result<std::optional<Event>> RecordStore::event_of(const ReportKey& report, What what,
                                                   OfficeId office) const {
    const auto seq = TRY(tables_.get(Table::report_events, report_event_key(report, what, office)));
    if (!seq) {
        return std::optional<Event>{};
    }
    return TRY(named_event(trailing_number(*seq)));
}

// An event that report_events names. Both are erased together.
Result<Event> RecordStore::named_event(std::uint64_t seq) const {
    auto found = TRY(event(seq));
    if (!found) {
        doubt();
        return fail(Errc::corrupt, "store: a report's event is not there");
    }
    return std::move(*found);
}

Result<std::optional<Expiry>> RecordStore::next_expiry() const {
    const auto entry = TRY(tables_.at_or_after(Table::expiries, {}));
    if (!entry) {
        return std::optional<Expiry>{};
    }
    return TRY(read_expiry_key(entry->key));
}

Result<std::vector<std::pair<OfficeId, Hash>>> RecordStore::leaves() const {
    std::vector<std::pair<OfficeId, Hash>> all;
    TRY(for_each_sound(Table::leaves, [&](const TableEntry& entry) -> Result<void> {
        ByteReader in(entry.value);
        const auto leaf = in.read_array<Hash>();
        if (!leaf) {
            return fail(Errc::corrupt, "store: a damaged leaf");
        }
        all.emplace_back(TRY(read_office_key(entry.key)), *leaf);
        return ok();
    }));
    return all;
}

Result<std::vector<std::pair<OfficeId, PeerState>>> RecordStore::peers() const {
    std::vector<std::pair<OfficeId, PeerState>> all;
    TRY(for_each_sound(Table::peers, [&](const TableEntry& entry) -> Result<void> {
        const auto office = TRY(read_office_key(entry.key));
        all.emplace_back(office, TRY(decode_peer(entry.value)));
        return ok();
    }));
    return all;
}

Result<std::vector<AttentionItem>> RecordStore::attention() const {
    std::vector<AttentionItem> all;
    TRY(for_each_sound(Table::attention, [&](const TableEntry& entry) -> Result<void> {
        all.push_back(TRY(decode_attention(TRY(crypto::open_value(
            seal_key_, seal_context(Table::attention, entry.key), entry.value)))));
        return ok();
    }));
    return all;
}

}  // namespace fieldpost::storage
