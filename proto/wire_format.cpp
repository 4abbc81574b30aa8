#include "proto/wire_format.h"

#include <fmt/format.h>

#include <set>

namespace fieldpost {

namespace {

// Later releases number fields that may repeat from here on.
constexpr std::uint32_t singular_below = 128;

Result<void> check_varint(std::string_view what, std::uint32_t field, const FieldRule& rule,
                          ByteReader& in) {
    const auto value = TRY(in.read_varint());
    if (value > rule.varint_max) {
        return fail(Errc::malformed, fmt::format("{}: field {} is {}", what, field, value));
    }
    return ok();
}

}  // namespace

Result<void> check_fields(std::string_view what, BytesView message, const MessageRules& rules) {
    enum WireType : std::uint8_t { varint = 0, fixed64 = 1, length_delimited = 2, fixed32 = 5 };
    std::set<std::uint32_t> seen;
    ByteReader in(message);
    while (!in.at_end()) {
        const auto tag = TRY(in.read_varint());
        if (tag >> 3 == 0 || tag >> 3 > (1U << 29) - 1) {
            return fail(Errc::malformed, fmt::format("{}: field {}", what, tag >> 3));
        }
        const auto field = static_cast<std::uint32_t>(tag >> 3);
        const auto found = rules.fields.find(field);
        const auto rule = found == rules.fields.end() ? FieldRule{} : found->second;
        if (field < singular_below && !rule.is_repeated && !seen.insert(field).second) {
            return fail(Errc::malformed, fmt::format("{}: field {} twice", what, field));
        }
        switch (tag & 7) {
            case varint:
                TRY(check_varint(what, field, rule, in));
                break;
            case fixed64:
                TRY(in.read_u64());
                break;
            case length_delimited: {
                const auto content = TRY(in.read_sized(message.size()));
                if (rule.message != nullptr) {
                    TRY(check_fields(what, content, *rule.message));
                }
                break;
            }
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
