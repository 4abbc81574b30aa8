#include "proto/vocabulary.h"

#include <fmt/format.h>

namespace fieldpost {

void write(ByteWriter& out, Incarnation incarnation) {
    out.u16(incarnation.ordinal);
    out.u32(incarnation.random);
}

void write(ByteWriter& out, const Origin& origin) {
    write(out, origin.incarnation);
    out.u8(static_cast<std::uint8_t>(origin.record_class));
    out.u32(origin.number);
}

void write(ByteWriter& out, const ReportRef& ref) {
    out.u16(value_of(ref.author));
    write(out, ref.origin);
    out.raw(ref.hash.view());
}

Result<Incarnation> read_incarnation(ByteReader& in) {
    const auto ordinal = TRY(in.read_u16());
    const auto random = TRY(in.read_u32());
    if (ordinal == 0) {
        return fail(Errc::malformed, "incarnation: they are counted from 1");
    }
    return Incarnation{ordinal, random};
}

Result<Incarnation> read_incarnation_or_none(ByteReader& in) {
    const auto ordinal = TRY(in.read_u16());
    const auto random = TRY(in.read_u32());
    if (ordinal == 0 && random != 0) {
        return fail(Errc::malformed, "incarnation: none, yet drawn at random");
    }
    return Incarnation{ordinal, random};
}

Result<RecordClass> read_record_class(ByteReader& in) {
    const auto value = TRY(in.read_u8());
    if (value >= record_classes) {
        return fail(Errc::malformed, fmt::format("class: {} is none", value));
    }
    return static_cast<RecordClass>(value);
}

Result<Origin> read_origin(ByteReader& in) {
    const auto incarnation = TRY(read_incarnation(in));
    const auto record_class = TRY(read_record_class(in));
    const auto number = TRY(in.read_u32());
    if (number == 0) {
        return fail(Errc::malformed, "origin: numbers start at 1");
    }
    return Origin{incarnation, record_class, number};
}

Result<ReportRef> read_report_ref(ByteReader& in) {
    const auto author = OfficeId{TRY(in.read_u16())};
    if (author >= authority_signer) {
        return fail(Errc::malformed, "reference: names no office");
    }
    const auto origin = TRY(read_origin(in));
    const auto hash = TRY(in.read_array<ReportHashPrefix>());
    return ReportRef{author, origin, hash};
}

}  // namespace fieldpost
