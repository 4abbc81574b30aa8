// Records sealed to their recipients and signed by their author. The argument is in
// crypto/DESIGN.md.
//
// Promise: what opens was sealed by the author whose key is given, for the office that opens it,
// and is the same for every recipient. Not here: whether the author may still write
// (crypto/roster.h).
#pragma once

#include <functional>
#include <vector>

#include "crypto/identity.h"
#include "crypto/record_id.h"
#include "proto/report.h"

namespace fieldpost::crypto {

// An office with one of its prekeys, or a group with its key of an epoch.
struct Recipient {
    OfficeId office{};
    std::uint16_t epoch = 0;
    BoxPublic prekey;
};

struct SealedRecord {
    Header header;  // `prev` is zero until publication
    Bytes body;
    FileKey file_key;
};

// Compresses, pads and seals. Of `draft` the log, number, count, flags, kind, created, lifetime,
// extension and, where a recipient is a group, the roster version are used. `attachments` are the bytes of all attachments in order.
// limit_exceeded: the body is over the limit of its class, or of a run.  untrusted: a recipient's
// key is not one.
Result<SealedRecord> seal_record(const NetworkId& network, const SigningPublic& author,
                                 Header draft, const std::vector<Recipient>& recipients,
                                 const std::vector<ReportUnit>& units, BytesView attachments);

// The file key that `header` holds for this office or group under this key. untrusted: not addressed to
// it under this epoch, or another key.
Result<FileKey> unwrap_file_key(const NetworkId& network, const SigningPublic& author,
                                const Header& header, OfficeId office, std::uint16_t epoch,
                                const BoxKeyPair& prekey);

// What was sealed, once it is open.
struct OpenedBody {
    std::vector<ReportUnit> units;
    Bytes attachments;
};
// untrusted: the seal does not open. malformed: it opens, and breaks a rule of WIRE.md "Body".
Result<OpenedBody> open_body(const NetworkId& network, const SigningPublic& author,
                             const Header& header, const FileKey& file_key, BytesView body);

// The reports alone, which come first: of a large body only the pieces that hold them are opened.
// `piece` gives a sealed piece, counted from 0; its failure is passed on.
using PieceSource = std::function<Result<Bytes>(std::uint32_t piece)>;
Result<std::vector<ReportUnit>> open_reports(const NetworkId& network, const SigningPublic& author,
                                             const Header& header, const FileKey& file_key,
                                             const PieceSource& piece);

// A body that opens and keeps all rules, as far as a recipient has to know it: checked piece by
// piece, and never in memory as a whole. Errors as open_body().
struct CheckedBody {
    std::vector<ReportUnit> units;
    std::vector<Hash> attachments;  // of all reports, in order
};
Result<CheckedBody> check_body(const NetworkId& network, const SigningPublic& author,
                               const Header& header, const FileKey& file_key,
                               const PieceSource& piece);

// The plaintext of a body, taken apart. malformed or limit_exceeded: against WIRE.md "Body" or
// "Report", or not `count` reports.
Result<OpenedBody> decode_body(BytesView plain, std::size_t count);

// `attachments` holds the bytes of this report's attachments, in order.
Hash report_hash(const NetworkId& network, OfficeId author, const Origin& origin, BytesView report,
                 const std::vector<BytesView>& attachments);
// With the hash of each in its place.
Hash report_hash(const NetworkId& network, OfficeId author, const Origin& origin, BytesView report,
                 std::span<const Hash> attachments);
Hash attachment_hash(const NetworkId& network, BytesView attachment);

}  // namespace fieldpost::crypto
