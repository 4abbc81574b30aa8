#include "proto/wire_format.h"

#include <fmt/format.h>

#include <set>

namespace fieldpost {

Result<void> check_fields(std::string_view what, BytesView message,
                          const std::function<bool(std::uint32_t field)>& is_singular) {
    enum WireType : std::uint8_t { varint = 0, fixed64 = 1, length_delimited = 2, fixed32 = 5 };
    std::set<std::uint32_t> seen;
    ByteReader in(message);
    while (!in.at_end()) {
        const auto tag = TRY(in.read_varint());
        const auto field = tag >> 3;
        if (field == 0 || field > (1U << 29) - 1) {
            return fail(Errc::malformed, fmt::format("{}: field {}", what, field));
        }
        if (is_singular(static_cast<std::uint32_t>(field)) &&
            !seen.insert(static_cast<std::uint32_t>(field)).second) {
            return fail(Errc::malformed, fmt::format("{}: field {} twice", what, field));
        }
        switch (tag & 7) {
            case varint:
                TRY(in.read_varint());
                break;
            case fixed64:
                TRY(in.read_u64());
                break;
            case length_delimited:
                TRY(in.read_sized(message.size()));
                break;
            case fixed32:
                TRY(in.read_u32());
                break;
            default:
                return fail(Errc::malformed, fmt::format("{}: wire type {}", what, tag & 7));
        }
    }
    return ok();
}

}  // namespace fieldpost
