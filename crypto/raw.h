// Our bytes as the pointers that libsodium takes. For the sources of this folder only.
#pragma once

#include "proto/bytes.h"

namespace fieldpost::crypto {

template <std::size_t N>
unsigned char* raw(std::span<std::byte, N> bytes) {
    return reinterpret_cast<unsigned char*>(bytes.data());
}
inline const unsigned char* raw(BytesView bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace fieldpost::crypto
