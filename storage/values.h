// Keys and values of the tables as bytes. SCHEMA.md lists them. No code outside this folder uses
// them.
//
// Keys are big-endian, so that they sort in the order of the things that they name. Values are
// little-endian like the wire. A value that does not decode is Errc::corrupt, because we wrote it.
#pragma once

#include "storage/record_store.h"

namespace fieldpost::storage {

// A value that we wrote ourselves and cannot read is damage, even if the reader returned another
// error.
template <class T>
Result<T> or_corrupt(Result<T> result) {
    if (!result) {
        result.error().code = Errc::corrupt;
        result.error().detail = "store: a damaged value: " + result.error().detail;
    }
    return result;
}

Bytes number_key(std::uint64_t value);
Bytes log_key(const LogKey& log);
Bytes record_key(const LogKey& log, Number number);
Bytes report_key(const ReportKey& report);
Bytes office_key(OfficeId office);
Bytes part_key(Blob blob, std::uint32_t part);
Bytes attention_key(const AttentionItem& item);
Bytes expiry_key(WallTime at, Arrival arrival);
// `enrolment` is zero for all other kinds of register.
Bytes register_key(OfficeId signer, std::uint8_t kind, BytesView subject,
                   const ShortHash& enrolment);
// The key of a record that is filed with a report, and the part of it before the arrival.
Bytes filed_key(const ReportKey& about, Filed as, Arrival arrival);
Bytes filed_prefix(const ReportKey& about, Filed as);
// The key of an event about a report, in the table report_events.
Bytes report_event_key(const ReportKey& report, What what, OfficeId office);
Bytes index_key(std::uint32_t block, const Term& term);
Bytes day_key(WallTime time);
Bytes type_key(TypeNumber type);
Bytes joined(BytesView a, BytesView b);

// The name of a report inside a value.
void write_report_key(ByteWriter& out, const ReportKey& report);
Result<ReportKey> read_report_key(ByteReader& in);

Result<LogKey> read_log_key(BytesView key);
Result<ReportKey> read_report_key(BytesView key);
Result<OfficeId> read_office_key(BytesView key);
Result<Expiry> read_expiry_key(BytesView key);
Result<std::uint32_t> read_index_block(BytesView key);
// The big-endian number that a key ends in.
std::uint64_t trailing_number(BytesView key);

Bytes encode(const OfficeMeta& meta);
Bytes encode(const StoredRecord& record);
Bytes encode(const Partial& partial);
Bytes encode(const ArchiveEntry& entry);
Bytes encode(const Event& event);
Bytes encode(const AttentionItem& item);
Bytes encode(const PeerState& state);
Bytes encode(const KeyedReport& report);
Bytes encode(const ReportProgress& progress);

Result<OfficeMeta> decode_meta(BytesView value);
// The arrival is not in the value, because it is the key. The body is left out unless wanted.
Result<StoredRecord> decode_record(BytesView value, WithBody body);
Result<Partial> decode_partial(BytesView value);
Result<Partial> decode_partial_of_1(BytesView value);
Result<ArchiveEntry> decode_archive(BytesView value);
Result<ArchiveEntry> decode_archive_of_1(BytesView value);
Result<Event> decode_event(BytesView value);
Result<AttentionItem> decode_attention(BytesView value);
Result<PeerState> decode_peer(BytesView value);
Result<KeyedReport> decode_keyed(BytesView value);
Bytes encode(const Reissue& reissue);
Result<Reissue> decode_reissue(BytesView value);
Result<ReportProgress> decode_progress(BytesView value);

// The context that a sealed value is bound to, so that none can stand in another's place.
Bytes seal_context(Table table, BytesView key);
// Encodes an event for its table. It is sealed if it has words.
Bytes seal_event(const crypto::SealKey& seal_key, const Event& event);
Result<Event> open_event(const crypto::SealKey& seal_key, std::uint64_t seq, BytesView value);

}  // namespace fieldpost::storage
