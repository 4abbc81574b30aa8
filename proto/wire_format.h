// What a Protocol Buffers parser lets pass and we do not: repeated singular fields, of which it
// keeps the last, so that two programs could read two meanings from one signed message.
//
// Method: https://protobuf.dev/programming-guides/encoding/ walked without building the message.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "proto/bytes.h"

namespace fieldpost {

// malformed: not wire format, a group, field 0, or a field twice for which `is_singular` holds.
// The content of nested messages is not looked into.
Result<void> check_fields(std::string_view what, BytesView message,
                          const std::function<bool(std::uint32_t field)>& is_singular);

}  // namespace fieldpost
