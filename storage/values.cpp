#include "storage/values.h"

#include "proto/limits.h"

namespace fieldpost::storage {

namespace {

void big_endian(Bytes& out, std::uint64_t value, int width) {
    for (int i = width - 1; i >= 0; --i) {
        out.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
    }
}

std::uint64_t read_big_endian(BytesView bytes) {
    std::uint64_t value = 0;
    for (const auto byte : bytes) {
        value = value << 8 | std::to_integer<std::uint64_t>(byte);
    }
    return value;
}

void append_incarnation(Bytes& out, Incarnation incarnation, RecordClass record_class) {
    big_endian(out, incarnation.ordinal, 2);
    big_endian(out, incarnation.random, 4);
    big_endian(out, static_cast<std::uint8_t>(record_class), 1);
}

constexpr std::size_t log_key_bytes = 9;
constexpr std::uint8_t peer_confirmed = 1;
constexpr std::uint8_t peer_blocked = 2;
constexpr std::uint8_t peer_caught_up = 4;

}  // namespace

Bytes number_key(std::uint64_t value) {
    Bytes key;
    big_endian(key, value, 8);
    return key;
}

Bytes log_key(const LogKey& log) {
    auto key = office_key(log.author);
    append_incarnation(key, log.incarnation, log.record_class);
    return key;
}

Bytes record_key(const LogKey& log, Number number) {
    auto key = log_key(log);
    big_endian(key, number, 4);
    return key;
}

Bytes report_key(const ReportKey& report) {
    return record_key(log_of(report), report.origin.number);
}

Bytes office_key(OfficeId office) {
    Bytes key;
    big_endian(key, value_of(office), 2);
    return key;
}

Bytes attention_key(const AttentionItem& item) {
    auto key = joined(Bytes{static_cast<std::byte>(item.what)}, office_key(item.office));
    return is_for_each_report(item.what) && item.report ? joined(key, report_key(*item.report))
                                                        : key;
}

Bytes expiry_key(WallTime at, Arrival arrival) {
    Bytes key;
    big_endian(key, at.seconds, 4);
    big_endian(key, static_cast<std::uint64_t>(arrival), 8);
    return key;
}

Bytes part_key(Blob blob, std::uint32_t part) {
    Bytes key;
    big_endian(key, static_cast<std::uint64_t>(blob), 8);
    big_endian(key, part, 4);
    return key;
}

Bytes register_key(OfficeId signer, std::uint8_t kind, BytesView subject,
                   const ShortHash& enrolment) {
    auto key = office_key(signer);
    big_endian(key, kind, 1);
    key = joined(key, subject);
    return enrolment == ShortHash{} ? key : joined(key, enrolment.view());
}

Bytes report_event_key(const ReportKey& report, What what, OfficeId office) {
    return joined(joined(report_key(report), Bytes{static_cast<std::byte>(what)}),
                  office_key(office));
}

Bytes index_key(std::uint32_t block, const Term& term) {
    Bytes key;
    big_endian(key, block, 4);
    big_endian(key, static_cast<std::uint8_t>(term.facet), 1);
    big_endian(key, term.value, 4);
    return key;
}

Bytes day_key(WallTime time) {
    constexpr std::uint32_t seconds_a_day = 86400;
    Bytes key;
    big_endian(key, time.seconds / seconds_a_day, 4);
    return key;
}

Bytes type_key(TypeNumber type) {
    Bytes key;
    big_endian(key, static_cast<std::uint32_t>(type), 4);
    return key;
}

Bytes joined(BytesView a, BytesView b) {
    auto both = to_bytes(a);
    both.insert(both.end(), b.begin(), b.end());
    return both;
}

Result<LogKey> read_log_key(BytesView key) {
    if (key.size() < log_key_bytes) {
        return fail(Errc::corrupt, "store: a log's key is too short");
    }
    LogKey log;
    log.author = OfficeId{static_cast<std::uint16_t>(read_big_endian(key.subspan(0, 2)))};
    log.incarnation.ordinal = static_cast<std::uint16_t>(read_big_endian(key.subspan(2, 2)));
    log.incarnation.random = static_cast<std::uint32_t>(read_big_endian(key.subspan(4, 4)));
    log.record_class = static_cast<RecordClass>(read_big_endian(key.subspan(8, 1)));
    return log;
}

Result<ReportKey> read_report_key(BytesView key) {
    if (key.size() != log_key_bytes + 4) {
        return fail(Errc::corrupt, "store: a report's key");
    }
    return report_in(TRY(read_log_key(key)),
                     static_cast<Number>(read_big_endian(key.subspan(log_key_bytes))));
}

Result<OfficeId> read_office_key(BytesView key) {
    if (key.size() != 2) {
        return fail(Errc::corrupt, "store: an office's key");
    }
    return OfficeId{static_cast<std::uint16_t>(read_big_endian(key))};
}

std::uint64_t trailing_number(BytesView key) {
    return read_big_endian(key.last(std::min<std::size_t>(key.size(), 8)));
}

Result<std::uint32_t> read_index_block(BytesView key) {
    if (key.size() != 9) {
        return fail(Errc::corrupt, "store: a key of the index");
    }
    return static_cast<std::uint32_t>(read_big_endian(key.first(4)));
}

Result<Expiry> read_expiry_key(BytesView key) {
    if (key.size() != 12) {
        return fail(Errc::corrupt, "store: an expiry's key");
    }
    return Expiry{{static_cast<std::uint32_t>(read_big_endian(key.first(4)))},
                  Arrival{read_big_endian(key.subspan(4))}};
}

Bytes filed_prefix(const ReportKey& about, Filed as) {
    auto key = report_key(about);
    big_endian(key, static_cast<std::uint8_t>(as), 1);
    return key;
}

Bytes filed_key(const ReportKey& about, Filed as, Arrival arrival) {
    return joined(filed_prefix(about, as), number_key(static_cast<std::uint64_t>(arrival)));
}

void write_report_key(ByteWriter& out, const ReportKey& report) {
    out.u16(value_of(report.author));
    write(out, report.origin);
}

Result<ReportKey> read_report_key(ByteReader& in) {
    const OfficeId author{TRY(in.read_u16())};
    const auto origin = TRY(read_origin(in));
    return ReportKey{author, origin};
}

namespace {

// Of an office that has stopped, in place of 1.
constexpr std::uint8_t goes_on_mark = 2;

void write_flag(ByteWriter& out, bool flag) {
    out.u8(flag ? 1 : 0);
}
Result<bool> read_flag(ByteReader& in) {
    return TRY(in.read_u8()) != 0;
}

Result<OfficeMeta> read_meta(ByteReader& in) {
    OfficeMeta meta;
    meta.network = TRY(in.read_array<NetworkId>());
    meta.office = OfficeId{TRY(in.read_u16())};
    meta.incarnation = TRY(read_incarnation(in));
    meta.next_arrival = TRY(in.read_varint());
    meta.next_blob = TRY(in.read_varint());
    meta.next_event = TRY(in.read_varint());
    meta.next_attention = TRY(in.read_u32());
    meta.next_counter = TRY(in.read_varint());
    meta.counter_reserved = TRY(in.read_varint());
    meta.mark = WallTime{TRY(in.read_u32())};
    meta.aged = WallTime{TRY(in.read_u32())};
    meta.doubtful = TRY(read_flag(in));
    meta.caught = WallTime{TRY(in.read_u32())};
    const auto stopped = TRY(in.read_u8());
    meta.stopped = stopped != 0;
    meta.goes_on = stopped == goes_on_mark;
    meta.roster_frozen = TRY(read_flag(in));
    meta.carried_records = TRY(in.read_varint());
    meta.carried_bytes = TRY(in.read_varint());
    // A row of schema 1 ended here.
    meta.archive_key = in.at_end() ? BoxPublic{} : TRY(in.read_array<BoxPublic>());
    if (!in.at_end() && TRY(read_flag(in))) {
        meta.seen = TRY(read_incarnation(in));
    }
    TRY(in.expect_end("meta"));
    return meta;
}

Result<StoredRecord> read_record(ByteReader& in, WithBody body) {
    StoredRecord record;
    record.log.author = OfficeId{TRY(in.read_u16())};
    record.log.incarnation = TRY(read_incarnation(in));
    record.log.record_class = TRY(read_record_class(in));
    record.run.first = TRY(in.read_u32());
    record.run.last = TRY(in.read_u32());
    record.id = TRY(in.read_array<RecordId>());
    record.signature = TRY(in.read_array<Signature>());
    record.received = WallTime{TRY(in.read_u32())};
    record.expires = WallTime{TRY(in.read_u32())};
    record.header = to_bytes(TRY(in.read_sized(limits::header_bytes_max)));
    record.blob = Blob{TRY(in.read_varint())};
    if (body == WithBody::yes) {
        record.body = to_bytes(in.rest());
    }
    return record;
}

Result<Partial> read_partial(ByteReader& in, bool is_of_1) {
    Partial partial;
    partial.id = TRY(in.read_array<RecordId>());
    partial.blob = Blob{TRY(in.read_varint())};
    partial.expires = WallTime{TRY(in.read_u32())};
    partial.signature = TRY(in.read_array<Signature>());
    partial.header = to_bytes(TRY(in.read_sized(limits::header_bytes_max)));
    partial.body_hash = TRY(in.read_array<Hash>());
    partial.checked = TRY(read_interval_set(in));
    partial.prefix_part = TRY(in.read_u32());
    if (is_of_1) {
        // A row of schema 1 said when its first bytes came.
        const auto header = TRY(decode_header(partial.header));
        partial.expires = partial.expires.plus(header.lifetime_seconds);
    } else {
        partial.prefix_from = OfficeId{TRY(in.read_u16())};
        partial.is_from_one = TRY(read_flag(in));
    }
    partial.prefix = to_bytes(in.rest());
    return partial;
}

Result<ArchiveEntry> read_archive(ByteReader& in, bool is_of_1) {
    ArchiveEntry entry;
    const auto box = TRY(in.read_u8());
    if (box != static_cast<std::uint8_t>(Box::inbox) &&
        box != static_cast<std::uint8_t>(Box::outbox)) {
        return fail(Errc::corrupt, "a box that is none");
    }
    entry.box = static_cast<Box>(box);
    const auto form = TRY(in.read_u8());
    if (form > static_cast<std::uint8_t>(ArchiveEntry::Form::forgotten)) {
        return fail(Errc::corrupt, "a form of archive entry that is none");
    }
    entry.form = static_cast<ArchiveEntry::Form>(form);
    if (is_of_1) {  // in schema 1 a flag said that it did not open
        entry.form = form != 0 ? ArchiveEntry::Form::unreadable : ArchiveEntry::Form::of_schema_1;
    }
    entry.sealed_file_key = to_bytes(in.rest());
    return entry;
}

// Flags for the parts that follow in an event. Schema 1 had only the first flag, so its events can
// be read unchanged.
constexpr std::uint8_t has_report = 1;
constexpr std::uint8_t has_happened_again = 2;

Result<Event> read_event(ByteReader& in) {
    Event event;
    event.at = WallTime{TRY(in.read_u32())};
    event.what = What{TRY(in.read_u8())};
    event.how = How{TRY(in.read_u8())};
    event.office = OfficeId{TRY(in.read_u16())};
    event.via = OfficeId{TRY(in.read_u16())};
    const auto flags = TRY(in.read_u8());
    if ((flags & has_report) != 0) {
        event.report = TRY(read_report_key(in));
    }
    event.last = event.at;
    if ((flags & has_happened_again) != 0) {
        event.last = WallTime{TRY(in.read_u32())};
        event.count = TRY(in.read_varint());
    }
    event.detail = std::string(as_text(in.rest()));
    return event;
}

Result<AttentionItem> read_attention(ByteReader& in) {
    AttentionItem item;
    item.what = What{TRY(in.read_u8())};
    item.office = OfficeId{TRY(in.read_u16())};
    item.number = TRY(in.read_u32());
    item.since = WallTime{TRY(in.read_u32())};
    item.count = TRY(in.read_u32());
    item.dismissed = WallTime{TRY(in.read_u32())};
    if (TRY(read_flag(in))) {
        item.report = TRY(read_report_key(in));
    }
    item.detail = std::string(as_text(in.rest()));
    return item;
}

Result<PeerState> read_peer(ByteReader& in) {
    PeerState state;
    state.settled = TRY(in.read_array<Hash>());
    state.settled_own = TRY(in.read_array<Hash>());
    state.custody_told = TRY(in.read_array<ShortHash>());
    state.fingerprint_number = TRY(in.read_u32());
    state.heard = WallTime{TRY(in.read_u32())};
    state.met = WallTime{TRY(in.read_u32())};
    state.roster_version = TRY(in.read_u32());
    const auto flags = TRY(in.read_u8());
    state.confirmed = (flags & peer_confirmed) != 0;
    state.blocked = (flags & peer_blocked) != 0;
    state.is_caught_up = (flags & peer_caught_up) != 0;
    state.used_day = TRY(in.read_u32());
    state.used_bytes = TRY(in.read_u64());
    // Schema 1 did not have this count.
    state.carried_bytes = in.at_end() ? 0 : TRY(in.read_u64());
    TRY(in.expect_end("peer"));
    return state;
}

Result<KeyedReport> read_keyed(ByteReader& in) {
    KeyedReport keyed;
    keyed.content = TRY(in.read_array<Hash>());
    keyed.report = TRY(read_report_key(in));
    keyed.content_version = in.at_end() ? 0 : TRY(in.read_u8());
    TRY(in.expect_end("key"));
    return keyed;
}

}  // namespace

Bytes encode(const OfficeMeta& meta) {
    ByteWriter out;
    out.raw(meta.network.view());
    out.u16(value_of(meta.office));
    write(out, meta.incarnation);
    out.varint(meta.next_arrival);
    out.varint(meta.next_blob);
    out.varint(meta.next_event);
    out.u32(meta.next_attention);
    out.varint(meta.next_counter);
    out.varint(meta.counter_reserved);
    out.u32(meta.mark.seconds);
    out.u32(meta.aged.seconds);
    write_flag(out, meta.doubtful);
    out.u32(meta.caught.seconds);
    out.u8(!meta.stopped ? 0 : meta.goes_on ? goes_on_mark : 1);
    write_flag(out, meta.roster_frozen);
    out.varint(meta.carried_records);
    out.varint(meta.carried_bytes);
    out.raw(meta.archive_key.view());
    write_flag(out, meta.seen != Incarnation{});
    if (meta.seen != Incarnation{}) {
        write(out, meta.seen);
    }
    return out.take();
}

Bytes encode(const StoredRecord& record) {
    ByteWriter out;
    out.u16(value_of(record.log.author));
    write(out, record.log.incarnation);
    out.u8(static_cast<std::uint8_t>(record.log.record_class));
    out.u32(record.run.first);
    out.u32(record.run.last);
    out.raw(record.id.view());
    out.raw(record.signature.view());
    out.u32(record.received.seconds);
    out.u32(record.expires.seconds);
    out.sized(record.header);
    out.varint(static_cast<std::uint64_t>(record.blob));
    out.raw(record.body);
    return out.take();
}

Bytes encode(const Partial& partial) {
    ByteWriter out;
    out.raw(partial.id.view());
    out.varint(static_cast<std::uint64_t>(partial.blob));
    out.u32(partial.expires.seconds);
    out.raw(partial.signature.view());
    out.sized(partial.header);
    out.raw(partial.body_hash.view());
    write(out, partial.checked);
    out.u32(partial.prefix_part);
    out.u16(value_of(partial.prefix_from));
    write_flag(out, partial.is_from_one);
    out.raw(partial.prefix);
    return out.take();
}

Bytes encode(const ArchiveEntry& entry) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(entry.box));
    out.u8(static_cast<std::uint8_t>(entry.form));
    out.raw(entry.sealed_file_key);
    return out.take();
}

Bytes encode(const Event& event) {
    ByteWriter out;
    out.u32(event.at.seconds);
    out.u8(static_cast<std::uint8_t>(event.what));
    out.u8(static_cast<std::uint8_t>(event.how));
    out.u16(value_of(event.office));
    out.u16(value_of(event.via));
    const bool is_repeated = event.count != 1;
    out.u8(static_cast<std::uint8_t>((event.report ? has_report : 0) |
                                     (is_repeated ? has_happened_again : 0)));
    if (event.report) {
        write_report_key(out, *event.report);
    }
    if (is_repeated) {
        out.u32(event.last.seconds);
        out.varint(event.count);
    }
    out.raw(as_bytes(event.detail));
    return out.take();
}

Bytes encode(const AttentionItem& item) {
    ByteWriter out;
    out.u8(static_cast<std::uint8_t>(item.what));
    out.u16(value_of(item.office));
    out.u32(item.number);
    out.u32(item.since.seconds);
    out.u32(item.count);
    out.u32(item.dismissed.seconds);
    write_flag(out, item.report.has_value());
    if (item.report) {
        write_report_key(out, *item.report);
    }
    out.raw(as_bytes(item.detail));
    return out.take();
}

Bytes encode(const PeerState& state) {
    ByteWriter out;
    out.raw(state.settled.view());
    out.raw(state.settled_own.view());
    out.raw(state.custody_told.view());
    out.u32(state.fingerprint_number);
    out.u32(state.heard.seconds);
    out.u32(state.met.seconds);
    out.u32(state.roster_version);
    out.u8(static_cast<std::uint8_t>((state.confirmed ? peer_confirmed : 0U) |
                                     (state.blocked ? peer_blocked : 0U) |
                                     (state.is_caught_up ? peer_caught_up : 0U)));
    out.u32(state.used_day);
    out.u64(state.used_bytes);
    out.u64(state.carried_bytes);
    return out.take();
}

Bytes encode(const KeyedReport& report) {
    ByteWriter out;
    out.raw(report.content.view());
    write_report_key(out, report.report);
    out.u8(report.content_version);
    return out.take();
}

Result<OfficeMeta> decode_meta(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_meta(in));
}
Result<StoredRecord> decode_record(BytesView value, WithBody body) {
    ByteReader in(value);
    return or_corrupt(read_record(in, body));
}
Result<Partial> decode_partial(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_partial(in, false));
}
Result<Partial> decode_partial_of_1(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_partial(in, true));
}
Result<ArchiveEntry> decode_archive(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_archive(in, false));
}
Result<ArchiveEntry> decode_archive_of_1(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_archive(in, true));
}
Result<Event> decode_event(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_event(in));
}
Result<AttentionItem> decode_attention(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_attention(in));
}
Result<PeerState> decode_peer(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_peer(in));
}
Bytes encode(const Reissue& reissue) {
    ByteWriter out;
    write(out, reissue.origin);
    out.raw(reissue.id.view());
    return out.take();
}
Result<Reissue> decode_reissue(BytesView value) {
    ByteReader in(value);
    const auto origin = read_origin(in);
    const auto id = in.read_array<ShortHash>();
    return origin && id && in.at_end() ? Result<Reissue>(Reissue{*origin, *id})
                                       : fail(Errc::corrupt, "store: a reissue");
}
Result<KeyedReport> decode_keyed(BytesView value) {
    ByteReader in(value);
    return or_corrupt(read_keyed(in));
}

Bytes seal_context(Table table, BytesView key) {
    ByteWriter context;
    context.u8(static_cast<std::uint8_t>(table));
    context.raw(key);
    return context.take();
}

Bytes seal_event(const crypto::SealKey& seal_key, const Event& event) {
    const auto plain = encode(event);
    // Words are sealed. An event without words says nothing that the records do not say.
    const bool has_words = !event.detail.empty();
    ByteWriter value;
    value.u8(has_words ? 1 : 0);
    value.raw(has_words ? crypto::seal_value(
                              seal_key, seal_context(Table::events, number_key(event.seq)), plain)
                        : plain);
    return value.take();
}

Result<Event> open_event(const crypto::SealKey& seal_key, std::uint64_t seq, BytesView value) {
    if (value.empty()) {
        return fail(Errc::corrupt, "store: an empty event");
    }
    const auto key = number_key(seq);
    const auto content = value.subspan(1);
    auto event = TRY(decode_event(
        value[0] == std::byte{0}
            ? to_bytes(content)
            : TRY(crypto::open_value(seal_key, seal_context(Table::events, key), content))));
    event.seq = seq;
    return event;
}

}  // namespace fieldpost::storage
