// What an office keeps: records, what it knows of every log, registers, its archives.
//
// Guarantees, in the order an operator would ask for them:
//   - a change that commit() reported done survives a power cut;
//   - a transaction is applied whole or not at all, and reads see their own transaction;
//   - damaged values are reported as Errc::corrupt and never skipped in silence;
//   - all of them can be put aside at once, and the rest then is whole in itself.
//
// Not here: which record goes where, what a body means, what may be dropped (daemon/engine). Values
// that hold names or words are sealed under the office's own key. Keys and values:
// storage/SCHEMA.md. One thread owns a store; a transaction must be open for every call but
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
#include "storage/log_state.h"

namespace fieldpost::storage {

// The order in which records became whole here; a run takes as many as it has reports.
enum class Arrival : std::uint64_t {};
// Names the parts of a body that is too large to lie with its record. 0: none.
enum class Blob : std::uint64_t {};

struct StoredRecord {
    Arrival arrival{};
    LogKey log;
    Interval run;
    RecordId id;          // zero while unpublished
    Signature signature;  // zero while unpublished
    WallTime received;
    WallTime expires;
    Bytes header;  // verbatim
    Blob blob{};   // where the body lies; none: here
    Bytes body;    // sealed, one piece
    bool operator==(const StoredRecord&) const = default;
};

// A body under way: its header was checked, and the parts marked were too.
struct Partial {
    RecordId id;
    Blob blob{};
    WallTime expires;  // its record, and this with it
    Signature signature;
    Bytes header;
    Hash body_hash;
    IntervalSet checked;               // parts, as proto/sync_frames.h numbers them
    std::uint32_t prefix_part = 0;     // the part under way; 0: none
    OfficeId prefix_from = no_office;  // who brought its beginning; no_office: several
    bool is_from_one = false;          // nobody else may continue it
    Bytes prefix;                      // its unchecked beginning
    bool operator==(const Partial&) const = default;
};

struct ArchiveEntry {
    // How the file key is kept. The numbers are in the store: add at the end.
    enum class Form : std::uint8_t {
        own_key = 0,      // sealed under a key that only the holder of the archive secret derives
        public_key = 1,   // sealed to the archive's public key, because mail was locked
        unopened = 2,     // not yet: mail was locked, or the key of its group had not come
        unreadable = 3,   // never: the record did not open
        of_schema_1 = 4,  // as own_key, and bound to less (engine/record/archive)
    };
    Box box = Box::inbox;  // or outbox
    Form form = Form::own_key;
    // The file key, and the hash of each report if the record has attachments. Empty: none.
    Bytes sealed_file_key;
    bool operator==(const ArchiveEntry&) const = default;

    // It is filed again as soon as the mail keys are there.
    [[nodiscard]] bool waits_for_keys() const {
        return form == Form::public_key || form == Form::unopened || form == Form::of_schema_1;
    }
};

struct ReportKey {
    OfficeId author{};
    Origin origin;
    auto operator<=>(const ReportKey&) const = default;
};
// A report that was first written under this number of a log, and the log.
inline ReportKey report_in(const LogKey& log, Number number) {
    return {log.author, {log.incarnation, log.record_class, number}};
}
inline LogKey log_of(const ReportKey& report) {
    return {report.author, report.origin.incarnation, report.origin.record_class};
}

// How far a report has come. The numbers are stored.
enum class State : std::uint8_t { queued, carried, delivered, acknowledged, expired, failed };
// The last two: it was never sealed to this recipient.
enum class FailReason : std::uint8_t {
    none,
    unreadable,
    revoked,
    retired,
    refused,
    damaged,
    no_key,
    closed,
};

// What this office has proved of one recipient of a report. What it was proved by may be thrown
// away later: this stays as long as the report does. Changed by engine/record/progress only.
struct Recipient {
    OfficeId office{};
    State state = State::queued;
    FailReason reason = FailReason::none;       // of `failed`
    WallTime carried_at{};                      // zero: never, as are all times
    OfficeId carried_by{};                      // whose statement of custody showed it
    WallTime delivered_at{};                    // when the receipt of `office` came
    WallTime acknowledged_at{};                 // when its newest answer came
    ReplyOutcome outcome = ReplyOutcome::none;  // of that answer
    std::optional<Origin> answer{};             // which that is, of `office`
    bool operator==(const Recipient&) const = default;
};

// The page of a report in an inbox or outbox.
struct ReportProgress {
    Arrival arrival{};
    // Of an own report all it was addressed to; of another's this office alone.
    std::vector<Recipient> recipients;
    std::optional<ReportKey> replaced_by;  // its newest correction
    bool operator==(const ReportProgress&) const = default;
};

// Something that happened. If it happens again its row may stand for that too: then it keeps its
// `seq` and `at`.
struct Event {
    std::uint64_t seq = 0;
    WallTime at;
    WallTime last;  // when it happened again last; `at` if it did not
    std::uint64_t count = 1;
    What what{};
    How how{};
    std::optional<ReportKey> report;
    OfficeId office{};
    OfficeId via{};
    std::string detail;  // words: sealed at rest
    bool operator==(const Event&) const = default;
};

// Something that needs a person. There is one of each (what, office), or of each (what, office,
// report) where is_for_each_report.
struct AttentionItem {
    What what{};
    OfficeId office{};
    std::uint32_t number = 0;  // as people name it; never used twice
    WallTime since;
    std::uint32_t count = 0;
    std::optional<ReportKey> report;  // the newest it happened to
    WallTime dismissed;               // zero: not
    std::string detail;               // words: sealed at rest
    bool operator==(const AttentionItem&) const = default;
};

// What is remembered of a peer. Nothing is correct only because of it.
struct PeerState {
    Hash settled;      // of both digests when nothing was left to push; zero: never
    Hash settled_own;  // of our own digest then
    ShortHash
        custody_told;  // of the last custody statement about its records, but for counter and time
    std::uint32_t fingerprint_number = 0;
    WallTime heard;
    WallTime met;
    std::uint32_t roster_version = 0;  // as it said when it was met
    bool confirmed = false;            // a person compared its fingerprint
    // Bytes over its links on one day, where those are counted; which day is the runtime's to say.
    std::uint32_t used_day = 0;
    std::uint64_t used_bytes = 0;
    // What is carried of its records, as it lies on the disk (daemon/engine/record/carry_share.h).
    std::uint64_t carried_bytes = 0;
    bool operator==(const PeerState&) const = default;
};

// One key given to `queue --key`.
struct KeyedReport {
    Hash content;
    ReportKey report;
    std::uint8_t content_version = 0;  // how `content` was made; 0: over a request of that release
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
    // One counter for registers and custody; up to `counter_reserved` may have been used.
    std::uint64_t next_counter = 1;
    std::uint64_t counter_reserved = 0;
    WallTime mark;  // no time this office has seen was later
    WallTime aged;  // up to when what is kept has aged: never led by a clock in doubt
    bool doubtful = false;
    // When a copied or rolled-back store was caught, and whether it may not write until told.
    WallTime caught;
    bool stopped = false;
    bool roster_frozen = false;
    // The record bytes of others held here, and their number.
    std::uint64_t carried_records = 0;
    std::uint64_t carried_bytes = 0;
    // To seal archive entries while mail is locked. Zero: mail was never open.
    BoxPublic archive_key;
    bool operator==(const OfficeMeta&) const = default;
};

struct PutMeta {
    OfficeMeta meta;
};
// Writes of the log's pages those that were touched.
struct PutLog {
    LogKey log;
    LogState state;
};
// With all its pages. Its records stay.
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
    ShortHash enrolment{};  // the start of its hash: two may have one subject; else zero
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
// What an office said to have in its newest bundle.
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
struct AddAnswer {
    ReportKey about;
    Arrival arrival{};
};
struct PutKeyed {
    Hash key;
    KeyedReport report;
};
// The last `events_kept` are kept. One that is there already is replaced.
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
    std::variant<PutMeta, PutLog, DropLog, PutRecord, DropRecord, PutPart, DropParts, PutPartial,
                 DropPartial, PutRegister, DropRegister, AddRosterChange, PutCustody, PutBundled,
                 PutArchive, DropArchive, PutReport, DropReport, AddAnswer, PutKeyed, PutEvent,
                 PutLeaf, PutPeer, PutAttention, DropAttention, PutExpiry, DropExpiry>;

inline constexpr std::uint32_t schema_version = 2;
inline constexpr std::uint64_t events_kept = 100'000;

// Whether a record is read with its body.
enum class WithBody : std::uint8_t { no, yes };

struct Expiry {
    WallTime at;
    Arrival arrival{};
};

struct PutAside {
    std::size_t values = 0;  // that were damaged
};

class RecordStore {
public:
    // Takes the tables. `seal_key` seals values that hold names or words. A store of an older
    // schema is brought to this one, in one transaction.
    // unsupported: written by a newer release; nothing was touched.
    static Result<std::unique_ptr<RecordStore>> open(std::unique_ptr<Tables> tables,
                                                     crypto::SealKey seal_key);

    // storage_full: no room could be set aside.
    Result<void> begin() { return tables_.raw().begin(); }
    // Reads see it at once.
    Result<void> apply(const StoreChange& change);
    // After a failure nothing of the transaction is kept, and none is open.
    Result<void> commit() { return tables_.raw().commit(); }
    void abort() { tables_.raw().abort(); }

    // --- reads. A failure is Errc::corrupt or Errc::unavailable.
    // Nothing in a store that was never written to.
    Result<std::optional<OfficeMeta>> meta() const;

    // corrupt: it is damaged; others need not be.
    Result<std::optional<LogState>> log(const LogKey& log) const;
    Result<std::vector<LogKey>> logs() const;

    // All of a log that are here, without their bodies.
    Result<std::vector<StoredRecord>> records_of(const LogKey& log) const;
    // The record whose run holds `number`.
    Result<std::optional<StoredRecord>> record(const LogKey& log, Number number,
                                               WithBody body) const;
    // That, or the lowest above it.
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
    // The first entry from there on that waits for the mail keys.
    Result<std::optional<Arrival>> waiting_for_keys(Arrival from) const;
    Result<std::optional<ReportProgress>> report(const ReportKey& report) const;
    // All that have a page.
    Result<std::vector<ReportKey>> reports() const;
    Result<std::vector<Arrival>> answers(const ReportKey& about) const;
    Result<std::optional<KeyedReport>> keyed(const Hash& key) const;

    // The first `limit` events with a seq >= `from`.
    Result<std::vector<Event>> events(std::uint64_t from, std::size_t limit) const;
    Result<std::optional<Event>> event(std::uint64_t seq) const;
    Result<std::vector<Event>> events_of(const ReportKey& report) const;
    // The one event of this kind that `office` caused to a report.
    Result<std::optional<Event>> event_of(const ReportKey& report, What what,
                                          OfficeId office) const;

    // The record that expires next.
    Result<std::optional<Expiry>> next_expiry() const;

    // --- what comes again, or can be done without: these leave out what is damaged
    Result<std::vector<Register>> registers() const;
    Result<std::vector<Custody>> custody() const;
    Result<std::vector<Partial>> partials() const;
    Result<std::optional<Partial>> partial(const RecordId& id) const;
    Result<std::vector<std::pair<OfficeId, Hash>>> leaves() const;
    Result<std::vector<std::pair<OfficeId, PeerState>>> peers() const;
    Result<std::vector<AttentionItem>> attention() const;
    // Erases the values that these reads left out. Returns how many there were.
    Result<std::size_t> erase_damaged();

    // --- damage to everything else
    // A read met damage, or doubt() was called: put_aside_damage() is due, and until then the same
    // will be met again.
    [[nodiscard]] bool is_in_doubt() const { return is_in_doubt_ || tables_.has_met_damage(); }
    // Rows contradict each other.
    void doubt() const { is_in_doubt_ = true; }
    // This body lacks a part, or has one that is not what the record says.
    void doubt(Blob blob) const {
        doubted_.insert(blob);
        doubt();
    }
    // Erases every damaged row that the reads above do not leave out, and what only belonged to
    // one. What was lost with a record is for the engine to settle. Reads all rows, so it is not
    // for every start.
    Result<PutAside> put_aside_damage();

    Usage usage() const { return tables_.usage(); }

private:
    RecordStore(std::unique_ptr<Tables> tables, crypto::SealKey seal_key)
        : tables_(std::move(tables)), seal_key_(std::move(seal_key)) {}
    Result<void> bring_to_this_schema();
    template <class Each>
    Result<void> for_each_sound(Table table, const Each& each) const;
    Result<Event> named_event(std::uint64_t seq) const;

    CheckedTables tables_;
    crypto::SealKey seal_key_;
    mutable std::set<std::pair<Table, Bytes>> damaged_;
    mutable bool is_in_doubt_ = false;
    mutable std::set<Blob> doubted_;
};

}  // namespace fieldpost::storage
