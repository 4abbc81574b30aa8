// Checks that a Protocol Buffers parser does not make. It lets repeated singular fields pass and
// keeps the last. It cuts off numbers that are too large for their field. So two programs could
// read two meanings from one signed message.
//
// Method: walk https://protobuf.dev/programming-guides/encoding/ without building the message.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "proto/bytes.h"

namespace fieldpost {

struct MessageRules;

// The rule of the .proto for one field.
struct FieldRule {
    bool is_repeated = false;
    // UINT32_MAX for a known uint32, 1 for a known bool.
    std::uint64_t varint_max = UINT64_MAX;
    // The rules of a field that is a message. Null for all other fields.
    const MessageRules* message = nullptr;
};

// Fields of type bytes or fixed32, and unknown fields, need no rule of their own.
struct MessageRules {
    std::map<std::uint32_t, FieldRule> fields;
};

inline constexpr FieldRule uint32_field{false, UINT32_MAX, nullptr};
inline constexpr FieldRule bool_field{false, 1, nullptr};
inline constexpr FieldRule repeated_bytes{true, UINT64_MAX, nullptr};

// malformed: not wire format, a group, field 0, or a number beyond its field's range. Also
// malformed: a field below 128 that occurs twice and may not repeat. Nested messages are checked
// too.
Result<void> check_fields(std::string_view what, BytesView message, const MessageRules& rules);

}  // namespace fieldpost
