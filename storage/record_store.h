// The data that an office keeps: records, its knowledge of every log, registers, its archives.
//
// Guarantees, in the order an operator would ask for them:
//   - a change that commit() reported done survives a power cut;
//   - a transaction is applied whole or not at all, and reads see their own transaction;
//   - damaged values are reported as Errc::corrupt and never skipped in silence;
//   - all damaged values can be put aside at once, and the rest then is whole in itself.
//
// Not here: the routes of records, the meaning of a body, the rules for dropping (daemon/engine).
//
// Values that hold names or words are sealed under the office's own key. Keys and values:
// storage/SCHEMA.md. One thread owns a store. A transaction must be open for every call but
// begin().
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "crypto/box.h"
#include "proto/register.h"
#include "proto/report.h"
#include "proto/vocabulary.h"
#include "storage/checked_tables.h"
#include "storage/events.h"
#include "storage/feed.h"
#include "storage/log_state.h"
#include "storage/report_index.h"
#include "storage/report_page.h"

namespace fieldpost::storage {

// Names the parts of a body that is too large to lie in the row of its record. 0: none.
enum class Blob : std::uint64_t {};
// The body was destroyed because people here forgot the report. Its hash stays, in `body`.
inline constexpr Blob forgotten_body{UINT64_MAX};

struct StoredRecord {
    Arrival arrival{};
    LogKey log;
    Interval run;
    RecordId id;          // zero while unpublished
    Signature signature;  // zero while unpublished
    WallTime received;
    WallTime expires;
    Bytes header;  // verbatim
    Blob blob{};   // names the parts of the body; none: the body is here
    Bytes body;    // sealed, one piece
    bool operator==(const StoredRecord&) const = default;
};

// A body under way. Its header was checked, and so were the parts in `checked`.
struct Partial {
    RecordId id;
    Blob blob{};
    WallTime expires;  // when the record expires, and this row with it
    Signature signature;
    Bytes header;
    Hash body_hash;
    IntervalSet checked;               // part numbers, as in proto/sync_frames.h
    std::uint32_t prefix_part = 0;     // the part under way; 0: none
    OfficeId prefix_from = no_office;  // the office that brought its beginning; no_office: several
    bool is_from_one = false;          // no other office may continue it
    Bytes prefix;                      // its unchecked beginning
    bool operator==(const Partial&) const = default;
};

struct ArchiveEntry {
    // How the file key is kept. The numbers are in the store: add at the end.
    enum class Form : std::uint8_t {
        own_key = 0,      // sealed under a key that only the holder of the archive secret derives
        public_key = 1,   // sealed to the archive's public key, because mail was locked
        unopened = 2,     // not opened yet: mail was locked, or its group's key had not come
        unreadable = 3,   // will never open: opening the record failed
        of_schema_1 = 4,  // as own_key, but bound to less context (engine/record/archive)
        forgotten = 5,    // some or all reports were forgotten; the others lie in the entry itself
    };
    Box box = Box::inbox;  // inbox or outbox
    Form form = Form::own_key;
    // The file key, and the hash of each report if the record has attachments. Empty: none. In the
    // form `forgotten`: the hash of each report, and the content that is left.
    Bytes sealed_file_key;
    bool operator==(const ArchiveEntry&) const = default;

    // True if it has to be filed again as soon as the mail keys are there.
    [[nodiscard]] bool waits_for_keys() const {
        return form == Form::public_key || form == Form::unopened || form == Form::of_schema_1;
    }
};

// One thing that happened. If it happens again, its row may stand for the repetition too. The row
// then keeps its `seq` and `at`.
struct Event {
    std::uint64_t seq = 0;
    WallTime at;
    WallTime last;  // time of the last repetition; `at` if there was none
    std::uint64_t count = 1;
    What what{};
    How how{};
    std::optional<ReportKey> report;
    OfficeId office{};
    OfficeId via{};
    std::string detail;  // words: sealed at rest
    bool operator==(const Event&) const = default;
};

// A matter that needs a person. There is one item for each (what, office). Where is_for_each_report
// holds there is one for each (what, office, report).
struct AttentionItem {
    What what{};
    OfficeId office{};
    std::uint32_t number = 0;  // the number that people use for it; never used twice
    WallTime since;
    std::uint32_t count = 0;
    std::optional<ReportKey> report;  // the newest report that it happened to
    WallTime dismissed;               // zero: not dismissed
    std::string detail;               // words: sealed at rest
    bool operator==(const AttentionItem&) const = default;
};

// This office's memory of a peer. Nothing is correct only because of it.
struct PeerState {
    Hash settled;      // hash of both digests when nothing was left to push; zero: never
    Hash settled_own;  // hash of our own digest at that time
    ShortHash
        custody_told;  // of the last custody statement about its records, but for counter and time
    std::uint32_t fingerprint_number = 0;
    WallTime heard;
    WallTime met;
    std::uint32_t roster_version = 0;  // as the peer said when it was met
    bool confirmed = false;            // a person compared its fingerprint
    bool blocked = false;              // a person here wants nothing to do with it
    // It replaces another machine, and has been written all that was under way to that one
    // (daemon/engine/record/reissue.h).
    bool is_caught_up = false;
    // Bytes over its links on one day, where these are counted. The runtime says which day it is.
    std::uint32_t used_day = 0;
    std::uint64_t used_bytes = 0;
    // The bytes of this peer's records that are carried here, as they lie on the disk
    // (daemon/engine/record/carry_share.h).
    std::uint64_t carried_bytes = 0;
    bool operator==(const PeerState&) const = default;
};

// The relation of a record to the report that it is filed with. The numbers are in keys.
enum class Filed : std::uint8_t {
    answer = 0,      // an acknowledgement by a recipient, or by this office
    correction = 1,  // by the author; filed with the first version
    withdrawal = 2,  // by the author
    twin = 3,  // another report that its author wrote under the same number; shown under another
};

// A report that was written again.
struct Reissue {
    Origin origin;   // of the report
    ShortHash id{};  // of the record that held it, once that is dropped
    bool operator==(const Reissue&) const = default;
};

// One key given to `queue --key`.
struct KeyedReport {
    Hash content;
    ReportKey report;
    std::uint8_t content_version = 0;  // how `content` was made; 0: an old release, of its request
    bool operator==(const KeyedReport&) const = default;
};

// The store's own page: counters and the clock's mark.
struct OfficeMeta {
    NetworkId network;
    OfficeId office{};
    Incarnation incarnation;
    std::uint64_t next_arrival = 1;
    std::uint64_t next_blob = 1;
    std::uint64_t next_event = 1;
    std::uint32_t next_attention = 1;
    // One counter for registers and custody. Values up to `counter_reserved` may have been used.
    std::uint64_t next_counter = 1;
    std::uint64_t counter_reserved = 0;
    WallTime mark;  // no time that this office has seen is later
    WallTime aged;  // kept data has aged up to this time; a clock in doubt never moves it
    bool doubtful = false;
    // `caught`: when a copied or rolled-back store was caught. `stopped`: the office may not write
    // until a person says so.
    WallTime caught;
    bool stopped = false;
    // Stopped only until it is known in which incarnations this office has signed. Then it goes on
    // by itself.
    bool goes_on = false;
    bool roster_frozen = false;
    // The number of records of other offices held here, and their bytes.
    std::uint64_t carried_records = 0;
    std::uint64_t carried_bytes = 0;
    // The key that archive entries are sealed to while mail is locked. Zero: mail was never open.
    BoxPublic archive_key;
    // The highest incarnation in which this office was seen to sign, by its own signature; zero: no
    // other than its own. A copy of this store signed so, or this store before it was put back.
    Incarnation seen;
    bool operator==(const OfficeMeta&) const = default;
};

struct PutMeta {
    OfficeMeta meta;
};
// Writes the row of the log, and the pages that have changed.
struct PutLog {
    LogKey log;
    LogState state;
};
// Drops the log with all its pages. Its records stay.
struct DropLog {
    LogKey log;
};
// Adds a record whose arrival is above all others, or rewrites one that is there.
struct PutRecord {
    StoredRecord record;
};
struct DropRecord {
    Arrival arrival{};
    LogKey log;
    Number number = 0;
};
// The record stays, and its number leads to it no more.
struct DropNumber {
    LogKey log;
    Number number = 0;
};
struct PutPart {
    Blob blob{};
    std::uint32_t part = 0;
    Bytes bytes;
};
struct DropParts {
    Blob blob{};
    std::uint32_t count = 0;
};
struct PutPartial {
    Partial partial;
};
struct DropPartial {
    RecordId id;
};
struct PutRegister {
    OfficeId signer{};
    std::uint8_t kind = 0;
    Bytes subject;
    Bytes bytes;
    ShortHash enrolment{};  // start of the enrolment's hash, as two may have one subject; else zero
};
struct DropRegister {
    OfficeId signer{};
    std::uint8_t kind = 0;
    Bytes subject;
    ShortHash enrolment{};
};
struct AddRosterChange {
    std::uint32_t version = 0;
    Bytes bytes;
};
struct PutCustody {
    OfficeId signer{};
    Bytes bytes;
};
// The head and summary of an office's newest bundle, which tell what it has.
struct PutBundled {
    OfficeId office{};
    Bytes bytes;
};
struct PutArchive {
    Arrival arrival{};
    ArchiveEntry entry;
};
struct DropArchive {
    Arrival arrival{};
};
struct PutReport {
    ReportKey report;
    ReportProgress progress;
};
struct DropReport {
    ReportKey report;
};
// Files a record with the report that it is about.
struct FileWith {
    ReportKey about;
    Filed as{};
    Arrival arrival{};
    // The hash by which the author of a correction or withdrawal names the report.
    ReportHashPrefix hash{};
};
// A report was written again, by the same author, under the number of `as`.
struct PutReissue {
    ReportKey as;
    Reissue reissue;
};
// Gives a type of reports its number.
struct PutType {
    TypeNumber type{};
    Bytes sealed;  // its name, and the office that used it first
};
struct PutKeyed {
    Hash key;
    KeyedReport report;
};
// The daemon has started, and drew this number.
struct NoteStart {
    std::uint32_t start = 0;
};
// The store was put back: all who read the feed begin again.
struct RenewFeed {};
// The last `events_kept` events are kept. An event that is there already is replaced.
struct PutEvent {
    Event event;
};
struct PutLeaf {
    OfficeId office{};
    Hash leaf;
};
struct PutPeer {
    OfficeId office{};
    PeerState state;
};
struct PutAttention {
    AttentionItem item;
};
struct DropAttention {
    AttentionItem item;
};
struct PutExpiry {
    WallTime at;
    Arrival arrival{};
};
struct DropExpiry {
    WallTime at;
    Arrival arrival{};
};

using StoreChange =
    std::variant<PutMeta, PutLog, DropLog, PutRecord, DropRecord, DropNumber, PutPart, DropParts,
                 PutPartial, DropPartial, PutRegister, DropRegister, AddRosterChange, PutCustody,
                 PutBundled, PutArchive, DropArchive, PutReport, DropReport, FileWith, PutReissue,
                 PutType, PutKeyed, NoteStart, RenewFeed, PutEvent, PutLeaf, PutPeer, PutAttention,
                 DropAttention, PutExpiry, DropExpiry>;

inline constexpr std::uint32_t schema_version = 2;
inline constexpr std::uint64_t events_kept = 100'000;

// Says if a record is read with its body.
enum class WithBody : std::uint8_t { no, yes };

struct Expiry {
    WallTime at;
    Arrival arrival{};
};

struct PutAside {
    std::size_t values = 0;       // number of damaged values
    bool has_lost_pages = false;  // pages of reports were among them, or what follows from pages
};

class RecordStore {
public:
    // Takes over the tables. `seal_key` seals values that hold names or words. A store of an older
    // schema is brought to this one, in one transaction. unsupported: written by a newer release;
    // nothing was touched.
    static Result<std::unique_ptr<RecordStore>> open(std::unique_ptr<Tables> tables,
                                                     crypto::SealKey seal_key);

    // storage_full: no disk space could be set aside.
    Result<void> begin() { return tables_.raw().begin(); }
    // Reads see the change at once. A page brings the index, the counts and the feed along.
    Result<void> apply(const StoreChange& change);
    // After a failure nothing of the transaction is kept, and no transaction is open.
    Result<void> commit();
    void abort();

    // --- reads. A failure is Errc::corrupt or Errc::unavailable.
    // Nothing in a store that was never written to.
    Result<std::optional<OfficeMeta>> meta() const;

    // corrupt: this log is damaged. Other logs may be sound.
    Result<std::optional<LogState>> log(const LogKey& log) const;
    Result<std::vector<LogKey>> logs() const;

    // All records of a log that are here, without their bodies.
    Result<std::vector<StoredRecord>> records_of(const LogKey& log) const;
    // The record whose run holds `number`.
    Result<std::optional<StoredRecord>> record(const LogKey& log, Number number,
                                               WithBody body) const;
    // The record whose run holds `number`, or else the record with the highest run below it.
    Result<std::optional<StoredRecord>> record_beginning_to(const LogKey& log, Number number,
                                                            WithBody body) const;
    // The record whose run holds `number`, or else the record with the lowest run above it.
    Result<std::optional<StoredRecord>> record_ending_from(const LogKey& log, Number number,
                                                           WithBody body) const;
    Result<std::optional<StoredRecord>> record(Arrival arrival, WithBody body) const;
    // The record with the least arrival >= `from`, or the greatest <= `to`.
    Result<std::optional<StoredRecord>> record_from(Arrival from, WithBody body) const;
    Result<std::optional<StoredRecord>> record_until(Arrival to, WithBody body) const;

    Result<std::optional<Bytes>> part(Blob blob, std::uint32_t part) const;

    Result<std::vector<Bytes>> roster_changes() const;
    Result<std::optional<Bytes>> bundled(OfficeId office) const;

    Result<std::optional<ArchiveEntry>> archive(Arrival arrival) const;
    // The first entry at `from` or later that waits for the mail keys.
    Result<std::optional<Arrival>> waiting_for_keys(Arrival from) const;
    Result<std::optional<ReportProgress>> report(const ReportKey& report) const;
    // The first report at this key or after it that has a page.
    Result<std::optional<ReportKey>> report_from(const ReportKey& from) const;
    // All reports that have a page.
    Result<std::vector<ReportKey>> reports() const;
    // The number of reports in each box and state. It is kept, not counted.
    Result<ReportCounts> counts() const;
    // The reports that fit.
    Result<Selection> select(ReportFilter filter) const;
    // No record that was received at `time` or later arrived before this one. Nothing: none was.
    Result<std::optional<Arrival>> first_received_since(WallTime time) const;
    // The sealed names of types, by their numbers. Empty: the disk spoiled it. Reports have the
    // number all the same, so it is never given to another name.
    Result<std::vector<std::pair<TypeNumber, Bytes>>> types() const;

    // The feed. Its end is the place of the newest change.
    Result<FeedPlace> feed_end() const;
    Result<FeedPlace> feed_place(std::uint64_t number) const;
    // False: whoever was at this place begins again at 0.
    Result<bool> is_in_feed(const FeedPlace& place) const;
    // The first `limit` changes with a number > `after`.
    Result<std::vector<Change>> changes(std::uint64_t after, std::size_t limit) const;

    Result<std::vector<Arrival>> answers(const ReportKey& about) const;
    // The last `limit` corrections or withdrawals of a report, the newest first. Answers of others
    // do not count towards the limit.
    struct FiledRecord {
        Arrival arrival{};
        ReportHashPrefix hash;
    };
    Result<std::vector<FiledRecord>> newest_filed(const ReportKey& about, Filed as,
                                                  std::size_t limit) const;
    // Nothing: no report is known to have been written again under this number.
    Result<std::optional<Reissue>> reissued(const ReportKey& as) const;
    Result<std::optional<KeyedReport>> keyed(const Hash& key) const;

    // The first `limit` events with a seq >= `from`.
    Result<std::vector<Event>> events(std::uint64_t from, std::size_t limit) const;
    Result<std::optional<Event>> event(std::uint64_t seq) const;
    Result<std::vector<Event>> events_of(const ReportKey& report) const;
    // The one event of this kind that `office` caused to a report.
    Result<std::optional<Event>> event_of(const ReportKey& report, What what,
                                          OfficeId office) const;

    // The record that expires first.
    Result<std::optional<Expiry>> next_expiry() const;

    // --- data that comes again, or that an office can do without: these reads leave out damaged
    // values
    Result<std::vector<Register>> registers() const;
    Result<std::vector<Custody>> custody() const;
    Result<std::vector<Partial>> partials() const;
    Result<std::optional<Partial>> partial(const RecordId& id) const;
    Result<std::vector<std::pair<OfficeId, Hash>>> leaves() const;
    Result<std::vector<std::pair<OfficeId, PeerState>>> peers() const;
    Result<std::vector<AttentionItem>> attention() const;
    // Erases the values that these reads left out. Returns their number.
    Result<std::size_t> erase_damaged();

    // --- damage to everything else
    // True if a read met damage, or doubt() was called. put_aside_damage() is then due. Until it is
    // called, reads will meet the damage again.
    [[nodiscard]] bool is_in_doubt() const { return is_in_doubt_ || tables_.has_met_damage(); }
    // To be called if rows contradict each other.
    void doubt() const { is_in_doubt_ = true; }
    // To be called if this body lacks a part, or has a part that is not the one that the record
    // names.
    void doubt(Blob blob) const {
        doubted_.insert(blob);
        doubt();
    }
    // Erases every damaged row that the reads above do not leave out, and rows that belonged only
    // to a damaged one. The engine has to settle what was lost with a record. This reads all rows,
    // so it is not for every start.
    Result<PutAside> put_aside_damage();

    Usage usage() const { return tables_.usage(); }

private:
    struct Applier;
    RecordStore(std::unique_ptr<Tables> tables, crypto::SealKey seal_key)
        : tables_(std::move(tables)), seal_key_(std::move(seal_key)) {}
    Result<void> put_page(const ReportKey& report, ReportProgress page);
    Result<void> drop_page(const ReportKey& report);
    Result<void> tell_answer(const ReportKey& about, Arrival answer);
    Result<void> tell_answers(const ReportKey& about);
    Result<void> derive_from_rows();
    Result<void> flush() const;
    Result<void> bring_to_this_schema();
    template <class Each>
    Result<void> for_each_sound(Table table, const Each& each) const;
    Result<Event> named_event(std::uint64_t seq) const;

    CheckedTables tables_;
    crypto::SealKey seal_key_;
    // Both hold changes of the open transaction until they are read or committed.
    mutable ReportIndex index_{tables_};
    mutable Feed feed_{tables_};
    mutable std::set<std::pair<Table, Bytes>> damaged_;
    mutable bool is_in_doubt_ = false;
    mutable std::set<Blob> doubted_;
};

}  // namespace fieldpost::storage
