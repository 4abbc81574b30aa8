// A record's header: the part that every carrier reads, keeps and passes on verbatim.
//
// Promise: decode_header accepts exactly the bytes that proto/WIRE.md allows. Accepted bytes
// stay as the author signed them: the received bytes are kept, never a re-serialised copy. Nothing
// here verifies a signature (crypto/sealed_record.h) or opens a body.
#pragma once

#include <optional>
#include <vector>

#include "proto/bytes.h"
#include "proto/interval_set.h"
#include "proto/vocabulary.h"

namespace fieldpost {

inline constexpr std::uint8_t record_version = 1;
// Version, author, incarnation, class, number and count: the same in every version for ever.
inline constexpr std::size_t key_part_bytes = 15;
inline constexpr std::size_t prev_bytes = 16;
inline constexpr std::size_t prev_offset = key_part_bytes + 2;

enum class RecordKind : std::uint8_t {
    report = 0,
    acknowledgement = 1,
    withdrawal = 2,
    resend = 3
};
inline constexpr std::uint8_t record_kinds = 4;

// Bit 0 of the flags: the author's clock was below its mark at boot, and no peer has confirmed the
// clock.
inline constexpr std::uint8_t flag_doubtful = 1;

using PrevId = ByteArray<struct PrevIdTag, prev_bytes>;
using KeyCommitment = ByteArray<struct KeyCommitmentTag, 32>;
using WrappedKey = ByteArray<struct WrappedKeyTag, 16>;

// The first 16 bytes of an id. The next header of its log carries them.
inline ShortHash short_hash(const PrevId& prev) {
    ShortHash result;
    std::ranges::copy(prev.first(ShortHash::size), result.bytes.begin());
    return result;
}
inline PrevId prev_of(const RecordId& id) {
    PrevId prev;
    std::ranges::copy(id.first(prev_bytes), prev.bytes.begin());
    return prev;
}

// The file key for one recipient: an office under one of its prekeys, or a group.
struct Stanza {
    OfficeId recipient{};
    std::uint16_t epoch = 0;
    WrappedKey wrapped;
    bool operator==(const Stanza&) const = default;
};

struct Header {
    LogKey log;
    Number number = 1;
    std::uint8_t count = 1;
    std::uint8_t flags = 0;
    // Kept as a number: kinds of later releases are carried too.
    std::uint8_t kind = 0;
    PrevId prev;
    WallTime created;
    std::uint32_t lifetime_seconds = 0;
    // The sealed body, tags included.
    std::uint32_t body_bytes = 0;
    BoxPublic ephemeral;
    KeyCommitment commitment;
    std::vector<Stanza> stanzas;
    // Present exactly when a stanza names a group. The members in this roster version are the
    // recipients.
    std::optional<std::uint32_t> group_roster_version;
    Bytes extension;

    bool operator==(const Header&) const = default;
    [[nodiscard]] Interval run() const { return run_of(number, count); }
    // The members of its groups are recipients too: daemon/engine/record/addressees.h.
    [[nodiscard]] bool has_stanza_for(OfficeId recipient) const;
};

Bytes encode_header(const Header& header);
// malformed: breaks a rule of WIRE.md "Header". limit_exceeded: over limits::. unsupported: a
// version that this release does not know; key_part still reads it.
Result<Header> decode_header(BytesView bytes);

// The rules of WIRE.md "Header" for a header in memory. decode_header has checked them.
Result<void> check_header(const Header& header);

// The beginning of a header of any version.
struct KeyPart {
    std::uint8_t version = record_version;
    LogKey log;
    Number number = 1;
    std::uint8_t count = 1;
    bool operator==(const KeyPart&) const = default;
    [[nodiscard]] Interval run() const { return run_of(number, count); }
};
void write(ByteWriter& out, const KeyPart& part);
Result<KeyPart> read_key_part(ByteReader& in);
inline KeyPart key_part_of(const Header& header) {
    return {record_version, header.log, header.number, header.count};
}

// How a sealed body of `body_bytes` is cut. Up to limits::one_piece_bytes_max it is one piece.
struct BodyShape {
    std::uint32_t body_bytes = 0;
    [[nodiscard]] bool is_one_piece() const;
    [[nodiscard]] std::uint32_t segment_count() const;
    // The offset of segment `index`, and its sealed size.
    [[nodiscard]] std::uint32_t segment_offset(std::uint32_t index) const;
    [[nodiscard]] std::uint32_t segment_size(std::uint32_t index) const;
};
inline constexpr std::uint32_t tag_bytes = 16;
// The shape of a plaintext once it is sealed.
BodyShape sealed_shape(std::size_t plaintext_bytes);
// limit_exceeded or malformed: no plaintext seals to this size, or it is over the class's limit.
Result<void> check_body_bytes(std::uint32_t body_bytes, RecordClass record_class);

// Padme (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with
// PURBs", PETS 2019): at most 12 % more, and the length tells O(log log n) bits.
std::size_t padme_size(std::size_t bytes);
// The largest Padme size that is not over `bytes`.
std::size_t padme_size_within(std::size_t bytes);

// Elision: a header is sent against the header before it in the same frame or bundle piece, of
// any log.
struct Neighbour {
    Header header;
    RecordId id;
};
// `before` is the last header sent in this frame, or nothing at the start of one.
Bytes elide_header(const Header& header, const Neighbour* before);
// Restores exactly the header that elide_header was given, and checks its key part. A header
// without a valid key part cannot be named, so no office may remember it.
//
// The caller keeps `before` from what it received, and must call check_header. A header that its
// author signed against the other rules is known by its id, and is refused.
//
// unsupported: a header of another version. Nothing is remembered of it.
Result<Header> restore_header(ByteReader& in, const Neighbour* before);

// The header extension: Protocol Buffers wire format. Field numbers below 128 are singular in every
// version; the others may repeat. Therefore a repeated field below 128 is refused even if this
// release does not know it.
Result<void> check_extension(BytesView extension);

}  // namespace fieldpost
