// Makes libsodium's random bytes a function of a seed, for simulations and vectors.
#pragma once

#include <cstdint>

namespace fieldpost::tests {

// While one exists, random bytes come from its seed. One at a time.
class SeededRandom {
public:
    explicit SeededRandom(std::uint64_t seed);
    ~SeededRandom();
    SeededRandom(const SeededRandom&) = delete;
    SeededRandom& operator=(const SeededRandom&) = delete;
};

}  // namespace fieldpost::tests
