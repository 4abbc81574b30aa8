// The archive: the file key of each record in a box, sealed so that people who may read mail here
// can open it.
//
// While mail is open an entry is sealed under a key that only the holder of the archive secret can
// derive. While mail is locked, the file key of a queued report is sealed to the archive's public
// key, and arriving records wait unopened. Both are filed again once the mail keys are there
// (engine/delivery).
#pragma once

#include "crypto/sealed_record.h"
#include "daemon/engine/ledger.h"

namespace fieldpost::engine {

// The bytes of a stored record's sealed body, wherever they lie. corrupt: a part is missing.
Result<Bytes> body_of(const storage::RecordStore& store, const storage::StoredRecord& record);
// Reads the sealed body piece by piece. `one_piece` is used if there is no blob, and must outlive
// the source.
crypto::PieceSource pieces_of(const Ledger& ledger, storage::Blob blob, BytesView one_piece,
                              BodyShape shape);

// The name that people know a report by. A reissued report keeps its first name.
Origin origin_of(const Header& header, const ReportUnit& unit, std::size_t position);

// The hashes of all reports of a record, in order, given those of their attachments. corrupt: there
// are fewer attachments than the reports have.
Result<std::vector<Hash>> report_hashes(const Ledger& ledger, const Header& header,
                                        const std::vector<ReportUnit>& units,
                                        std::span<const Hash> attachments);

// Seals the file key into `entry`, in one form for open mail and in another for locked mail. The
// hashes of the reports are sealed with it if computing them later would need the whole body.
void seal_for_archive(const Ledger& ledger, const crypto::FileKey& key, const Header& header,
                      const std::vector<ReportUnit>& units, std::span<const Hash> attachments,
                      storage::ArchiveEntry& entry);
// Writes an entry that was made while mail was locked, or by schema 1, in the form for open mail.
// Errors as crypto::open_value; untrusted: mail is locked.
Result<void> file_again(Ledger& ledger, const storage::StoredRecord& record, const Header& header,
                        storage::ArchiveEntry entry);
// The hashes of the attachments of these reports, whose bytes follow each other. corrupt: there
// are too few bytes.
Result<std::vector<Hash>> attachment_hashes(const NetworkId& network,
                                            const std::vector<ReportUnit>& units, BytesView bytes);

// The content of a record in our inbox or outbox. untrusted: locked, forgotten or unreadable.
struct OpenedRecord {
    Header header;
    std::vector<ReportUnit> units;
    std::vector<Report> reports;  // one that was forgotten is empty, and so are its bytes
    std::vector<Hash> hashes;
    Bytes attachments;  // only for Opening::attachments
};
enum class Opening : std::uint8_t { reports, attachments };
Result<OpenedRecord> open_archived(const Ledger& ledger, const storage::StoredRecord& record,
                                   const storage::ArchiveEntry& entry, Opening opening);

// The bytes of the attachments of report `position`, from and to, among those of the whole record.
std::pair<std::size_t, std::size_t> attachments_of(const OpenedRecord& opened,
                                                   std::size_t position);

// Destroys the file key of an opened record. `entry` keeps the hash of each report, and what is
// left of the content: a report of which the bytes are empty is forgotten. Mail must be open.
void seal_what_is_left(const Ledger& ledger, const OpenedRecord& opened,
                       storage::ArchiveEntry& entry);
// Destroys the sealed body of a record that is held for nobody. Its id can still be proved.
Result<void> drop_body(Ledger& ledger, storage::Arrival arrival);

// The key of the report that arrived so, from the place of its record alone. Nothing: no report
// arrived so.
Result<std::optional<storage::ReportKey>> key_at(const Ledger& ledger, storage::Arrival arrival);
// One report in our inbox or outbox, opened.
struct ArchivedReport {
    storage::ReportKey key;
    Header header;
    Report report;
    Hash hash;
};
// Nothing: no report arrived so, or it cannot be read here.
Result<std::optional<ArchivedReport>> archived_at(const Ledger& ledger, storage::Arrival arrival);
// False if the report that arrived so has another hash. True also if its hash is not known here.
Result<bool> may_have_hash(const Ledger& ledger, storage::Arrival arrival,
                           const ReportHashPrefix& hash);

// `size` bytes of the attachments of a record, from `offset` of all of them together.
Result<Bytes> attachment_bytes(const Ledger& ledger, const storage::StoredRecord& record,
                               const storage::ArchiveEntry& entry, std::uint64_t offset,
                               std::size_t size);

}  // namespace fieldpost::engine
