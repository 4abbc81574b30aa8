// Registers: signed statements, of which only the newest counts. Also custody: statements that go
// to one office only.
//
// Promise: decode accepts only canonical bytes, and keeps what was signed verbatim. Nothing here
// verifies a signature (crypto/register_seal.h).
#pragma once

#include <map>
#include <vector>

#include "proto/interval_set.h"
#include "proto/record.h"
#include "proto/roster_change.h"
#include "proto/vocabulary.h"

namespace fieldpost {

inline constexpr std::uint8_t register_version = 1;

enum class RegisterKind : std::uint8_t {
    receipt = 1,      // subject: author 2
    office = 2,       // no subject
    epoch_slots = 3,  // by the authority; proto/epoch_slots.h
    enrolment = 4,    // subject: the index that the invitation reserved
    fork = 5,         // subject: incarnation 6, class 1; unsigned, its signer is the accused office
};

// Orders two registers of one signer, kind and subject: the greater one is newer.
struct RegisterVersion {
    Incarnation incarnation;
    std::uint64_t counter = 0;  // 48 bits, one for all registers of an incarnation
    auto operator<=>(const RegisterVersion&) const = default;
};

struct RegisterKey {
    OfficeId signer{};
    std::uint8_t kind = 0;  // kinds of later releases are kept and passed on
    Bytes subject;
    auto operator<=>(const RegisterKey&) const = default;
};

struct Register {
    RegisterKey key;
    RegisterVersion version;
    WallTime at;
    Bytes payload;
    Signature signature;
    // For epoch slots, in place of `signature`.
    std::vector<AuthoritySignature> authority_signatures{};
    bool operator==(const Register&) const = default;
    [[nodiscard]] bool is_of_authority() const {
        return key.kind == static_cast<std::uint8_t>(RegisterKind::epoch_slots);
    }
};

// All bytes before the signature. They are signed and hashed.
Bytes signed_bytes(const Register& entry);
Bytes encode_register(const Register& entry);
// malformed, limit_exceeded, or unsupported for another version. Reads one register from the front.
Result<Register> read_register(ByteReader& in);

// Why an office does not take a record now. Receipts tell it. The numbers are on the wire.
enum class RefusalReason : std::uint8_t {
    no_room = 1,         // released when there is space
    unknown_author = 2,  // released when the roster knows the author
    roster = 3,          // beyond a cut-off, or not addressable; released by a roster change
    limit = 4,           // larger than this office takes; released by configuration
    version = 5,         // made by a newer release; released by an upgrade
    invalid = 6,         // breaks a rule; this id is never taken
};
inline constexpr std::uint8_t refusal_reason_max = 6;

// The part of one log that an office has as a recipient. The author of the log is the subject of
// the register.
struct ReceiptLog {
    Incarnation incarnation;
    RecordClass record_class{};
    // A hash of the ids of the records at the tops of the runs of `received` and `unreadable`
    // together (daemon/engine/record/tops.h).
    ShortHash tops;
    IntervalSet received;
    IntervalSet unreadable;
    // Reasons ascending. Unknown reasons are kept.
    std::map<std::uint8_t, IntervalSet> refused;
    bool operator==(const ReceiptLog&) const = default;
};

struct Receipt {
    std::vector<ReceiptLog> logs;  // ascending by incarnation and class
    bool operator==(const Receipt&) const = default;
};

Bytes encode_receipt(const Receipt& receipt);
Result<Receipt> decode_receipt(BytesView payload);
Bytes receipt_subject(OfficeId author);
Result<OfficeId> read_receipt_subject(BytesView subject);

// The statement of an office that it carries records of one author. It is not a register: it goes
// to that author only, and the newest one counts.
struct CustodyLog {
    Incarnation incarnation;
    RecordClass record_class{};
    ShortHash tops;
    IntervalSet held;
    bool operator==(const CustodyLog&) const = default;
};

struct Custody {
    OfficeId signer{};
    RegisterVersion version;
    OfficeId author{};
    WallTime at;
    std::vector<CustodyLog> logs;  // ascending by incarnation and class
    Signature signature;
    bool operator==(const Custody&) const = default;
};

Bytes signed_bytes(const Custody& custody);
Bytes encode_custody(const Custody& custody);
Result<Custody> read_custody(ByteReader& in);

// One side of a fork, and the answer to PROVE: enough to check that the author signed a record.
struct RecordProof {
    KeyPart key;
    Hash header_rest;
    Hash body;
    Signature signature;
    bool operator==(const RecordProof&) const = default;
};
void write(ByteWriter& out, const RecordProof& proof);
Result<RecordProof> read_record_proof(ByteReader& in);

// The number from which a fork register closes its log: the lower start of its two runs. Nothing if
// `entry` is no fork register.
std::optional<Number> fork_start(const Register& entry);

// A new office's request to be admitted, signed by the one-time key of its invitation.
struct Enrolment {
    SigningPublic identity;
    BoxPublic link;
    SigningPublic mail;
    Signature one_time_signature;
    bool operator==(const Enrolment&) const = default;
};
// The bytes that the one-time key signs under the label "enrol".
Bytes enrolment_bytes(OfficeId index, const Enrolment& enrolment);
Bytes encode_enrolment(const Enrolment& enrolment);
Result<Enrolment> decode_enrolment(BytesView payload);
Bytes enrolment_subject(OfficeId index);

}  // namespace fieldpost
