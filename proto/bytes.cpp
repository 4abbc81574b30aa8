#include "proto/bytes.h"

#include <fmt/format.h>

namespace fieldpost {

BytesView as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::string_view as_text(BytesView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes to_bytes(BytesView view) {
    return {view.begin(), view.end()};
}

std::string to_hex(BytesView bytes) {
    std::string hex;
    hex.reserve(bytes.size() * 2);
    for (const auto byte : bytes) {
        fmt::format_to(std::back_inserter(hex), "{:02x}", std::to_integer<unsigned>(byte));
    }
    return hex;
}

std::optional<Bytes> from_hex(std::string_view hex) {
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        if (c >= 'a' && c <= 'f') {
            return c - 'a' + 10;
        }
        if (c >= 'A' && c <= 'F') {
            return c - 'A' + 10;
        }
        return -1;
    };
    if (hex.size() % 2 != 0) {
        return std::nullopt;
    }
    Bytes bytes;
    bytes.reserve(hex.size() / 2);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const int high = digit(hex[i]);
        const int low = digit(hex[i + 1]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        bytes.push_back(static_cast<std::byte>(high * 16 + low));
    }
    return bytes;
}

namespace {

std::uint64_t little_endian(BytesView bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
        value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
    }
    return value;
}

}  // namespace

Result<std::uint8_t> ByteReader::read_u8() {
    return static_cast<std::uint8_t>(little_endian(TRY(read(1))));
}
Result<std::uint16_t> ByteReader::read_u16() {
    return static_cast<std::uint16_t>(little_endian(TRY(read(2))));
}
Result<std::uint32_t> ByteReader::read_u32() {
    return static_cast<std::uint32_t>(little_endian(TRY(read(4))));
}
Result<std::uint64_t> ByteReader::read_u48() {
    return little_endian(TRY(read(6)));
}
Result<std::uint64_t> ByteReader::read_u64() {
    return little_endian(TRY(read(8)));
}

Result<std::uint64_t> ByteReader::read_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const std::uint64_t byte = TRY(read_u8());
        const std::uint64_t low = byte & 0x7f;
        if (shift == 63 && low > 1) {
            return fail(Errc::malformed, "varint: over 64 bits");
        }
        value |= low << shift;
        if ((byte & 0x80) == 0) {
            if (byte == 0 && shift > 0) {
                return fail(Errc::malformed, "varint: not in its shortest form");
            }
            return value;
        }
    }
    return fail(Errc::malformed, "varint: over 64 bits");
}

Result<BytesView> ByteReader::read(std::size_t count) {
    if (count > rest_.size()) {
        return fail(Errc::malformed,
                    fmt::format("read: {} bytes wanted, {} left", count, rest_.size()));
    }
    const auto view = rest_.first(count);
    rest_ = rest_.subspan(count);
    return view;
}

Result<BytesView> ByteReader::read_sized(std::size_t max) {
    const auto count = TRY(read_varint());
    if (count > max) {
        return fail(Errc::limit_exceeded, fmt::format("read: {} bytes, at most {}", count, max));
    }
    return read(static_cast<std::size_t>(count));
}

Result<void> ByteReader::expect_end(std::string_view what) const {
    if (!rest_.empty()) {
        return fail(Errc::malformed, fmt::format("{}: {} bytes too many", what, rest_.size()));
    }
    return ok();
}

void ByteWriter::fixed(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) {
        bytes_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
    }
}

void ByteWriter::u8(std::uint8_t value) {
    fixed(value, 1);
}
void ByteWriter::u16(std::uint16_t value) {
    fixed(value, 2);
}
void ByteWriter::u32(std::uint32_t value) {
    fixed(value, 4);
}
void ByteWriter::u48(std::uint64_t value) {
    ensure(value >> 48 == 0, "a 48 bit field holds at most 48 bits");
    fixed(value, 6);
}
void ByteWriter::u64(std::uint64_t value) {
    fixed(value, 8);
}

void ByteWriter::varint(std::uint64_t value) {
    while (value >= 0x80) {
        u8(static_cast<std::uint8_t>(value | 0x80));
        value >>= 7;
    }
    u8(static_cast<std::uint8_t>(value));
}

void ByteWriter::raw(BytesView bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void ByteWriter::sized(BytesView bytes) {
    varint(bytes.size());
    raw(bytes);
}

std::size_t varint_size(std::uint64_t value) {
    std::size_t size = 1;
    for (; value >= 0x80; value >>= 7) {
        ++size;
    }
    return size;
}

}  // namespace fieldpost
