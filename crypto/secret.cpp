#include "crypto/secret.h"

#include <sodium.h>

namespace fieldpost::crypto {

void start() {
    ensure(sodium_init() >= 0, "libsodium starts");
}

void wipe(std::span<std::byte> bytes) {
    sodium_memzero(bytes.data(), bytes.size());
}

void fill_random(std::span<std::byte> bytes) {
    if (bytes.empty()) {
        return;  // libsodium takes no null pointer, not even to nothing
    }
    randombytes_buf(bytes.data(), bytes.size());
}

}  // namespace fieldpost::crypto
