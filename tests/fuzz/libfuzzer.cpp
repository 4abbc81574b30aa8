// libFuzzer's entry. Each program holds one target.
#include "crypto/secret.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
    fieldpost::crypto::start();
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
    fieldpost::fuzz::targets().front().run(bytes);
    return 0;
}
