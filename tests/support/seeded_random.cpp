#include "tests/support/seeded_random.h"

#include <sodium.h>

#include <array>
#include <cstring>

namespace fieldpost::tests {

namespace {

std::uint64_t seed_now = 0;
std::uint64_t block = 0;

void fill(void* out, std::size_t size) {
    std::array<unsigned char, randombytes_SEEDBYTES> seed{};
    std::memcpy(seed.data(), &seed_now, sizeof seed_now);
    std::memcpy(seed.data() + sizeof seed_now, &block, sizeof block);
    ++block;
    randombytes_buf_deterministic(out, size, seed.data());
}

std::uint32_t one() {
    std::uint32_t value = 0;
    fill(&value, sizeof value);
    return value;
}

const char* name() {
    return "seeded";
}

randombytes_implementation seeded{&name, &one, nullptr, nullptr, &fill, nullptr};

}  // namespace

SeededRandom::SeededRandom(std::uint64_t seed) {
    seed_now = seed;
    block = 0;
    randombytes_set_implementation(&seeded);
}

SeededRandom::~SeededRandom() {
    randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

}  // namespace fieldpost::tests
