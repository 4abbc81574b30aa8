// The protocol as a value: inputs and the time go in, one batch of consequences comes out.
//
// No sockets, files, clock or threads; of the store it needs transactions. The engine holds no
// truth that the store lacks: after a failed commit it is thrown away and made anew. What it keeps
// and why it converges: daemon/DESIGN.md, whose invariants are cited by number. Frames:
// proto/WIRE.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "crypto/bundle_cells.h"
#include "crypto/identity.h"
#include "crypto/invite.h"
#include "crypto/roster.h"
#include "proto/report.h"
#include "proto/sync_frames.h"
#include "storage/record_store.h"

namespace fieldpost::engine {

using storage::How;
using storage::What;

// Which way something came: over a link with that office, or in a bundle that it wrote.
struct Via {
    OfficeId office{};
    How how = How::link;
};

// One connection, from handshake to end. Never used twice.
enum class LinkId : std::uint64_t {};

// What this end lets a link be used for, as long as it is up.
struct LinkPolicy {
    std::uint64_t bytes_per_second = 0;  // each way, headers in; 0: as fast as it goes
    bool only_urgent = false;
    // After so many bytes, both ways and headers in, it sends what is urgent only. 0: no such end.
    std::uint64_t bytes_before_only_urgent = 0;
    // Whether records come and go over it that are neither from nor for one of its two ends.
    bool carries = true;
    bool operator==(const LinkPolicy&) const = default;
};
// The link vouches for who is at the other end.
struct LinkUp {
    LinkId link{};
    OfficeId peer{};
    LinkPolicy policy{};
    // The last link died before it had carried anything much: urgent goes first and alone, for a
    // large packet behind it may hold it up for ever.
    bool is_cautious = false;
};
// At the other end is a key that the roster does not know, or has shut out.
struct StrangerUp {
    LinkId link{};
    BoxPublic key;
};
// Of either.
struct LinkDown {
    LinkId link{};
    // What the peer did that no peer of ours does; empty: nothing.
    std::string offence{};
};
struct FrameArrived {
    LinkId link{};
    Bytes bytes;
};
// What has arrived at the other end behind something that was lost, and is repaired now, in bytes:
// it cannot be acknowledged yet, and is not on the way any more.
struct LinkRepairs {
    LinkId link{};
    std::uint64_t bytes = 0;
};

// One bundle that is read or written. Never used twice.
enum class BundleId : std::uint64_t {};
// A frame of a bundle that is read; the first one begins it.
struct BundleFrame {
    BundleId bundle{};
    Bytes frame;
};
// Records, by the log that they are in.
using RunsByLog = std::map<LogKey, IntervalSet>;
// For whom a bundle is written, and what.
struct BundleOrder {
    std::vector<OfficeId> targets;  // empty: everybody
    bool is_all = false;            // also what they have, as far as is known
    bool has_records = true;
    // What an earlier bundle of ours said of itself, which stands in the same place: only what this
    // office has come to know since, for then those who read both lack nothing. Empty: all.
    Bytes since{};
    // The records in that bundle and in those of its row before it; without `since` they do not
    // count.
    RunsByLog in_row{};
    // In files of others that stand in the same place: nothing of it for a day after it came here.
    // What this office wrote itself it leaves there all the same.
    RunsByLog of_others{};
    // One of a row in one place (BundleHead::place); `since` is what the one before it said.
    bool is_in_row = false;
    // `since` holds even if somebody lacks again what it had, or the roster has changed: all was
    // written a moment ago.
    bool is_only_addition = false;
};
struct BundleWanted {
    BundleId bundle{};
    BundleOrder order;
};
// The next cell of a bundle that is written.
struct BundleMore {
    BundleId bundle{};
    std::size_t room = 0;       // for content, in this cell
    std::uint64_t budget = 0;   // for content, in this file
    bool may_leave_out = true;  // what does not fit; otherwise it waits for the next file
    bool is_new_file = false;   // the head comes again
};
// Of either: nothing more comes, or is wanted.
struct BundleEnded {
    BundleId bundle{};
};

// A report, acknowledgement or withdrawal written at this office.
struct Draft {
    RecordKind kind = RecordKind::report;
    RecordClass record_class = RecordClass::normal;
    std::vector<OfficeId> to;  // the members of the groups too
    // As people addressed it. Used where there are more offices than one record can name.
    std::vector<OfficeId> groups{};
    // Of `to`: nobody named these themselves, so one that cannot be sealed to costs itself only.
    std::set<OfficeId> may_leave_out{};
    Report report;
    Bytes attachments{};
    std::uint32_t lifetime_seconds = limits::lifetime_seconds_default;
    std::string key{};  // of `queue --key`; empty: none
};
struct Submitted {
    std::uint64_t request = 0;
    Draft draft;
};

// At the authority: make an invitation for a new office.
struct InviteWanted {
    std::uint64_t request = 0;
    std::string name;
    Role role = Role::field;
    std::uint32_t valid_seconds = 30U * 86400;
};

// A person has seen these items of attention.
struct Dismissed {
    std::uint64_t request = 0;
    std::vector<std::uint32_t> numbers;
};
// A person has compared the fingerprint of this office.
struct Confirmed {
    std::uint64_t request = 0;
    OfficeId office{};
};
// So much has gone over links with an office, on a day that its policy counts.
struct DayUsed {
    OfficeId office{};
    std::uint32_t day = 0;
    std::uint64_t bytes = 0;  // of the whole day so far
};
// Of the machine, noticed outside the engine; an empty `detail` ends it.
struct MachineTrouble {
    What what{};
    std::string detail;
};

struct TimerFired {};

// The daemon stops in good order: what was reserved and not used need not be skipped.
struct Stopping {};

using Input = std::variant<LinkUp, StrangerUp, LinkDown, FrameArrived, LinkRepairs, BundleFrame,
                           BundleWanted, BundleMore, BundleEnded, Submitted, InviteWanted,
                           Dismissed, Confirmed, DayUsed, MachineTrouble, TimerFired, Stopping>;

struct OutgoingFrame {
    LinkId link{};
    Bytes bytes;
};

// A link that has to go: its peer broke the protocol, or is not to be spoken to any more.
struct CloseLink {
    LinkId link{};
    std::string reason;
    // Nothing comes back over it any more: the way to the peer went, not the peer.
    bool is_dead = false;
};

// What a link is needed for from now on: how soon its end must be noticed, and whether it is worth
// having another connection ready.
struct LinkUse {
    LinkId link{};
    bool awaits_body = false;  // that the peer has begun to send
    bool is_long = false;      // so much is to be sent that it takes a while
    // Acknowledgements, to send more. LinkRepairs would do.
    bool awaits_room = false;
    // The peer says that another machine comes to it with our keys: each link ends the other's.
    bool is_contested = false;
    bool operator==(const LinkUse&) const = default;
};

// One whom a report was meant for by a group, and could not be sealed to.
struct LeftOut {
    OfficeId office{};
    storage::FailReason reason{};
};

// The answer to a Submitted.
struct Accepted {
    std::uint64_t request = 0;
    storage::ReportKey report;
    Hash hash;
    bool is_repeat = false;  // the key was used before with the same content
    std::vector<LeftOut> left_out{};
};
struct Declined {
    std::uint64_t request = 0;
    Error error;
};
// The answer to an InviteWanted, if it is not Declined. To be sealed under a code, outside the
// daemon.
struct Invited {
    std::uint64_t request = 0;
    std::shared_ptr<const crypto::Invite> invite;
    WallTime expires;
    bool is_anew = false;  // an open invitation of the same name is good for nothing now
};
// For watchers and the log.
struct Happened {
    storage::Event event;
};
// What has come of a bundle so far; told at the end of each batch that read some of it.
struct BundleReport {
    std::optional<OfficeId> writer;  // as it signed
    WallTime at;
    std::vector<OfficeId> targets;  // empty: everybody
    std::uint64_t new_reports = 0;
    std::uint64_t known = 0;
    std::uint64_t rejected = 0;
    std::map<std::string, std::uint64_t> reasons{};  // of what was rejected
    // By an office that was revoked, say: nothing more of it is taken.
    std::string refused{};
    std::optional<std::uint8_t> place{};  // BundleHead::place
    // Of reports that a link is bringing: this file may have to bring them yet.
    // It brought changes of the roster, which what was rejected elsewhere may have needed.
    bool brought_roster = false;
    // At its end. Of one that this office wrote: for BundleOrder::since.
    Bytes said{};
    // What this office holds, or takes now, that whoever reads this file has whole from it alone:
    // signatures and bodies were compared.
    RunsByLog holds{};
};
struct BundleTaken {
    BundleId bundle{};
    BundleReport report;
};
// The answer to a BundleMore.
struct BundleContent {
    BundleId bundle{};
    enum class Step : std::uint8_t {
        cell,
        full,  // the next thing does not fit
        over,
    };
    Step step{};
    crypto::BundlePart part{};
    Bytes content{};
    std::uint64_t reports = 0;     // so far
    std::uint64_t left_out = 0;    // reports, so far
    bool is_short = false;         // what is no report did not fit either
    bool has_news = false;         // it holds more than what every bundle of this office would
    bool is_addition = false;      // as BundleOrder::since asked, unless the roster has changed
    std::uint64_t left_bytes = 0;  // still to be written, as far as it has looked; about
    // At its end, for BundleOrder::since and in_row.
    Bytes said{};
    RunsByLog holds{};
};
using Notice = std::variant<Accepted, Declined, Invited, Happened, BundleTaken, BundleContent,
                            CloseLink, LinkUse>;

// The caller's duties after a batch of inputs, which is committed by now:
//   1. hand each of `send` to its link, which may lose it with everything after it;
//   2. tell local readers about `notify`.
// A crash between two steps is safe: the engine is made anew from the store, and peers ask again
// for what they did not hear acknowledged.
struct Consequences {
    std::vector<OutgoingFrame> send;
    std::vector<Notice> notify;
    std::optional<Instant> wake_at;  // empty: nothing to do until the next input
};

struct Config {
    const crypto::MachineKeys* machine = nullptr;
    const crypto::MailKeys* mail = nullptr;  // null: locked
    std::vector<std::string> endpoints;
    bool carries = true;
    std::string software;
    std::uint32_t life = 0;  // chosen at random when the daemon starts (lives.h); 0: not said
    // Bytes of others' records that this office carries for them, at most.
    std::uint64_t carry_bytes_max = std::uint64_t{1} << 30;
};

// How far a store has come. Kept outside it, so that a store put back from a copy is caught.
struct Marker {
    Incarnation incarnation;
    std::uint64_t next_arrival = 0;
    std::uint64_t next_counter = 0;
    bool operator==(const Marker&) const = default;
};

// A body that needs many frames, on its way to the peer or from it.
struct Transfer {
    storage::ReportKey report;  // the first of its record
    bool is_incoming = false;
    std::uint64_t done_bytes = 0;
    std::uint64_t body_bytes = 0;
};
// One link, for those who watch.
struct LinkView {
    OfficeId peer{};
    // Both ends have said that nothing is left to push.
    bool is_settled = false;
    bool passes_only_urgent = false;                      // by this end's policy or by the other's
    bool has_used_up = false;                             // what it might send before that
    std::optional<std::chrono::milliseconds> round_trip;  // the least of late
    std::uint64_t acknowledged_bytes = 0;                 // of data, by the peer
    std::vector<Transfer> transfers;
};

class Ledger;
class PeerSession;

class Engine {
public:
    // `store` and the keys of `config` must outlive the engine. No transaction may be open. The
    // store must hold an OfficeMeta and the roster (see founding_changes). Of a store in doubt all
    // damaged rows are put aside first; nothing else is written: the first batch does that.
    // `marker`, if there is one, is the last that was had of this office.
    static Result<Engine> load(storage::RecordStore& store, const Config& config,
                               const Founding& founding, Now now,
                               const std::optional<Marker>& marker = std::nullopt);
    Engine(Engine&&) noexcept;
    Engine& operator=(Engine&&) noexcept;
    ~Engine();

    // Handles what has arrived in one transaction of its own, so that many frames share one commit,
    // one receipt and one statement of custody. Frames leave only after the commit: what they say
    // is on disk. `time` is asked for each input. After an Error, which is the store's, nothing is
    // kept and no transaction is open: throw the engine away.
    Result<Consequences> run_batch(std::span<const Input> inputs, const std::function<Now()>& time);

    // To be kept outside the store after every commit.
    [[nodiscard]] Marker marker() const;

    // The state of this office, for queries; reads of its store need a transaction. Valid until the
    // next batch.
    [[nodiscard]] const Ledger& ledger() const;
    [[nodiscard]] std::vector<LinkView> links() const;

private:
    struct Parts;
    explicit Engine(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

// What a store holds before its first engine: the office's own page and the roster that admits it.
std::vector<storage::StoreChange> founding_changes(const NetworkId& network, OfficeId office,
                                                   Incarnation incarnation, WallTime mark,
                                                   const std::vector<RosterChange>& roster,
                                                   const std::vector<Register>& registers);

}  // namespace fieldpost::engine
