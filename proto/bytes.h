// Bytes as they travel: fixed-size strong types, a checked reader and a writer.
//
// All integers are little-endian. A varint is LEB128 in its shortest form. A longer form is
// refused, so that every value has one encoding. Reading past the end is Errc::malformed.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace fieldpost {

using Bytes = std::vector<std::byte>;
using BytesView = std::span<const std::byte>;

// N bytes with a meaning: the compiler takes no RecordId for a Hash or a string.
template <class Tag, std::size_t N>
struct ByteArray {
    static constexpr std::size_t size = N;
    std::array<std::byte, N> bytes{};

    [[nodiscard]] BytesView view() const { return bytes; }
    [[nodiscard]] std::span<std::byte, N> mutable_view() { return bytes; }
    // The first `count` bytes, for the short forms that some messages carry.
    [[nodiscard]] BytesView first(std::size_t count) const { return view().first(count); }
    [[nodiscard]] bool is_zero() const {
        return std::all_of(bytes.begin(), bytes.end(),
                           [](std::byte b) { return b == std::byte{0}; });
    }
    auto operator<=>(const ByteArray&) const = default;
};

inline bool equal(BytesView a, BytesView b) {
    return std::ranges::equal(a, b);
}

BytesView as_bytes(std::string_view text);
std::string_view as_text(BytesView bytes);
Bytes to_bytes(BytesView view);
std::string to_hex(BytesView bytes);
// Nothing unless `hex` is an even number of hexadecimal digits.
std::optional<Bytes> from_hex(std::string_view hex);

// Reads from the front of a view, which must outlive it. Every read is checked.
class ByteReader {
public:
    explicit ByteReader(BytesView bytes) : rest_(bytes) {}

    [[nodiscard]] bool at_end() const { return rest_.empty(); }
    [[nodiscard]] std::size_t left() const { return rest_.size(); }
    [[nodiscard]] BytesView rest() const { return rest_; }

    Result<std::uint8_t> read_u8();
    Result<std::uint16_t> read_u16();
    Result<std::uint32_t> read_u32();
    // The low six bytes; counters of registers are this wide.
    Result<std::uint64_t> read_u48();
    Result<std::uint64_t> read_u64();
    Result<std::uint64_t> read_varint();
    // A view into the bytes being read.
    Result<BytesView> read(std::size_t count);
    // A varint length, then that many bytes. limit_exceeded: longer than `max`.
    Result<BytesView> read_sized(std::size_t max);
    template <class Array>
    Result<Array> read_array() {
        const auto view = TRY(read(Array::size));
        Array array;
        std::ranges::copy(view, array.bytes.begin());
        return array;
    }
    // malformed: bytes are left over. `what` names the message for the log.
    Result<void> expect_end(std::string_view what) const;

private:
    BytesView rest_;
};

class ByteWriter {
public:
    void u8(std::uint8_t value);
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void u48(std::uint64_t value);
    void u64(std::uint64_t value);
    void varint(std::uint64_t value);
    void raw(BytesView bytes);
    void sized(BytesView bytes);

    [[nodiscard]] const Bytes& bytes() const { return bytes_; }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }
    [[nodiscard]] Bytes take() { return std::move(bytes_); }

private:
    void fixed(std::uint64_t value, int width);
    Bytes bytes_;
};

std::size_t varint_size(std::uint64_t value);

// Signed numbers near zero as small unsigned ones: 0 -1 1 -2 become 0 1 2 3.
constexpr std::uint64_t zigzag(std::int64_t value) {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t value) {
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

}  // namespace fieldpost
