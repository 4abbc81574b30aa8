#include "proto/register.h"
#include "proto/limits.h"

#include <fmt/format.h>

namespace fieldpost {

namespace {

void write(ByteWriter& out, const RegisterVersion& version) {
    fieldpost::write(out, version.incarnation);
    out.u48(version.counter);
}

Result<RegisterVersion> read_register_version(ByteReader& in) {
    const auto incarnation = TRY(read_incarnation_or_none(in));
    const auto counter = TRY(in.read_u48());
    return RegisterVersion{incarnation, counter};
}

// Reads the logs of a receipt or custody. Refuses more logs than offices keep of one author, and
// any order but the ascending one.
template <class Log>
Result<void> check_logs(const std::vector<Log>& logs, std::string_view what) {
    if (logs.size() > limits::logs_per_office_max) {
        return fail(Errc::limit_exceeded, fmt::format("{}: {} logs", what, logs.size()));
    }
    const auto out_of_order = [](const Log& a, const Log& b) {
        return std::pair(a.incarnation, a.record_class) >= std::pair(b.incarnation, b.record_class);
    };
    if (std::ranges::adjacent_find(logs, out_of_order) != logs.end()) {
        return fail(Errc::malformed, fmt::format("{}: logs not ascending", what));
    }
    return ok();
}

}  // namespace

Bytes signed_bytes(const Register& entry) {
    ByteWriter out;
    out.u8(register_version);
    out.u16(value_of(entry.key.signer));
    write(out, entry.version);
    out.u8(entry.key.kind);
    out.u8(static_cast<std::uint8_t>(entry.key.subject.size()));
    out.raw(entry.key.subject);
    out.u32(entry.at.seconds);
    out.u16(static_cast<std::uint16_t>(entry.payload.size()));
    out.raw(entry.payload);
    return out.take();
}

Bytes encode_register(const Register& entry) {
    ByteWriter out;
    out.raw(signed_bytes(entry));
    if (entry.is_of_authority()) {
        write(out, entry.authority_signatures);
    } else {
        out.raw(entry.signature.view());
    }
    ensure(out.size() <= limits::register_bytes_max, "a register fits its limit");
    return out.take();
}

Result<Register> read_register(ByteReader& in) {
    const auto left_before = in.left();
    const auto version = TRY(in.read_u8());
    if (version != register_version) {
        return fail(Errc::unsupported, fmt::format("register: version {}", version));
    }
    Register entry;
    entry.key.signer = OfficeId{TRY(in.read_u16())};
    if (entry.key.signer > authority_signer) {
        return fail(Errc::malformed, "register: the signer is no office");
    }
    entry.version = TRY(read_register_version(in));
    entry.key.kind = TRY(in.read_u8());
    // The authority makes epoch slots and nothing else; it has no incarnations.
    const bool has_incarnation = entry.version.incarnation != Incarnation{};
    if (entry.is_of_authority() == has_incarnation ||
        entry.is_of_authority() != (entry.key.signer == authority_signer)) {
        return fail(Errc::malformed, "register: not of an office, nor epoch slots");
    }
    const auto subject_bytes = TRY(in.read_u8());
    if (subject_bytes > limits::register_subject_bytes_max) {
        return fail(Errc::limit_exceeded, "register: the subject is too long");
    }
    entry.key.subject = to_bytes(TRY(in.read(subject_bytes)));
    entry.at = WallTime{TRY(in.read_u32())};
    const auto payload_bytes = TRY(in.read_u16());
    entry.payload = to_bytes(TRY(in.read(payload_bytes)));
    if (entry.is_of_authority()) {
        entry.authority_signatures = TRY(read_authority_signatures(in));
    } else {
        entry.signature = TRY(in.read_array<Signature>());
    }
    if (left_before - in.left() > limits::register_bytes_max) {
        return fail(Errc::limit_exceeded, "register: over 4 KiB");
    }
    return entry;
}

Bytes encode_receipt(const Receipt& receipt) {
    ByteWriter out;
    out.varint(receipt.logs.size());
    for (const auto& log : receipt.logs) {
        fieldpost::write(out, log.incarnation);
        out.u8(static_cast<std::uint8_t>(log.record_class));
        out.raw(log.tops.view());
        fieldpost::write(out, log.received);
        fieldpost::write(out, log.unreadable);
        out.u8(static_cast<std::uint8_t>(log.refused.size()));
        for (const auto& [reason, numbers] : log.refused) {
            out.u8(reason);
            fieldpost::write(out, numbers);
        }
    }
    return out.take();
}

namespace {

Result<ReceiptLog> read_receipt_log(ByteReader& in) {
    ReceiptLog log;
    log.incarnation = TRY(read_incarnation(in));
    log.record_class = TRY(read_record_class(in));
    log.tops = TRY(in.read_array<ShortHash>());
    log.received = TRY(read_interval_set(in));
    log.unreadable = TRY(read_interval_set(in));
    IntervalSet all = log.received;
    std::uint64_t total = log.received.count() + log.unreadable.count();
    all.add(log.unreadable);
    const auto reasons = TRY(in.read_u8());
    int last_reason = -1;
    for (unsigned i = 0; i < reasons; ++i) {
        const auto reason = TRY(in.read_u8());
        if (reason <= last_reason) {
            return fail(Errc::malformed, "receipt: reasons not ascending");
        }
        last_reason = reason;
        auto numbers = TRY(read_interval_set(in));
        if (numbers.empty()) {
            return fail(Errc::malformed, "receipt: a reason for nothing");
        }
        total += numbers.count();
        all.add(numbers);
        log.refused.emplace(reason, std::move(numbers));
    }
    if (all.count() != total) {
        return fail(Errc::malformed, "receipt: a number is in two sets");
    }
    if (log.received.empty() && log.unreadable.empty() && !log.tops.is_zero()) {
        return fail(Errc::malformed, "receipt: tops of nothing");
    }
    return log;
}

}  // namespace

Result<Receipt> decode_receipt(BytesView payload) {
    ByteReader in(payload);
    Receipt receipt;
    const auto count = TRY(in.read_varint());
    for (std::uint64_t i = 0; i < count; ++i) {
        receipt.logs.push_back(TRY(read_receipt_log(in)));
    }
    TRY(in.expect_end("receipt"));
    TRY(check_logs(receipt.logs, "receipt"));
    return receipt;
}

Bytes receipt_subject(OfficeId author) {
    ByteWriter out;
    out.u16(value_of(author));
    return out.take();
}

Result<OfficeId> read_receipt_subject(BytesView subject) {
    ByteReader in(subject);
    const OfficeId author{TRY(in.read_u16())};
    TRY(in.expect_end("receipt subject"));
    if (author >= authority_signer) {
        return fail(Errc::malformed, "receipt: for no office");
    }
    return author;
}

Bytes signed_bytes(const Custody& custody) {
    ByteWriter out;
    out.u16(value_of(custody.signer));
    write(out, custody.version);
    out.u16(value_of(custody.author));
    out.u32(custody.at.seconds);
    out.varint(custody.logs.size());
    for (const auto& log : custody.logs) {
        fieldpost::write(out, log.incarnation);
        out.u8(static_cast<std::uint8_t>(log.record_class));
        out.raw(log.tops.view());
        fieldpost::write(out, log.held);
    }
    return out.take();
}

Bytes encode_custody(const Custody& custody) {
    auto bytes = signed_bytes(custody);
    const auto signature = custody.signature.view();
    bytes.insert(bytes.end(), signature.begin(), signature.end());
    return bytes;
}

Result<Custody> read_custody(ByteReader& in) {
    Custody custody;
    custody.signer = OfficeId{TRY(in.read_u16())};
    custody.version.incarnation = TRY(read_incarnation(in));
    custody.version.counter = TRY(in.read_u48());
    custody.author = OfficeId{TRY(in.read_u16())};
    if (custody.signer >= authority_signer || custody.author >= authority_signer) {
        return fail(Errc::malformed, "custody: by or for no office");
    }
    custody.at = WallTime{TRY(in.read_u32())};
    const auto count = TRY(in.read_varint());
    std::size_t runs_left = limits::custody_runs_max;
    for (std::uint64_t i = 0; i < count; ++i) {
        CustodyLog log;
        log.incarnation = TRY(read_incarnation(in));
        log.record_class = TRY(read_record_class(in));
        log.tops = TRY(in.read_array<ShortHash>());
        log.held = TRY(read_interval_set(in, runs_left));
        if (log.held.empty()) {
            return fail(Errc::malformed, "custody: of nothing");
        }
        runs_left -= log.held.intervals().size();
        custody.logs.push_back(std::move(log));
    }
    custody.signature = TRY(in.read_array<Signature>());
    TRY(check_logs(custody.logs, "custody"));
    return custody;
}

void write(ByteWriter& out, const RecordProof& proof) {
    write(out, proof.key);
    out.raw(proof.header_rest.view());
    out.raw(proof.body.view());
    out.raw(proof.signature.view());
}

Result<RecordProof> read_record_proof(ByteReader& in) {
    RecordProof proof;
    proof.key = TRY(read_key_part(in));
    proof.header_rest = TRY(in.read_array<Hash>());
    proof.body = TRY(in.read_array<Hash>());
    proof.signature = TRY(in.read_array<Signature>());
    return proof;
}

std::optional<Number> fork_start(const Register& entry) {
    if (entry.key.kind != static_cast<std::uint8_t>(RegisterKind::fork)) {
        return std::nullopt;
    }
    ByteReader in(entry.payload);
    const auto a = read_record_proof(in);
    const auto b = read_record_proof(in);
    return a && b ? std::optional(std::min(a->key.number, b->key.number)) : std::nullopt;
}

Bytes enrolment_bytes(OfficeId index, const Enrolment& enrolment) {
    ByteWriter out;
    out.u16(value_of(index));
    out.raw(enrolment.identity.view());
    out.raw(enrolment.link.view());
    out.raw(enrolment.mail.view());
    return out.take();
}

Bytes encode_enrolment(const Enrolment& enrolment) {
    ByteWriter out;
    out.raw(enrolment.identity.view());
    out.raw(enrolment.link.view());
    out.raw(enrolment.mail.view());
    out.raw(enrolment.one_time_signature.view());
    return out.take();
}

Result<Enrolment> decode_enrolment(BytesView payload) {
    ByteReader in(payload);
    Enrolment enrolment;
    enrolment.identity = TRY(in.read_array<SigningPublic>());
    enrolment.link = TRY(in.read_array<BoxPublic>());
    enrolment.mail = TRY(in.read_array<SigningPublic>());
    enrolment.one_time_signature = TRY(in.read_array<Signature>());
    TRY(in.expect_end("enrolment"));
    return enrolment;
}

Bytes enrolment_subject(OfficeId index) {
    return receipt_subject(index);
}

}  // namespace fieldpost
