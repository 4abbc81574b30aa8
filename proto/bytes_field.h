// Fields of type bytes in protobuf's messages, which it keeps as strings.
#pragma once

#include <string>

#include "proto/wire_format.h"

namespace fieldpost {

inline std::string field_of(BytesView bytes) {
    return std::string(as_text(bytes));
}

// malformed: the field has another length. `what` names the message in the error.
template <class Array>
Result<Array> array_of_field(const std::string& field, const char* what) {
    ByteReader in(as_bytes(field));
    const auto array = TRY(in.read_array<Array>());
    TRY(in.expect_end(what));
    return array;
}

}  // namespace fieldpost
