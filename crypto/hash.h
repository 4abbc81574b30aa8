// BLAKE2b-256 (RFC 7693) over a label, the network's id and the parts, in that order. So a hash
// made for one purpose or network never equals a hash made for another.
#pragma once

#include <initializer_list>
#include <memory>
#include <string_view>

#include "proto/vocabulary.h"

namespace fieldpost::crypto {

Hash hash(std::string_view label, const NetworkId& network, std::initializer_list<BytesView> parts);

// hash() under a key of 16 to 64 bytes.
Hash keyed_hash(BytesView key, std::string_view label, const NetworkId& network,
                std::initializer_list<BytesView> parts);

// Gives the result of hash() for one part that comes piece by piece.
class HashStream {
public:
    HashStream(std::string_view label, const NetworkId& network);
    ~HashStream();
    HashStream(HashStream&&) noexcept;
    HashStream& operator=(HashStream&&) noexcept;
    void add(BytesView bytes);
    // To be called once.
    Hash finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

// SHA-256 (FIPS 180-4), for people who compare a saved file with another tool's sum.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    void add(BytesView bytes);
    // To be called once.
    Bytes finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

// Eight bytes that find accidental damage in what this machine wrote: SipHash-2-4 without a secret.
std::uint64_t accident_check(BytesView bytes);

// The label, NUL and network id that every signature and hash input begins with.
Bytes labelled(std::string_view label, const NetworkId& network,
               std::initializer_list<BytesView> parts);

}  // namespace fieldpost::crypto
