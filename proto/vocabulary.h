// The words that all of fieldpost uses, as types. Each is defined for people in daemon/DESIGN.md.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

#include "proto/bytes.h"

namespace fieldpost {

using Hash = ByteArray<struct HashTag, 32>;                    // BLAKE2b-256
using RecordId = ByteArray<struct RecordIdTag, 32>;            // proto/WIRE.md, "Record id"
using NetworkId = ByteArray<struct NetworkIdTag, 32>;          // hash of the founding statement
using Signature = ByteArray<struct SignatureTag, 64>;          // Ed25519
using SigningPublic = ByteArray<struct SigningPublicTag, 32>;  // Ed25519
using BoxPublic = ByteArray<struct BoxPublicTag, 32>;          // X25519
using ShortHash = ByteArray<struct ShortHashTag, 8>;           // the first 8 bytes of a hash or id

// The first 8 bytes of a hash or id. Receipts, leaves and custody carry them.
template <class Tag>
ShortHash short_hash(const ByteArray<Tag, 32>& hash) {
    ShortHash result;
    std::ranges::copy(hash.first(ShortHash::size), result.bytes.begin());
    return result;
}

// The index of an office in the roster. It names one set of keys for ever.
enum class OfficeId : std::uint16_t {};
// The signer of the authority's own statements. No office signs them.
inline constexpr OfficeId authority_signer{0xfeff};
// Indexes from here on name groups, not offices.
inline constexpr OfficeId group_base{0xff00};
constexpr std::uint16_t value_of(OfficeId id) {
    return static_cast<std::uint16_t>(id);
}
constexpr bool is_group(OfficeId id) {
    return id >= group_base;
}

// The three roles, and the groups that carry their names. The numbers are on the wire.
enum class Role : std::uint8_t { field = 0, relay = 1, hq = 2 };
inline constexpr std::uint8_t roles = 3;
inline constexpr OfficeId group_of_all = group_base;
constexpr OfficeId group_of(Role role) {
    return OfficeId{
        static_cast<std::uint16_t>(value_of(group_base) + 1 + static_cast<std::uint16_t>(role))};
}
// The groups that this release knows; a later one may name others.
constexpr bool is_known_group(OfficeId id) {
    return is_group(id) && value_of(id) <= value_of(group_base) + roles;
}

// One life of an office's store. Ordered as one number: the ordinal decides.
struct Incarnation {
    std::uint16_t ordinal = 0;
    std::uint32_t random = 0;
    auto operator<=>(const Incarnation&) const = default;
};

// The class is also the order in which classes are sent (daemon/DESIGN.md "A session").
enum class RecordClass : std::uint8_t { reply = 0, urgent = 1, normal = 2, bulk = 3 };
inline constexpr std::uint8_t record_classes = 4;

// The place of a report in one office: received, written there, or carried for others. Stores hold
// the first two numbers.
enum class Box : std::uint8_t { inbox = 1, outbox = 2, carried = 4 };

// The records of one office, incarnation and class, numbered from 1.
struct LogKey {
    OfficeId author{};
    Incarnation incarnation;
    RecordClass record_class{};
    auto operator<=>(const LogKey&) const = default;
};

using Number = std::uint32_t;
// No record has the number above this. A set of numbers that holds that number says that the log is
// closed from there on.
inline constexpr Number record_number_max = UINT32_MAX - 1;

// The log and number of a report when it was first written. The report keeps this name when it is
// reissued under another number.
struct Origin {
    static constexpr std::size_t size = 11;
    Incarnation incarnation;
    RecordClass record_class{};
    Number number = 0;
    auto operator<=>(const Origin&) const = default;
};

// How one report names another: in reply_to, in replaces, in acknowledgements. A record id never
// serves for this, because it changes when the report is reissued.
using ReportHashPrefix = ByteArray<struct ReportHashPrefixTag, 16>;
struct ReportRef {
    static constexpr std::size_t size = 2 + Origin::size + ReportHashPrefix::size;
    OfficeId author{};
    Origin origin;
    ReportHashPrefix hash;
    auto operator<=>(const ReportRef&) const = default;
};

void write(ByteWriter& out, Incarnation incarnation);
void write(ByteWriter& out, const Origin& origin);
void write(ByteWriter& out, const ReportRef& ref);
Result<Incarnation> read_incarnation(ByteReader& in);
// Reads an incarnation, or six zeros for none. The authority has no incarnations, and an office may
// have had none.
Result<Incarnation> read_incarnation_or_none(ByteReader& in);
Result<RecordClass> read_record_class(ByteReader& in);
Result<Origin> read_origin(ByteReader& in);
Result<ReportRef> read_report_ref(ByteReader& in);

// Seconds since 2025-01-01T00:00:00Z, by a clock that may be wrong. It is stored and signed.
struct WallTime {
    static constexpr std::int64_t unix_offset = 1'735'689'600;
    std::uint32_t seconds = 0;
    auto operator<=>(const WallTime&) const = default;

    [[nodiscard]] constexpr std::int64_t unix_seconds() const { return unix_offset + seconds; }
    // A time before 2025 becomes the first that can be said, a time after 2161 the last. Such
    // clocks are wrong anyway.
    static constexpr WallTime from_unix(std::int64_t seconds_since_1970) {
        const auto since =
            std::clamp<std::int64_t>(seconds_since_1970 - unix_offset, 0, UINT32_MAX);
        return {static_cast<std::uint32_t>(since)};
    }
    [[nodiscard]] constexpr WallTime plus(std::int64_t duration_seconds) const {
        return from_unix(unix_seconds() + duration_seconds);
    }
    // For the end of something that lasts. The last time that can be said stands for all later ones
    // and is never reached. Otherwise a clock at the end of time would end everything at once.
    [[nodiscard]] constexpr bool is_over_at(WallTime now) const {
        return *this <= now && seconds != UINT32_MAX;
    }
    // For the clock of a machine. Zero is a time before this project began, so the clock has lost
    // the time.
    [[nodiscard]] constexpr bool is_surely_wrong() const { return seconds == 0; }
};

// Monotonic time since this process began. Never stored, never sent.
struct Instant {
    std::chrono::milliseconds since_start{0};
    auto operator<=>(const Instant&) const = default;
    friend constexpr Instant operator+(Instant at, std::chrono::milliseconds d) {
        return {at.since_start + d};
    }
    friend constexpr std::chrono::milliseconds operator-(Instant a, Instant b) {
        return a.since_start - b.since_start;
    }
};

struct Now {
    Instant steady;
    WallTime wall;
};

}  // namespace fieldpost
