#include "proto/bundle_head.h"

namespace fieldpost {

namespace {

constexpr std::uint8_t carries_nothing = 1;
constexpr std::uint8_t in_a_row = 2;
constexpr unsigned place_shift = 3;  // 5 bits

}  // namespace

Bytes signed_bytes(const BundleHead& head) {
    ByteWriter out;
    out.u16(value_of(head.writer));
    write(out, head.version.incarnation);
    out.u48(head.version.counter);
    out.u32(head.at.seconds);
    out.u32(head.roster_version);
    const auto place = head.place ? in_a_row | (*head.place << place_shift) : 0;
    out.u8(
        static_cast<std::uint8_t>((head.carries ? 0 : carries_nothing) | place | head.other_flags));
    out.varint(head.targets.size());
    for (const auto target : head.targets) {
        out.u16(value_of(target));
    }
    out.raw(head.summary.view());
    return out.take();
}

Bytes encode_bundle_head(const BundleHead& head) {
    auto bytes = signed_bytes(head);
    const auto signature = head.signature.view();
    bytes.insert(bytes.end(), signature.begin(), signature.end());
    return bytes;
}

Result<BundleHead> read_bundle_head(ByteReader& in) {
    BundleHead head;
    head.writer = OfficeId{TRY(in.read_u16())};
    head.version.incarnation = TRY(read_incarnation(in));
    head.version.counter = TRY(in.read_u48());
    head.at = WallTime{TRY(in.read_u32())};
    head.roster_version = TRY(in.read_u32());
    const auto flags = TRY(in.read_u8());
    head.carries = (flags & carries_nothing) == 0;
    const auto place = static_cast<std::uint8_t>(flags >> place_shift);
    head.other_flags = static_cast<std::uint8_t>(flags & ~(carries_nothing | in_a_row));
    if ((flags & in_a_row) != 0) {
        head.place = place;
        head.other_flags &= (1U << place_shift) - 1;
    }
    const auto targets = TRY(in.read_varint());
    for (std::uint64_t i = 0; i < targets; ++i) {
        head.targets.push_back(OfficeId{TRY(in.read_u16())});
        if (i > 0 && head.targets[i - 1] >= head.targets[i]) {
            return fail(Errc::malformed, "bundle: its offices are not in order");
        }
    }
    if (head.writer >= authority_signer ||
        (targets > 0 && head.targets.back() >= authority_signer)) {
        return fail(Errc::malformed, "bundle: by or for no office");
    }
    head.summary = TRY(in.read_array<Hash>());
    head.signature = TRY(in.read_array<Signature>());
    return head;
}

}  // namespace fieldpost
