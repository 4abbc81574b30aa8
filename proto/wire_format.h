// What a Protocol Buffers parser lets pass and we do not: repeated singular fields, of which it
// keeps the last, and numbers too large for their field, which it cuts off: two programs could read
// two meanings from one signed message.
//
// Method: https://protobuf.dev/programming-guides/encoding/ walked without building the message.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "proto/bytes.h"

namespace fieldpost {

struct MessageRules;

// What the .proto says of one field.
struct FieldRule {
    bool is_repeated = false;
    // Of a known uint32 UINT32_MAX, of a known bool 1.
    std::uint64_t varint_max = UINT64_MAX;
    // Of a field that is a message; null for all others.
    const MessageRules* message = nullptr;
};

// Fields that are bytes, fixed32 or not known need no rule of their own.
struct MessageRules {
    std::map<std::uint32_t, FieldRule> fields;
};

inline constexpr FieldRule uint32_field{false, UINT32_MAX, nullptr};
inline constexpr FieldRule bool_field{false, 1, nullptr};
inline constexpr FieldRule repeated_bytes{true, UINT64_MAX, nullptr};

// malformed: not wire format, a group, field 0, a number beyond its field's range, or a field below
// 128 twice that may not repeat; in nested messages too.
Result<void> check_fields(std::string_view what, BytesView message, const MessageRules& rules);

}  // namespace fieldpost
