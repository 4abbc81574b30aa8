// The frames that two offices exchange over a link, as checked values. WIRE.md "Frames".
//
// Promise: decode_frame accepts only what WIRE.md allows and allocates no more than the frame is
// long. Headers inside DATA frames stay elided here: they need what the frame said before them.
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
// Where there are many offices, fingerprints are of all whose index leaves the same remainder.
inline constexpr std::size_t bucket_count = 64;
// Told of a leaf where there are more registers, those with the highest versions.
inline constexpr std::size_t newest_registers = 16;

using LeafFingerprint = ByteArray<struct LeafFingerprintTag, 4>;
using ShortFingerprint = ByteArray<struct ShortFingerprintTag, 3>;
// Of all registers of a leaf. Nobody gains by two lists that look alike but who signed both, and
// need not have signed the second.
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
    // Position is index. Empty: the digest is one that this pair settled on before.
    std::vector<LeafFingerprint> leaf_fingerprints;
    // Of each bucket, instead, where there are more offices than buckets. Empty, or bucket_count.
    std::vector<LeafFingerprint> bucket_fingerprints;
    // Then also: how many numbers it does not want. Who has fewer tells first what it has.
    std::uint32_t numbers_known = 0;
    std::uint32_t credit_bytes = 0;
    WallTime clock;
    bool clock_doubtful = false;
    bool carries = true;
    std::uint32_t record_bytes_max = record_bytes_taken();
    std::uint32_t life = 0;  // of the daemon that says it; 0: not said
    // The receiver's keys are in use on two machines, which take turns here.
    bool is_doubled = false;
    bool operator==(const Hello&) const = default;
};

// The next changes of the chain, in order.
struct RosterNews {
    std::vector<RosterChange> changes;
    bool operator==(const RosterNews&) const = default;
};

// What is there of a body under way. Parts are numbered from 1: of a one-piece body there is one;
// of a larger one part 1 is the list of segment hashes, and segment k is part k + 2.
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

// All there is of one office.
struct LeafSummary {
    OfficeId office{};
    std::vector<LogSummary> logs;
    std::vector<RegisterSummary> registers;
    // Of all, where only the newest are listed, or none.
    std::optional<RegistersHash> all_registers{};
    // Logs that are not listed are closed.
    bool is_closed = false;
    bool operator==(const LeafSummary&) const = default;
};

// Of the logs that a leaf does not list, those below this one are closed (WIRE.md 6): all of its
// office if the leaf is closed, and those below the lowest where it lists as many as it may.
LogKey closed_below(const LeafSummary& leaf);

// A piece of a leaf that is too large for a frame.
struct LeafPart {
    OfficeId office{};
    Bytes bytes;
    bool is_last = false;
    bool operator==(const LeafPart&) const = default;
};

// Replaces what is known of the offices named. `whole`: offices not named are empty.
struct Summary {
    bool whole = false;
    std::vector<LeafSummary> leaves{};  // by office, ascending
    // The next frame goes on with it; only the last one can be whole.
    bool more = false;
    // In place of `leaves`: its pieces follow each other in frames of their own.
    std::optional<LeafPart> part{};
    // As read: whose leaves broke a rule. The others are as good as ever.
    std::vector<OfficeId> damaged{};
    bool operator==(const Summary&) const = default;
};

// Of each office of the roster, ascending, whose bucket is named; the receiver answers with a
// summary of those that it finds different.
struct LeafFingerprints {
    std::uint64_t buckets = 0;  // bit b: those of bucket b
    std::vector<ShortFingerprint> fingerprints;
    bool operator==(const LeafFingerprints&) const = default;
};

struct RegisterNews {
    std::vector<Register> registers;
    bool operator==(const RegisterNews&) const = default;
};

// Whole records, each: elided header, signature, sealed body.
struct RecordNews {
    std::vector<Bytes> records;
    bool operator==(const RecordNews&) const = default;
};

// The beginning of a record that travels in chunks. Streams are numbered by their sender.
struct StreamOpened {
    std::uint32_t stream = 0;
    Bytes elided_header;  // against nothing
    Signature signature;
    Hash body_hash;
    bool operator==(const StreamOpened&) const = default;
};

// The same for a record whose header the receiver has, as its summary said.
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

// The first three: it is in N from here on. The others: it is still lacking, and the pair does not
// settle before the receiver has told that leaf again. A number that is none of these is read as
// `later`.
enum class SkipReason : std::uint8_t {
    have = 0,
    terminal = 1,
    refused = 2,
    elsewhere = 3,  // another source is bringing it
    bad = 4,    // what came is not what its author signed; or nothing of it is here to go on with
    later = 5,  // there is no room now
};
// Whether the receiver still lacks what it skipped.
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

// Nothing is left to push; our digest now.
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

// Frames that ask, answer or belong to one link: no bundle holds them.
template <class One>
inline constexpr bool is_of_links_only =
    []<class... Others>(std::variant<Others...>*) {
        return (std::is_same_v<One, Others> || ...);
    }(static_cast<std::variant<Hello, StreamResumed, Skip, Acknowledged, Settled, Prove,
                               RecordProof, LeafFingerprints>*>(nullptr));

// Counted against the receiver's credit, and acknowledged.
bool is_data(const Frame& frame);

// A leaf as it lies in a summary, without its office and size.
Bytes encode_leaf(const LeafSummary& leaf);
// malformed or limit_exceeded.
Result<LeafSummary> decode_leaf(OfficeId office, BytesView bytes);

Bytes encode_frame(const Frame& frame);
// malformed or limit_exceeded. unsupported: a frame of a later release, to be skipped.
Result<Frame> decode_frame(BytesView bytes);

}  // namespace fieldpost
