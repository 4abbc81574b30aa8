// A bundle's cells: records in a file, for a stick that anybody may find.
//
// Promise: without the keys a bundle is noise of a Padmé size, and new noise each time (Nikitin,
// Barman, Lueks, Underwood, Hubaux, Ford: "Reducing Metadata Leakage from Encrypted Files and
// Communication with PURBs", 2019). With the keys a cell is whole or absent: damage costs only the
// cells that it lies in. A file that was cut off keeps all cells before the cut.
//
// Not promised: the author of a file. The content of a cell is checked as if a hostile peer had
// sent it. Bytes: proto/WIRE.md.
#pragma once

#include <optional>

#include "crypto/identity.h"

namespace fieldpost::crypto {

enum class BundlePart : std::uint8_t {
    roster,  // for every member and invitee of any epoch
    rest,    // for members, under a transport secret (epoch_chain.h)
};

// The limit for one cell, so that a reader needs little memory.
inline constexpr std::size_t bundle_content_bytes_max = 131'072;

class BundleKeys {
public:
    // Those of epoch 0: its transport secret is the founding key.
    BundleKeys(const FoundingKey& founding_key, const NetworkId& network);
    // Adds those of all epochs up to this one. An epoch that is known already adds nothing.
    void add_epochs(const BoxSecret& transport, std::uint16_t epoch, const NetworkId& network);

    // The keys for head and content of a cell.
    struct Pair {
        SealKey head;
        SealKey content;
    };
    [[nodiscard]] const Pair& roster() const { return roster_; }
    // By epoch.
    [[nodiscard]] const std::vector<Pair>& rest() const { return rest_; }

private:
    Pair roster_;
    std::vector<Pair> rest_;
};

class BundleSealer {
public:
    // The newest epoch of `keys` counts.
    explicit BundleSealer(BundleKeys keys) : keys_(std::move(keys)) {}

    // `content` is at most bundle_content_bytes_max.
    Bytes cell(BundlePart part, BytesView content);
    // The number of content bytes that still fit a file of at most file_bytes_max bytes: in the
    // next cell, and at least in all cells still to come.
    struct Room {
        std::size_t cell = 0;
        std::uint64_t file = 0;
    };
    [[nodiscard]] Room room(std::uint64_t file_bytes_max) const;
    // The size of the file so far.
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    // To be called after the last cell, until it returns nothing. Gives the end, and noise up to a
    // Padmé size.
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
    // Adds bytes of the file, in order.
    void add(BytesView bytes);
    // The next cell that opens. Nothing: it needs more bytes, or the bundle is over.
    std::optional<Cell> next();
    // To be called when no more bytes come.
    void finish();
    // The content of the first part may bring a newer epoch, before the second part is tried.
    void add_epochs(const BoxSecret& transport, std::uint16_t epoch, const NetworkId& network) {
        keys_.add_epochs(transport, epoch, network);
    }

    // True if the file has nothing more to give. Its end was read, or too many bytes did not open,
    // counted together and compared with the bytes that did. So the bytes read are bounded by the
    // bytes of cells that only a holder of the keys can make.
    [[nodiscard]] bool is_over() const { return is_over_; }
    // True if a cell has opened. Otherwise the file is no bundle of this network.
    [[nodiscard]] bool is_bundle() const { return opened_ > 0; }
    // True if the end was read, and every cell before it.
    [[nodiscard]] bool is_whole() const { return is_whole_; }
    // The bytes that were read and did not open. A cell that comes a second time counts among them.
    [[nodiscard]] std::uint64_t damaged_bytes() const { return damaged_; }

private:
    [[nodiscard]] BytesView rest() const { return BytesView(bytes_).subspan(at_); }
    // The keys under which the head of a cell opens here, with the head. Nothing: none.
    struct Found {
        BundlePart part{};
        const BundleKeys::Pair* keys = nullptr;
        Bytes head;
    };
    std::optional<Found> find_head();
    std::optional<Cell> open_here();
    void skip(std::size_t bytes, bool is_damaged);

    BundleKeys keys_;
    Bytes bytes_;
    std::size_t at_ = 0;
    std::uint32_t opened_ = 0;
    std::uint64_t damaged_ = 0;
    std::uint64_t opened_bytes_ = 0;
    // The epoch of the file's second part, once a cell of it has opened.
    std::optional<std::size_t> epoch_;
    std::size_t tries_ = 0;     // of old epochs, before that
    std::uint64_t number_ = 0;  // the least number that the next cell may have
    bool needs_more_ = false;
    bool is_finished_ = false;
    bool is_over_ = false;
    bool is_whole_ = false;
};

}  // namespace fieldpost::crypto
