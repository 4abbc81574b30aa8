// Compression of one record's reports, and of nothing else: never across records, never with a
// shared context, so that the size of a record tells nothing about another (the CRIME and BREACH
// attacks).
#pragma once

#include "proto/bytes.h"

namespace fieldpost {

// On the wire. Every office reads these three; more may be announced in office registers.
enum class Codec : std::uint8_t { raw = 0, zstd = 1, brotli = 2 };

struct Compressed {
    Codec codec = Codec::raw;
    Bytes bytes;
};

// The smallest of the three.
Compressed compress(BytesView plain);
// Exactly `plain_bytes` bytes or malformed; unsupported: a codec this release does not know. At
// most `plain_bytes` are ever allocated, so a bomb costs what it declared and no more.
Result<Bytes> decompress(std::uint8_t codec, BytesView compressed, std::size_t plain_bytes);

}  // namespace fieldpost
