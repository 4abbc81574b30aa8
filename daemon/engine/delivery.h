// The last step: what is addressed to this office is opened, put into its inbox once, and
// receipted.
#pragma once

#include "daemon/engine/intake.h"

namespace fieldpost::engine {

// Files a record addressed to this office. One that does not open is kept and told as unreadable.
Result<void> deliver(Ledger& ledger, const storage::StoredRecord& record, const Header& header,
                     const Body& body, Via from, Now now, std::vector<Notice>& notify);

// Its header was read whole: the numbers may stand in our receipts.
void mark_receipted(Ledger& ledger, const Header& header, const RecordId& id);

// The bytes of a stored record's sealed body, wherever they lie. corrupt: a part is missing.
Result<Bytes> body_of(const storage::RecordStore& store, const storage::StoredRecord& record);

// What opens a record in a box: to whom may read mail here, not to whom may start the machine. The
// hashes of its reports go with it if telling them takes all of a body.
Bytes seal_for_archive(const Ledger& ledger, const crypto::FileKey& key, const Header& header,
                       const std::vector<ReportUnit>& units, std::span<const Hash> attachments);
// Of the attachments of these reports, whose bytes follow each other. corrupt: there are too few.
Result<std::vector<Hash>> attachment_hashes(const NetworkId& network,
                                            const std::vector<ReportUnit>& units, BytesView bytes);

// What a record in our inbox or outbox says. untrusted: locked, forgotten or unreadable.
struct OpenedRecord {
    Header header;
    std::vector<ReportUnit> units;
    std::vector<Report> reports;
    std::vector<Hash> hashes;
    Bytes attachments;  // if they were asked for
};
enum class Opening : std::uint8_t { reports, attachments };
Result<OpenedRecord> open_archived(const Ledger& ledger, const storage::StoredRecord& record,
                                   const storage::ArchiveEntry& entry, Opening opening);

}  // namespace fieldpost::engine
