// Compression of one record's reports, and of nothing else. It never works across records or with a
// shared context. So the size of a record tells nothing about another record (the CRIME and BREACH
// attacks).
#pragma once

#include "proto/bytes.h"

namespace fieldpost {

// The numbers are on the wire. Every office reads these three. Office registers may announce more.
enum class Codec : std::uint8_t { raw = 0, zstd = 1, brotli = 2 };

struct Compressed {
    Codec codec = Codec::raw;
    Bytes bytes;
};

// The smallest form of the three codecs.
Compressed compress(BytesView plain);
// Gives exactly `plain_bytes` bytes. malformed: it would be another number of bytes. unsupported:
// this release does not know the codec. Allocates at most `plain_bytes`, and the decoder's own
// state (of brotli up to its window of 16 MiB). So a compression bomb costs the size that it
// declared.
Result<Bytes> decompress(std::uint8_t codec, BytesView compressed, std::size_t plain_bytes);

}  // namespace fieldpost
