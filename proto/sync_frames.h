// The frames that two offices exchange over a link, as checked values. WIRE.md "Frames".
//
// Promise: decode_frame accepts only what WIRE.md allows, and allocates no more than the length of
// the frame. Headers inside DATA frames stay elided here, because they depend on earlier content of
// the frame.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "proto/bundle_head.h"
#include "proto/record.h"
#include "proto/register.h"
#include "proto/roster_change.h"

namespace fieldpost {

inline constexpr std::uint32_t protocol_version = 1;

using Digest = ByteArray<struct DigestTag, 16>;
// In a roster with more offices than this, fingerprints are of buckets: a bucket holds all offices
// whose index leaves one remainder.
inline constexpr std::size_t bucket_count = 64;
// A leaf with more registers than this lists only those with the highest versions.
inline constexpr std::size_t newest_registers = 16;

using LeafFingerprint = ByteArray<struct LeafFingerprintTag, 4>;
using ShortFingerprint = ByteArray<struct ShortFingerprintTag, 3>;
// A short hash of all registers of a leaf. Only their signer could make two lists with one hash.
// The signer gains nothing by that, for it could simply not sign the second list.
using RegistersHash = ByteArray<struct RegistersHashTag, 5>;

// limits::record_bytes_max: an office that takes smaller records only says so.
std::uint32_t record_bytes_taken();

struct Hello {
    std::uint32_t version_min = protocol_version;
    std::uint32_t version_max = protocol_version;
    std::uint32_t roster_version = 0;
    ShortHash roster_head;
    Digest digest;
    std::uint32_t fingerprint_number = 0;
    // The position is the office's index. Empty: this pair settled on this digest before.
    std::vector<LeafFingerprint> leaf_fingerprints;
    // One for each bucket, in place of leaf_fingerprints, where there are more offices than
    // buckets. Empty, or bucket_count of them.
    std::vector<LeafFingerprint> bucket_fingerprints;
    // Sent with bucket_fingerprints: how many numbers the sender does not want. The end with the
    // lower count tells first what it has.
    std::uint32_t numbers_known = 0;
    std::uint32_t credit_bytes = 0;
    WallTime clock;
    bool clock_doubtful = false;
    bool carries = true;
    std::uint32_t record_bytes_max = record_bytes_taken();
    std::uint32_t life = 0;  // chosen by the sender's daemon at its start; 0: not said
    // True if two machines use the receiver's keys, and take turns here.
    bool is_doubled = false;
    bool operator==(const Hello&) const = default;
};

// The next changes of the chain, in order.
struct RosterNews {
    std::vector<RosterChange> changes;
    bool operator==(const RosterNews&) const = default;
};

// The progress of a body under way. Parts are numbered from 1. A one-piece body has one part. In a
// larger body, part 1 is the list of segment hashes, and segment k is part k + 2.
struct PartialSummary {
    Number number = 0;
    ShortHash id;
    IntervalSet checked;
    std::uint32_t prefix_part = 0;  // the part that has begun; 0: none
    std::uint32_t prefix_bytes = 0;
    bool operator==(const PartialSummary&) const = default;
};

struct LogSummary {
    Incarnation incarnation;
    RecordClass record_class{};
    IntervalSet not_wanted;
    std::vector<PartialSummary> partials;
    bool operator==(const LogSummary&) const = default;
};

struct RegisterSummary {
    std::uint8_t kind = 0;
    Bytes subject;
    RegisterVersion version;
    ShortHash hash;
    bool operator==(const RegisterSummary&) const = default;
};

// Everything that the sender has of one office.
struct LeafSummary {
    OfficeId office{};
    std::vector<LogSummary> logs;
    std::vector<RegisterSummary> registers;
    // The hash of all registers, if only the newest are listed, or none.
    std::optional<RegistersHash> all_registers{};
    // True if logs that are not listed are closed.
    bool is_closed = false;
    bool operator==(const LeafSummary&) const = default;
};

// Among the logs that a leaf does not list, those below this one are closed (WIRE.md 6). If the
// leaf is closed, these are all logs of its office. If the leaf lists as many logs as it may, these
// are the logs below its lowest one.
LogKey closed_below(const LeafSummary& leaf);

// A piece of a leaf that is too large for a frame.
struct LeafPart {
    OfficeId office{};
    Bytes bytes;
    bool is_last = false;
    bool operator==(const LeafPart&) const = default;
};

// Replaces what the receiver knew of the offices named. `whole`: offices that are not named are
// empty.
struct Summary {
    bool whole = false;
    std::vector<LeafSummary> leaves{};  // by office, ascending
    // True if the next frame continues this summary. Only the last frame can be `whole`.
    bool more = false;
    // In place of `leaves`: a part of one large leaf. The parts follow each other in frames of
    // their own.
    std::optional<LeafPart> part{};
    // Filled by the reader: the offices whose leaves broke a rule. The other leaves are still good.
    std::vector<OfficeId> damaged{};
    bool operator==(const Summary&) const = default;
};

// The fingerprints of all offices of the roster, ascending, in the buckets that are named. The
// receiver answers with a summary of the offices whose fingerprints differ from its own.
struct LeafFingerprints {
    std::uint64_t buckets = 0;  // bit b: the offices of bucket b
    std::vector<ShortFingerprint> fingerprints;
    bool operator==(const LeafFingerprints&) const = default;
};

struct RegisterNews {
    std::vector<Register> registers;
    bool operator==(const RegisterNews&) const = default;
};

// Whole records. Each is an elided header, a signature and a sealed body.
struct RecordNews {
    std::vector<Bytes> records;
    bool operator==(const RecordNews&) const = default;
};

// The beginning of a record that travels in chunks. Streams are numbered by their sender.
struct StreamOpened {
    std::uint32_t stream = 0;
    Bytes elided_header;  // without a header before it
    Signature signature;
    Hash body_hash;
    bool operator==(const StreamOpened&) const = default;
};

// The beginning of a record whose header the receiver already has, according to its summary.
struct StreamResumed {
    std::uint32_t stream = 0;
    RecordId id;
    bool operator==(const StreamResumed&) const = default;
};

struct Chunk {
    std::uint32_t stream = 0;
    std::uint32_t part = 0;
    std::uint32_t offset = 0;  // in the part
    Bytes bytes;
    bool operator==(const Chunk&) const = default;
};

// How a body is cut for sending.
std::uint32_t part_count(BodyShape shape);
std::uint32_t part_size(BodyShape shape, std::uint32_t part);

// After one of the first three reasons, the record is in the receiver's N. After the others the
// receiver still lacks it, and the pair does not settle before the receiver has told that leaf
// again. An unknown number is read as `later`.
enum class SkipReason : std::uint8_t {
    have = 0,
    terminal = 1,
    refused = 2,
    elsewhere = 3,  // another source is bringing it
    bad = 4,        // the bytes are not what the author signed, or nothing is here to go on with
    later = 5,      // there is no room now
};
// True if the receiver still lacks what it skipped.
constexpr bool is_still_lacking(SkipReason reason) {
    return reason > SkipReason::refused;
}
struct Skip {
    std::uint32_t stream = 0;
    SkipReason reason{};
    bool operator==(const Skip&) const = default;
};

// Bytes of DATA frames handled and committed since the link came up.
struct Acknowledged {
    std::uint64_t bytes = 0;
    bool operator==(const Acknowledged&) const = default;
};

// Nothing is left to push. Carries the sender's digest at this time.
struct Settled {
    Digest digest;
    bool operator==(const Settled&) const = default;
};

struct Prove {
    LogKey log;
    Number number = 0;
    bool operator==(const Prove&) const = default;
};

using Frame = std::variant<Hello, RosterNews, Summary, RegisterNews, RecordNews, StreamOpened,
                           StreamResumed, Chunk, Skip, Acknowledged, Settled, Custody, Prove,
                           RecordProof, LeafFingerprints, BundleHead>;

// True for frames that ask, answer or belong to one link. No bundle holds them.
template <class One>
inline constexpr bool is_of_links_only =
    []<class... Others>(std::variant<Others...>*) {
        return (std::is_same_v<One, Others> || ...);
    }(static_cast<std::variant<Hello, StreamResumed, Skip, Acknowledged, Settled, Prove,
                               RecordProof, LeafFingerprints>*>(nullptr));

// True for frames that count against the receiver's credit, and are acknowledged.
bool is_data(const Frame& frame);

// The bytes of a leaf in a summary, without its office and size.
Bytes encode_leaf(const LeafSummary& leaf);
// malformed or limit_exceeded.
Result<LeafSummary> decode_leaf(OfficeId office, BytesView bytes);

Bytes encode_frame(const Frame& frame);
// malformed or limit_exceeded. unsupported: a frame of a later release, to be skipped.
Result<Frame> decode_frame(BytesView bytes);

}  // namespace fieldpost
