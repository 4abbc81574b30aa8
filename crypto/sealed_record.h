// Records sealed to their recipients and signed by their author. crypto/DESIGN.md has the security
// argument.
//
// Promise: a record that opens was sealed by the author whose key is given, for the office that
// opens it. Its content is equal for every recipient. Not here: whether the author may still write
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

// Compresses, pads and seals. These fields of `draft` are used: log, number, count, flags, kind,
// created, lifetime, extension and, where a recipient is a group, the roster version. `attachments`
// are the bytes of all attachments in order.
//
// limit_exceeded: the body is over the limit of its class, or of a run. untrusted: a recipient's
// key is no usable key.
Result<SealedRecord> seal_record(const NetworkId& network, const SigningPublic& author,
                                 Header draft, const std::vector<Recipient>& recipients,
                                 const std::vector<ReportUnit>& units, BytesView attachments);

// The file key that `header` holds for this office or group under this key. untrusted: the record
// is not addressed to it under this epoch, or is sealed to another key.
Result<FileKey> unwrap_file_key(const NetworkId& network, const SigningPublic& author,
                                const Header& header, OfficeId office, std::uint16_t epoch,
                                const BoxKeyPair& prekey);

// The content of a sealed body, once it is open.
struct OpenedBody {
    std::vector<ReportUnit> units;
    Bytes attachments;
};
// untrusted: the seal does not open. malformed: it opens, and breaks a rule of WIRE.md "Body".
Result<OpenedBody> open_body(const NetworkId& network, const SigningPublic& author,
                             const Header& header, const FileKey& file_key, BytesView body);

// Opens the reports alone. They come first, so only the pieces of a large body that hold them are
// opened. `piece` gives a sealed piece, counted from 0. A failure of `piece` is passed on.
using PieceSource = std::function<Result<Bytes>(std::uint32_t piece)>;
Result<std::vector<ReportUnit>> open_reports(const NetworkId& network, const SigningPublic& author,
                                             const Header& header, const FileKey& file_key,
                                             const PieceSource& piece);

// Opens `size` bytes of the attachments, from `offset` of all of them together. Only the pieces that
// hold them are opened, so a large attachment can be read in parts. malformed: they end before.
Result<Bytes> open_attachment_bytes(const NetworkId& network, const SigningPublic& author,
                                    const Header& header, const FileKey& file_key,
                                    const PieceSource& piece, std::uint64_t offset,
                                    std::size_t size);

// A body that opens and keeps all rules, in the parts that a recipient has to know. It is checked
// piece by piece, and is never in memory as a whole. Errors as open_body().
struct CheckedBody {
    std::vector<ReportUnit> units;
    std::vector<Hash> attachments;  // of all reports, in order
};
Result<CheckedBody> check_body(const NetworkId& network, const SigningPublic& author,
                               const Header& header, const FileKey& file_key,
                               const PieceSource& piece);

// Takes the plaintext of a body apart. malformed or limit_exceeded: it breaks a rule of WIRE.md
// "Body" or "Report", or has not exactly `count` reports.
Result<OpenedBody> decode_body(BytesView plain, std::size_t count);

// `attachments` holds the bytes of this report's attachments, in order.
Hash report_hash(const NetworkId& network, OfficeId author, const Origin& origin, BytesView report,
                 const std::vector<BytesView>& attachments);
// The hash of the report, given the hash of each attachment in place of its bytes.
Hash report_hash(const NetworkId& network, OfficeId author, const Origin& origin, BytesView report,
                 std::span<const Hash> attachments);
Hash attachment_hash(const NetworkId& network, BytesView attachment);

}  // namespace fieldpost::crypto
