#include "crypto/sealed_record.h"

#include <fmt/format.h>
#include <sodium.h>

#include "crypto/raw.h"

#include "proto/compression.h"
#include "proto/limits.h"

namespace fieldpost::crypto {

namespace {

// The header before publication, and before the keys that depend on it are known.
Bytes core_of(const Header& header) {
    Header core = header;
    core.prev = {};
    core.commitment = {};
    for (auto& stanza : core.stanzas) {
        stanza.wrapped = {};
    }
    return encode_header(core);
}

Hash associated_data(const NetworkId& network, const SigningPublic& author, const Header& header) {
    Header without_prev = header;
    without_prev.prev = {};
    return hash("ad", network, {author.view(), encode_header(without_prev)});
}

KeyCommitment commitment_to(const FileKey& key, const NetworkId& network,
                            const SigningPublic& author, BytesView core) {
    const auto digest = keyed_hash(key.view(), "commit", network, {author.view(), core});
    return KeyCommitment{digest.bytes};
}

SealKey payload_key(const FileKey& key, const NetworkId& network, const SigningPublic& author,
                    BytesView core) {
    auto digest = keyed_hash(key.view(), "payload", network, {author.view(), core});
    auto result = SealKey::from(digest.view());
    wipe(digest.bytes);
    return result;
}

// The file key xor its pad. This is its own inverse.
std::array<std::byte, FileKey::size> wrap(BytesView shared, BytesView file_key,
                                          const NetworkId& network, const SigningPublic& author,
                                          const BoxPublic& ephemeral, const BoxPublic& recipient,
                                          const Stanza& stanza, BytesView core) {
    ByteWriter place;
    place.u16(value_of(stanza.recipient));
    place.u16(stanza.epoch);
    auto pad = keyed_hash(shared, "wrap", network,
                          {author.view(), ephemeral.view(), recipient.view(), place.bytes(), core});
    std::array<std::byte, FileKey::size> wrapped{};
    for (std::size_t i = 0; i < wrapped.size(); ++i) {
        wrapped[i] = file_key[i] ^ pad.bytes[i];
    }
    wipe(pad.bytes);
    return wrapped;
}

using Nonce = std::array<std::byte, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES>;

Nonce nonce_of(std::uint32_t index, bool last) {
    Nonce nonce{};
    for (unsigned i = 0; i < 4; ++i) {
        nonce[i] = static_cast<std::byte>(index >> (8 * i) & 0xff);
    }
    nonce[4] = static_cast<std::byte>(last ? 1 : 0);
    return nonce;
}

Bytes plaintext_of(const std::vector<ReportUnit>& units, BytesView attachments) {
    const auto plain = encode_units(units);
    const auto compressed = compress(plain);
    ByteWriter out;
    out.varint(plain.size());
    out.u8(static_cast<std::uint8_t>(compressed.codec));
    out.sized(compressed.bytes);
    out.raw(attachments);
    auto bytes = out.take();
    bytes.resize(padme_size(bytes.size()));
    return bytes;
}

// Seals `plain` piece by piece, cut as `shape` says.
Bytes seal_pieces(const SealKey& key, const Hash& ad, BodyShape shape, BytesView plain) {
    Bytes body(shape.body_bytes);
    const auto pieces = shape.segment_count();
    std::size_t done = 0;
    for (std::uint32_t i = 0; i < pieces; ++i) {
        const auto nonce = nonce_of(i, i + 1 == pieces);
        const auto sealed = std::span(body).subspan(shape.segment_offset(i), shape.segment_size(i));
        const auto piece = plain.subspan(done, sealed.size() - tag_bytes);
        done += piece.size();
        crypto_aead_xchacha20poly1305_ietf_encrypt(raw(sealed), nullptr, raw(piece), piece.size(),
                                                   raw(ad.view()), Hash::size, nullptr, raw(nonce),
                                                   raw(key.view()));
    }
    return body;
}

// Opens piece `i` into `plain`, which must have room for it.
Result<void> open_piece(const SealKey& key, const Hash& ad, BodyShape shape, std::uint32_t i,
                        BytesView sealed, std::span<std::byte> plain) {
    const auto nonce = nonce_of(i, i + 1 == shape.segment_count());
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(raw(plain), nullptr, nullptr, raw(sealed),
                                                   sealed.size(), raw(ad.view()), Hash::size,
                                                   raw(nonce), raw(key.view())) != 0) {
        return fail(Errc::untrusted, fmt::format("body: piece {} does not open", i));
    }
    return ok();
}

Result<Bytes> open_pieces(const SealKey& key, const Hash& ad, BodyShape shape, BytesView body) {
    const auto pieces = shape.segment_count();
    Bytes plain(body.size() - std::size_t{pieces} * tag_bytes);
    std::size_t done = 0;
    for (std::uint32_t i = 0; i < pieces; ++i) {
        const auto sealed = body.subspan(shape.segment_offset(i), shape.segment_size(i));
        const auto piece = std::span(plain).subspan(done, sealed.size() - tag_bytes);
        done += piece.size();
        TRY(open_piece(key, ad, shape, i, sealed, piece));
    }
    return plain;
}

// Reads the reports at the front of a body's plaintext. malformed also if they are not all there.
Result<std::vector<ReportUnit>> read_reports(ByteReader& in, std::size_t count) {
    const auto plain_bytes = TRY(in.read_varint());
    if (plain_bytes > limits::report_bytes_max) {
        return fail(Errc::limit_exceeded, fmt::format("body: {} bytes of reports", plain_bytes));
    }
    const auto codec = TRY(in.read_u8());
    const auto compressed = TRY(in.read_sized(in.left()));
    return decode_units(TRY(decompress(codec, compressed, static_cast<std::size_t>(plain_bytes))),
                        count);
}

// The end of the reports, once enough of the plaintext is there to tell.
std::optional<std::size_t> end_of_reports(BytesView plain) {
    ByteReader in(plain);
    if (!in.read_varint() || !in.read_u8()) {
        return std::nullopt;
    }
    const auto compressed_bytes = in.read_varint();
    return compressed_bytes ? std::optional(plain.size() - in.left() +
                                            static_cast<std::size_t>(*compressed_bytes))
                            : std::nullopt;
}

// Takes the plaintext of a body apart as it comes. `take` is given all bytes of the attachments, in
// order, with the number of their attachment.
class BodyReader {
public:
    using Take = std::function<void(std::size_t attachment, BytesView bytes)>;
    BodyReader(std::size_t count, Take take) : count_(count), take_(std::move(take)) {}

    Result<void> feed(BytesView plain) {
        total_ += plain.size();
        if (has_reports_) {
            return feed_attachments(plain);
        }
        front_.insert(front_.end(), plain.begin(), plain.end());
        const auto end = end_of_reports(front_);
        if (!end || *end > front_.size()) {
            return ok();
        }
        TRY(read_front());
        const auto front = std::move(front_);
        used_ = *end;
        return feed_attachments(BytesView(front).subspan(*end));
    }
    Result<std::vector<ReportUnit>> finish() {
        if (!has_reports_) {
            TRY(read_front());  // its error says what is missing
        }
        if (at_ < sizes_.size()) {
            return fail(Errc::malformed, "body: shorter than its attachments");
        }
        // Without padding, the size of the body would tell about its words.
        if (total_ < padme_size(used_)) {
            return fail(Errc::malformed, "body: not padded");
        }
        return std::move(units_);
    }
    [[nodiscard]] std::size_t attachments() const { return sizes_.size(); }

private:
    Result<void> read_front() {
        ByteReader in(front_);
        units_ = TRY(read_reports(in, count_));
        for (const auto& unit : units_) {
            for (const auto& attachment : TRY(decode_report(unit.report)).attachments) {
                sizes_.push_back(attachment.size);
            }
        }
        has_reports_ = true;
        pass_empty();
        return ok();
    }
    void pass_empty() {
        while (at_ < sizes_.size() && done_ == sizes_[at_]) {
            ++at_;
            done_ = 0;
        }
    }
    Result<void> feed_attachments(BytesView bytes) {
        while (!bytes.empty() && at_ < sizes_.size()) {
            const auto some =
                bytes.first(std::min<std::uint64_t>(bytes.size(), sizes_[at_] - done_));
            take_(at_, some);
            done_ += some.size();
            used_ += some.size();
            bytes = bytes.subspan(some.size());
            pass_empty();
        }
        if (std::ranges::any_of(bytes, [](std::byte b) { return b != std::byte{0}; })) {
            return fail(Errc::malformed, "body: something hides in the padding");
        }
        return ok();
    }

    std::size_t count_;
    Take take_;
    Bytes front_;  // holds the beginning until the reports are read
    bool has_reports_ = false;
    std::vector<ReportUnit> units_;
    std::vector<std::uint64_t> sizes_;  // of all attachments
    std::size_t at_ = 0;
    std::uint64_t done_ = 0;  // bytes of attachment `at_` so far
    std::uint64_t used_ = 0;
    std::uint64_t total_ = 0;
};

Result<SealKey> payload_key_of(const NetworkId& network, const SigningPublic& author,
                               const Header& header, const FileKey& file_key) {
    const auto core = core_of(header);
    const auto commitment = commitment_to(file_key, network, author, core);
    if (sodium_memcmp(commitment.bytes.data(), header.commitment.bytes.data(),
                      KeyCommitment::size) != 0) {
        return fail(Errc::untrusted, "body: another file key was committed to");
    }
    return payload_key(file_key, network, author, core);
}

Result<void> open_one(const SealKey& key, const Hash& ad, BodyShape shape, const PieceSource& piece,
                      std::uint32_t number, Bytes& plain) {
    const auto sealed = TRY(piece(number));
    if (sealed.size() != shape.segment_size(number)) {
        return fail(Errc::malformed, "body: a piece of another size");
    }
    plain.resize(sealed.size() - tag_bytes);
    return open_piece(key, ad, shape, number, sealed, plain);
}

// Opens the pieces in order, until `take` returns false because it has enough.
Result<void> open_each(const SealKey& key, const Hash& ad, BodyShape shape,
                       const PieceSource& piece,
                       const std::function<Result<bool>(BytesView plain)>& take) {
    Bytes plain;
    for (std::uint32_t i = 0; i < shape.segment_count(); ++i) {
        TRY(open_one(key, ad, shape, piece, i, plain));
        if (!TRY(take(plain))) {
            break;
        }
    }
    return ok();
}

}  // namespace

Result<SealedRecord> seal_record(const NetworkId& network, const SigningPublic& author,
                                 Header draft, const std::vector<Recipient>& recipients,
                                 const std::vector<ReportUnit>& units, BytesView attachments) {
    ensure(draft.count == units.size(), "a record holds as many reports as its run has numbers");
    const auto plain = plaintext_of(units, attachments);
    const auto shape = sealed_shape(plain.size());
    TRY(check_body_bytes(shape.body_bytes, draft.log.record_class));
    if (draft.count > 1 && shape.body_bytes > limits::pack_body_bytes_max + tag_bytes) {
        return fail(Errc::limit_exceeded, "body: too many reports for one run");
    }

    SealedRecord record{std::move(draft), {}, FileKey::random()};
    auto& header = record.header;
    const auto ephemeral = BoxKeyPair::random();
    header.prev = {};
    header.body_bytes = shape.body_bytes;
    header.ephemeral = ephemeral.public_key;
    header.stanzas.clear();
    for (const auto& recipient : recipients) {
        header.stanzas.push_back({recipient.office, recipient.epoch, {}});
    }
    std::ranges::sort(header.stanzas, {}, &Stanza::recipient);
    const auto core = core_of(header);
    header.commitment = commitment_to(record.file_key, network, author, core);
    for (auto& stanza : header.stanzas) {
        const auto recipient = std::ranges::find(recipients, stanza.recipient, &Recipient::office);
        const auto shared = TRY(shared_secret(ephemeral.secret, recipient->prekey));
        stanza.wrapped.bytes = wrap(shared.view(), record.file_key.view(), network, author,
                                    header.ephemeral, recipient->prekey, stanza, core);
    }
    record.body = seal_pieces(payload_key(record.file_key, network, author, core),
                              associated_data(network, author, header), shape, plain);
    return record;
}

Result<FileKey> unwrap_file_key(const NetworkId& network, const SigningPublic& author,
                                const Header& header, OfficeId office, std::uint16_t epoch,
                                const BoxKeyPair& prekey) {
    const auto core = core_of(header);
    for (const auto& stanza : header.stanzas) {
        if (stanza.recipient != office || stanza.epoch != epoch) {
            continue;
        }
        const auto shared = TRY(shared_secret(prekey.secret, header.ephemeral));
        auto bytes = wrap(shared.view(), stanza.wrapped.view(), network, author, header.ephemeral,
                          prekey.public_key, stanza, core);
        auto key = FileKey::from(bytes);
        wipe(bytes);
        // A wrapped key has no authentication tag. The commitment does the work of one.
        const auto commitment = commitment_to(key, network, author, core);
        if (sodium_memcmp(commitment.bytes.data(), header.commitment.bytes.data(),
                          KeyCommitment::size) != 0) {
            return fail(Errc::untrusted, "record: the wrapped key does not fit");
        }
        return key;
    }
    return fail(Errc::untrusted, "record: not sealed to this office under this epoch");
}

Result<OpenedBody> open_body(const NetworkId& network, const SigningPublic& author,
                             const Header& header, const FileKey& file_key, BytesView body) {
    if (body.size() != header.body_bytes) {
        return fail(Errc::malformed, "body: not of the size its header says");
    }
    const auto key = TRY(payload_key_of(network, author, header, file_key));
    const auto plain = TRY(open_pieces(key, associated_data(network, author, header),
                                       BodyShape{header.body_bytes}, body));
    return decode_body(plain, header.count);
}

Result<std::vector<ReportUnit>> open_reports(const NetworkId& network, const SigningPublic& author,
                                             const Header& header, const FileKey& file_key,
                                             const PieceSource& piece) {
    const auto key = TRY(payload_key_of(network, author, header, file_key));
    Bytes front;
    TRY(open_each(key, associated_data(network, author, header), BodyShape{header.body_bytes},
                  piece, [&](BytesView plain) -> Result<bool> {
                      front.insert(front.end(), plain.begin(), plain.end());
                      const auto end = end_of_reports(front);
                      return !end || *end > front.size();
                  }));
    ByteReader in(front);
    return read_reports(in, header.count);
}

Result<Bytes> open_attachment_bytes(const NetworkId& network, const SigningPublic& author,
                                    const Header& header, const FileKey& file_key,
                                    const PieceSource& piece, std::uint64_t offset,
                                    std::size_t size) {
    const auto key = TRY(payload_key_of(network, author, header, file_key));
    const auto ad = associated_data(network, author, header);
    const BodyShape shape{header.body_bytes};
    Bytes front;
    std::optional<std::size_t> reports_end;
    TRY(open_each(key, ad, shape, piece, [&](BytesView plain) -> Result<bool> {
        front.insert(front.end(), plain.begin(), plain.end());
        reports_end = end_of_reports(front);
        return !reports_end;
    }));
    Bytes wanted;
    if (!reports_end) {
        return fail(Errc::malformed, "body: no reports");
    }
    auto from = *reports_end + offset;
    std::uint64_t begins = 0;  // of the piece, in the plaintext
    for (std::uint32_t i = 0; i < shape.segment_count() && wanted.size() < size; ++i) {
        const auto ends = begins + shape.segment_size(i) - tag_bytes;
        if (from < ends) {
            Bytes plain;
            TRY(open_one(key, ad, shape, piece, i, plain));
            const auto some = BytesView(plain).subspan(from - begins);
            const auto taken = some.first(std::min(some.size(), size - wanted.size()));
            wanted.insert(wanted.end(), taken.begin(), taken.end());
            from = ends;
        }
        begins = ends;
    }
    return wanted.size() == size ? Result<Bytes>(std::move(wanted))
                                 : fail(Errc::malformed, "body: shorter than its attachments");
}

Result<CheckedBody> check_body(const NetworkId& network, const SigningPublic& author,
                               const Header& header, const FileKey& file_key,
                               const PieceSource& piece) {
    const auto key = TRY(payload_key_of(network, author, header, file_key));
    std::vector<HashStream> hashes;
    const auto hash_of = [&](std::size_t attachment) -> HashStream& {
        while (hashes.size() <= attachment) {
            hashes.emplace_back("attachment", network);
        }
        return hashes[attachment];
    };
    BodyReader reader(header.count, [&](std::size_t attachment, BytesView bytes) {
        hash_of(attachment).add(bytes);
    });
    TRY(open_each(key, associated_data(network, author, header), BodyShape{header.body_bytes},
                  piece, [&](BytesView plain) -> Result<bool> {
                      TRY(reader.feed(plain));
                      return true;
                  }));
    CheckedBody checked;
    checked.units = TRY(reader.finish());
    for (std::size_t i = 0; i < reader.attachments(); ++i) {
        checked.attachments.push_back(hash_of(i).finish());
    }
    return checked;
}

Result<OpenedBody> decode_body(BytesView plain, std::size_t count) {
    OpenedBody opened;
    BodyReader reader(count, [&](std::size_t, BytesView bytes) {
        opened.attachments.insert(opened.attachments.end(), bytes.begin(), bytes.end());
    });
    TRY(reader.feed(plain));
    opened.units = TRY(reader.finish());
    return opened;
}

Hash attachment_hash(const NetworkId& network, BytesView attachment) {
    return hash("attachment", network, {attachment});
}

Hash report_hash(const NetworkId& network, OfficeId author, const Origin& origin, BytesView report,
                 const std::vector<BytesView>& attachments) {
    std::vector<Hash> hashes;
    hashes.reserve(attachments.size());
    for (const auto attachment : attachments) {
        hashes.push_back(attachment_hash(network, attachment));
    }
    return report_hash(network, author, origin, report, hashes);
}

Hash report_hash(const NetworkId& network, OfficeId author, const Origin& origin, BytesView report,
                 std::span<const Hash> attachments) {
    ByteWriter parts;
    parts.u16(value_of(author));
    write(parts, origin);
    parts.u32(static_cast<std::uint32_t>(report.size()));
    parts.raw(report);
    for (const auto& attachment : attachments) {
        parts.raw(attachment.view());
    }
    return hash("report", network, {parts.bytes()});
}

}  // namespace fieldpost::crypto
