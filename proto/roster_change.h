// The founding statement and the changes of the roster, as bytes. The rules for signers and for the
// meaning of a chain of changes are in crypto/roster.h.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "proto/vocabulary.h"

namespace fieldpost {

// 1 to 32 characters of a-z, 0-9 and '-'. It starts with a letter, ends in a letter or digit, and
// has no "--". Names that look like an id, such as "camp-2" or "camp-u7", are refused.
bool is_office_name(std::string_view name);

// One of several signatures. Its key is the one with this number in the founding statement.
struct AuthoritySignature {
    std::uint8_t key_number = 0;
    Signature signature;
    bool operator==(const AuthoritySignature&) const = default;
};
void write(ByteWriter& out, const std::vector<AuthoritySignature>& signatures);
Result<std::vector<AuthoritySignature>> read_authority_signatures(ByteReader& in);

struct Founding {
    std::string network_name;
    WallTime at;
    std::uint8_t threshold = 1;
    std::vector<SigningPublic> authority_keys;
    Hash founding_key_hash;
    std::vector<AuthoritySignature> signatures;
    bool operator==(const Founding&) const = default;
};
Bytes signed_bytes(const Founding& founding);
Bytes encode_founding(const Founding& founding);
Result<Founding> decode_founding(BytesView bytes);

inline constexpr OfficeId no_office{0xffff};

struct Admit {
    OfficeId index{};
    Role role{};
    std::uint16_t first_ordinal = 1;
    SigningPublic identity;
    BoxPublic link;
    SigningPublic mail;
    OfficeId replaces = no_office;
    std::string name;
    bool operator==(const Admit&) const = default;
};

struct Invitation {
    OfficeId index{};
    Role role{};
    std::uint16_t first_ordinal = 1;
    SigningPublic one_time_signing;
    BoxPublic one_time_box;
    WallTime expires;
    OfficeId replaces = no_office;
    std::string name;
    bool operator==(const Invitation&) const = default;
};

struct CancelInvitation {
    OfficeId index{};
    bool operator==(const CancelInvitation&) const = default;
};

// The part of an office's logs that stays valid after the cut-off. Nothing stays valid of a log
// that is not listed.
struct CutOff {
    struct Log {
        Incarnation incarnation;
        RecordClass record_class{};
        Number last = 0;  // the last number of the last run kept
        RecordId id;      // of the last record kept
        bool operator==(const Log&) const = default;
    };
    std::vector<Log> logs;  // ascending
    Incarnation register_incarnation;
    std::uint64_t register_counter = 0;  // registers and custody beyond it are refused
    bool operator==(const CutOff&) const = default;
};

struct Revoke {
    OfficeId index{};
    CutOff cut_off;
    std::string reason;
    bool operator==(const Revoke&) const = default;
};

// Without `closed` the office is retiring: it drains. With `closed` it has retired, at the cut-off.
struct Retire {
    OfficeId index{};
    OfficeId successor = no_office;
    std::optional<CutOff> closed;
    bool operator==(const Retire&) const = default;
};

// Names the head that is not continued. This ends the freeze that two heads of one version caused.
struct JoinHeads {
    Hash other_head;
    bool operator==(const JoinHeads&) const = default;
};

// A statement of a later release. It is kept with the chain and has no meaning here.
struct UnknownStatement {
    std::uint8_t type = 0;
    Bytes payload;
    bool operator==(const UnknownStatement&) const = default;
};

using RosterStatement =
    std::variant<Admit, Invitation, CancelInvitation, Revoke, Retire, JoinHeads, UnknownStatement>;

struct RosterChange {
    std::uint32_t version = 1;  // 1, 2, 3 ... along the chain
    Hash prev;                  // the hash of the change before; zeros for the first
    WallTime at;
    std::vector<RosterStatement> statements;
    std::vector<AuthoritySignature> signatures;
    bool operator==(const RosterChange&) const = default;
};
Bytes signed_bytes(const RosterChange& change);
Bytes encode_roster_change(const RosterChange& change);
Result<RosterChange> read_roster_change(ByteReader& in);

}  // namespace fieldpost
