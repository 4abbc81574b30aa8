// A bundle's cells: records in a file, for a stick that anybody may find.
//
// Promise: to whoever lacks the keys it is noise of a Padmé size (Nikitin, Barman, Lueks,
// Underwood, Hubaux, Ford: "Reducing Metadata Leakage from Encrypted Files and Communication with
// PURBs", 2019), and other noise each time. To who has them a cell is whole or not there: damage
// costs the cells it lies in and no other, a file that was cut off keeps all before the cut. Not
// promised: who wrote it. What is in a cell is checked as if a hostile peer had sent it. Bytes:
// proto/WIRE.md.
#pragma once

#include <optional>

#include "crypto/identity.h"

namespace fieldpost::crypto {

enum class BundlePart : std::uint8_t {
    roster,  // for every member and invitee of any epoch
    rest,    // for members, under the newest transport secret
};

// Of one cell, so that a reader needs little memory.
inline constexpr std::size_t bundle_content_bytes_max = 131'072;

class BundleKeys {
public:
    BundleKeys(const FoundingKey& founding_key, const NetworkId& network);

    // Of head and content of a cell.
    struct Pair {
        SealKey head;
        SealKey content;
    };
    [[nodiscard]] const Pair& of(BundlePart part) const {
        return part == BundlePart::roster ? roster_ : rest_;
    }

private:
    Pair roster_;
    Pair rest_;
};

class BundleSealer {
public:
    explicit BundleSealer(BundleKeys keys) : keys_(std::move(keys)) {}

    // `content` is at most bundle_content_bytes_max.
    Bytes cell(BundlePart part, BytesView content);
    // For content that still fits a file of so many bytes: in the next cell, and in all that are
    // still to come, at the least.
    struct Room {
        std::size_t cell = 0;
        std::uint64_t file = 0;
    };
    [[nodiscard]] Room room(std::uint64_t file_bytes_max) const;
    // Of the file so far.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    // After the last cell, until it returns nothing: the end, and noise up to a Padmé size.
    Bytes end();

private:
    BundleKeys keys_;
    std::uint32_t number_ = 0;
    std::uint64_t bytes_ = 0;
    std::optional<std::uint64_t> noise_left_;
};

class BundleOpener {
public:
    explicit BundleOpener(BundleKeys keys) : keys_(std::move(keys)) {}

    struct Cell {
        BundlePart part{};
        Bytes content;
    };
    // The file's bytes, in order.
    void add(BytesView bytes);
    // The next cell that opens. Nothing: it needs more bytes, or is over.
    std::optional<Cell> next();
    // No more bytes come.
    void finish();

    // Nothing more is to be had of it: its end was read, or too much does not open, in all and
    // against what did. So the bytes read are bounded by those of cells that nobody else can make.
    [[nodiscard]] bool is_over() const { return is_over_; }
    // Some of it opened; otherwise it is no bundle of this network.
    [[nodiscard]] bool is_bundle() const { return opened_ > 0; }
    // Its end was read, and every cell before it.
    [[nodiscard]] bool is_whole() const { return is_whole_; }
    // Read, and not opened; a cell that comes once more counts as such.
    [[nodiscard]] std::uint64_t damaged_bytes() const { return damaged_; }

private:
    [[nodiscard]] BytesView rest() const { return BytesView(bytes_).subspan(at_); }
    std::optional<Cell> open_here();
    void skip(std::size_t bytes, bool is_damaged);

    BundleKeys keys_;
    Bytes bytes_;
    std::size_t at_ = 0;
    std::uint32_t opened_ = 0;
    std::uint64_t damaged_ = 0;
    std::uint64_t opened_bytes_ = 0;
    std::uint64_t number_ = 0;  // of the next cell, at the least
    bool needs_more_ = false;
    bool is_finished_ = false;
    bool is_over_ = false;
    bool is_whole_ = false;
};

}  // namespace fieldpost::crypto
