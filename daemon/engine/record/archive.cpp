#include "daemon/engine/record/archive.h"

#include "daemon/engine/record/stored_body.h"
#include "proto/compression.h"

namespace fieldpost::engine {

using Form = storage::ArchiveEntry::Form;

Result<Bytes> body_of(const storage::RecordStore& store, const storage::StoredRecord& record) {
    if (record.blob == storage::Blob{}) {
        return record.body;
    }
    const BodyShape shape{TRY(decode_header(record.header)).body_bytes};
    Bytes body;
    body.reserve(shape.body_bytes);
    const std::uint32_t first = shape.is_one_piece() ? 1 : 2;
    for (auto part = first; part <= part_count(shape); ++part) {
        const auto bytes = TRY(store.part(record.blob, part));
        if (!bytes) {
            return fail(Errc::corrupt, "store: a body lacks a part");
        }
        body.insert(body.end(), bytes->begin(), bytes->end());
    }
    return body;
}

Origin origin_of(const Header& header, const ReportUnit& unit, std::size_t position) {
    return unit.origin.value_or(Origin{header.log.incarnation, header.log.record_class,
                                       static_cast<Number>(header.number + position)});
}

// One sealed piece of a stored body, from the record or from a part in the store.
crypto::PieceSource pieces_of(const Ledger& ledger, storage::Blob blob, BytesView one_piece,
                              BodyShape shape) {
    return [&ledger, blob, one_piece, shape](std::uint32_t piece) -> Result<Bytes> {
        if (blob == storage::Blob{}) {
            return to_bytes(one_piece);
        }
        const auto part = shape.is_one_piece() ? 1 : piece + 2;
        auto bytes = TRY(ledger.store().part(blob, part));
        return bytes ? Result<Bytes>(std::move(*bytes))
                     : fail(Errc::corrupt, "store: a body lacks a part");
    };
}

Result<std::vector<Hash>> report_hashes(const Ledger& ledger, const Header& header,
                                        const std::vector<ReportUnit>& units,
                                        std::span<const Hash> attachments) {
    std::vector<Hash> hashes;
    for (std::size_t i = 0; i < units.size(); ++i) {
        const auto files = TRY(decode_report(units[i].report)).attachments.size();
        if (files > attachments.size()) {
            return fail(Errc::corrupt, "record: fewer attachments than its reports have");
        }
        hashes.push_back(crypto::report_hash(ledger.network(), header.log.author,
                                             origin_of(header, units[i], i), units[i].report,
                                             attachments.first(files)));
        attachments = attachments.subspan(files);
    }
    return hashes;
}

namespace {

// An entry opens only in its table, in its form, and beside the record that it was made for.
Bytes context_of(const Header& header, Form form) {
    ByteWriter context;
    if (form != Form::of_schema_1) {
        context.raw(as_bytes("archive"));
        context.u8(static_cast<std::uint8_t>(form));
    }
    write(context, key_part_of(header));
    if (form != Form::of_schema_1) {
        context.raw(header.commitment.view());
    }
    return context.take();
}

Result<Bytes> open_content(const Ledger& ledger, const Header& header,
                           const storage::ArchiveEntry& entry) {
    const auto* mail = ledger.config().mail;
    if (mail == nullptr) {
        return fail(Errc::untrusted, "record: mail is locked");
    }
    const auto context = context_of(header, entry.form);
    switch (entry.form) {
        case Form::own_key:
        case Form::of_schema_1:
        case Form::forgotten:
            return crypto::open_value(crypto::own_key_of(mail->archive, ledger.network()), context,
                                      entry.sealed_file_key);
        case Form::public_key:
            return crypto::open_sealed_to(mail->archive, ledger.network(), context,
                                          entry.sealed_file_key);
        case Form::unopened:
        case Form::unreadable:
            break;
    }
    return fail(Errc::untrusted, "record: not opened, or unreadable");
}

}  // namespace

Result<std::vector<Hash>> attachment_hashes(const NetworkId& network,
                                            const std::vector<ReportUnit>& units, BytesView bytes) {
    std::vector<Hash> hashes;
    for (const auto& unit : units) {
        for (const auto& file : TRY(decode_report(unit.report)).attachments) {
            if (file.size > bytes.size()) {
                return fail(Errc::corrupt, "record: shorter than its attachments");
            }
            hashes.push_back(crypto::attachment_hash(network, bytes.first(file.size)));
            bytes = bytes.subspan(file.size);
        }
    }
    return hashes;
}

void seal_for_archive(const Ledger& ledger, const crypto::FileKey& key, const Header& header,
                      const std::vector<ReportUnit>& units, std::span<const Hash> attachments,
                      storage::ArchiveEntry& entry) {
    ByteWriter content;
    content.raw(key.view());
    if (!attachments.empty()) {
        const auto hashes = report_hashes(ledger, header, units, attachments);
        ensure(hashes.has_value(), "what was opened or sealed has all its attachments");
        for (const auto& hash : *hashes) {
            content.raw(hash.view());
        }
    }
    const auto* mail = ledger.config().mail;
    entry.form = mail != nullptr ? Form::own_key : Form::public_key;
    const auto context = context_of(header, entry.form);
    entry.sealed_file_key =
        mail != nullptr ? crypto::seal_value(crypto::own_key_of(mail->archive, ledger.network()),
                                             context, content.bytes())
                        : crypto::seal_to(ledger.meta().archive_key, ledger.network(), context,
                                          content.bytes());
}

Result<void> file_again(Ledger& ledger, const storage::StoredRecord& record, const Header& header,
                        storage::ArchiveEntry entry) {
    const auto content = TRY(open_content(ledger, header, entry));
    entry.form = Form::own_key;
    entry.sealed_file_key =
        crypto::seal_value(crypto::own_key_of(ledger.config().mail->archive, ledger.network()),
                           context_of(header, entry.form), content);
    ledger.write(storage::PutArchive{record.arrival, std::move(entry)});
    return ok();
}

namespace {

// The file key, and the hashes of the reports behind it.
Result<std::pair<crypto::FileKey, Bytes>> open_entry(const Ledger& ledger, const Header& header,
                                                     const storage::ArchiveEntry& entry) {
    if (entry.sealed_file_key.empty()) {
        return fail(Errc::untrusted, "record: forgotten or unreadable");
    }
    auto content = TRY(open_content(ledger, header, entry));
    if (content.size() < crypto::FileKey::size) {
        return fail(Errc::corrupt, "archive: a file key of another size");
    }
    auto key = crypto::FileKey::from(BytesView(content).first(crypto::FileKey::size));
    content.erase(content.begin(), content.begin() + crypto::FileKey::size);
    return std::pair(std::move(key), std::move(content));
}

// The content of an entry of which some reports were forgotten.
Result<OpenedRecord> open_what_is_left(const Ledger& ledger, const Header& header,
                                       const storage::ArchiveEntry& entry) {
    const auto content = TRY(open_content(ledger, header, entry));
    ByteReader in(content);
    OpenedRecord opened;
    opened.header = header;
    for (std::size_t i = 0; i < header.count; ++i) {
        opened.hashes.push_back(TRY(in.read_array<Hash>()));
    }
    const auto plain_bytes = TRY(in.read_varint());
    const auto codec = TRY(in.read_u8());
    const auto compressed = TRY(in.read_sized(in.left()));
    opened.units = TRY(decode_units(
        TRY(decompress(codec, compressed, static_cast<std::size_t>(plain_bytes))), header.count));
    for (const auto& unit : opened.units) {
        opened.reports.push_back(unit.report.empty() ? Report{} : TRY(decode_report(unit.report)));
    }
    opened.attachments = to_bytes(in.rest());
    return opened;
}

}  // namespace

void seal_what_is_left(const Ledger& ledger, const OpenedRecord& opened,
                       storage::ArchiveEntry& entry) {
    ByteWriter content;
    for (const auto& hash : opened.hashes) {
        content.raw(hash.view());
    }
    const auto plain = encode_units(opened.units);
    // People wait for it: what is large is not compressed once more.
    constexpr std::size_t large_bytes = 65536;
    const auto compressed =
        plain.size() > large_bytes ? Compressed{Codec::raw, plain} : compress(plain);
    content.varint(plain.size());
    content.u8(static_cast<std::uint8_t>(compressed.codec));
    content.sized(compressed.bytes);
    content.raw(opened.attachments);
    entry.form = Form::forgotten;
    entry.sealed_file_key =
        crypto::seal_value(crypto::own_key_of(ledger.config().mail->archive, ledger.network()),
                           context_of(opened.header, entry.form), content.bytes());
}

Result<void> drop_body(Ledger& ledger, storage::Arrival arrival) {
    auto record = TRY(ledger.store().record(arrival, storage::WithBody::yes));
    if (!record || record->blob == storage::forgotten_body) {
        return ok();
    }
    const auto header = TRY(decode_header(record->header));
    const BodyShape shape{header.body_bytes};
    const auto hash = TRY(body_hash_of(ledger, *record, shape));
    if (record->blob != storage::Blob{}) {
        ledger.write(storage::DropParts{record->blob, part_count(shape)});
    }
    record->blob = storage::forgotten_body;
    record->body = to_bytes(hash.view());
    ledger.write(storage::PutRecord{std::move(*record)});
    return ok();
}

Result<Bytes> attachment_bytes(const Ledger& ledger, const storage::StoredRecord& record,
                               const storage::ArchiveEntry& entry, std::uint64_t offset,
                               std::size_t size) {
    const auto* author = ledger.identity_of(record.log.author);
    if (author == nullptr) {
        return fail(Errc::untrusted, "record: of an unknown office");
    }
    const auto header = TRY(decode_header(record.header));
    if (entry.form == Form::forgotten) {
        const auto left = TRY(open_what_is_left(ledger, header, entry));
        const auto rest = BytesView(left.attachments)
                              .subspan(static_cast<std::size_t>(
                                  std::min<std::uint64_t>(offset, left.attachments.size())));
        return to_bytes(rest.first(std::min(size, rest.size())));
    }
    const auto [key, hashes] = TRY(open_entry(ledger, header, entry));
    return crypto::open_attachment_bytes(
        ledger.network(), *author, header, key,
        pieces_of(ledger, record.blob, record.body, BodyShape{header.body_bytes}), offset, size);
}

std::pair<std::size_t, std::size_t> attachments_of(const OpenedRecord& opened,
                                                   std::size_t position) {
    std::size_t from = 0;
    for (std::size_t i = 0; i < position; ++i) {
        from += static_cast<std::size_t>(opened.reports[i].attachment_bytes());
    }
    return {from, from + static_cast<std::size_t>(opened.reports[position].attachment_bytes())};
}

Result<std::optional<storage::ReportKey>> key_at(const Ledger& ledger, storage::Arrival arrival) {
    const auto record = TRY(ledger.store().record_until(arrival, storage::WithBody::no));
    if (!record) {
        return std::optional<storage::ReportKey>{};
    }
    const auto position =
        static_cast<std::uint64_t>(arrival) - static_cast<std::uint64_t>(record->arrival);
    const auto as =
        storage::report_in(record->log, static_cast<Number>(record->run.first + position));
    const auto reissue = TRY(ledger.store().reissued(as));
    return std::optional(reissue ? storage::ReportKey{as.author, reissue->origin} : as);
}

namespace {

struct OpenedPlace {
    OpenedRecord record;
    std::size_t position = 0;
};

Result<std::optional<OpenedPlace>> opened_at(const Ledger& ledger, storage::Arrival arrival) {
    const auto record = TRY(ledger.store().record_until(arrival, storage::WithBody::yes));
    const auto entry = record ? TRY(ledger.store().archive(record->arrival)) : std::nullopt;
    auto opened = entry ? open_archived(ledger, *record, *entry, Opening::reports)
                        : fail(Errc::not_found, "no archive entry");
    const auto position =
        record ? static_cast<std::size_t>(static_cast<std::uint64_t>(arrival) -
                                          static_cast<std::uint64_t>(record->arrival))
               : 0;
    return opened && position < opened->units.size()
               ? std::optional(OpenedPlace{std::move(*opened), position})
               : std::nullopt;
}

}  // namespace

Result<std::optional<ArchivedReport>> archived_at(const Ledger& ledger, storage::Arrival arrival) {
    const auto at = TRY(opened_at(ledger, arrival));
    if (!at || at->record.units[at->position].report.empty()) {
        return std::optional<ArchivedReport>{};
    }
    const auto& [record, position] = *at;
    const auto origin = origin_of(record.header, record.units[position], position);
    return std::optional(ArchivedReport{{record.header.log.author, origin},
                                        record.header,
                                        record.reports[position],
                                        record.hashes[position]});
}

Result<bool> may_have_hash(const Ledger& ledger, storage::Arrival arrival,
                           const ReportHashPrefix& hash) {
    const auto at = TRY(opened_at(ledger, arrival));
    return !at || equal(at->record.hashes[at->position].first(ReportHashPrefix::size), hash.view());
}

Result<OpenedRecord> open_archived(const Ledger& ledger, const storage::StoredRecord& record,
                                   const storage::ArchiveEntry& entry, Opening opening) {
    const auto* author = ledger.identity_of(record.log.author);
    if (author == nullptr) {
        return fail(Errc::untrusted, "record: of an unknown office");
    }
    OpenedRecord opened;
    opened.header = TRY(decode_header(record.header));
    if (entry.form == Form::forgotten) {
        return open_what_is_left(ledger, opened.header, entry);
    }
    const auto [key, content] = TRY(open_entry(ledger, opened.header, entry));
    if (opening == Opening::attachments) {
        auto body = TRY(crypto::open_body(ledger.network(), *author, opened.header, key,
                                          TRY(body_of(ledger.store(), record))));
        opened.units = std::move(body.units);
        opened.attachments = std::move(body.attachments);
    } else {
        opened.units = TRY(crypto::open_reports(
            ledger.network(), *author, opened.header, key,
            pieces_of(ledger, record.blob, record.body, BodyShape{opened.header.body_bytes})));
    }
    for (const auto& unit : opened.units) {
        opened.reports.push_back(TRY(decode_report(unit.report)));
    }
    ByteReader hashes(content);
    while (!hashes.at_end()) {
        opened.hashes.push_back(TRY(hashes.read_array<Hash>()));
    }
    if (opened.hashes.empty()) {
        const auto attachments =
            TRY(attachment_hashes(ledger.network(), opened.units, opened.attachments));
        opened.hashes = TRY(report_hashes(ledger, opened.header, opened.units, attachments));
    }
    if (opened.hashes.size() != opened.units.size()) {
        return fail(Errc::corrupt, "archive: not as many hashes as reports");
    }
    return opened;
}

}  // namespace fieldpost::engine
