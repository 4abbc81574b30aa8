#include "crypto/bundle_cells.h"

#include <algorithm>

#include "crypto/box.h"
#include "crypto/hash.h"
#include "proto/record.h"

namespace fieldpost::crypto {

namespace {

// Cells begin at multiples of this, so that a reader finds the next cell after damage.
constexpr std::size_t grid_bytes = 256;
constexpr std::size_t head_bytes = 8;
constexpr std::size_t head_box_bytes = head_bytes + seal_overhead;
constexpr std::uint8_t kind_content = 1;
constexpr std::uint8_t kind_end = 2;
// Writers make larger cells when they have more content.
constexpr std::size_t small_cell_bytes = 32768;
// Noise is made in pieces of this size.
constexpr std::size_t noise_bytes = 65536;
// A file is foreign if nothing opens in this many bytes from its beginning.
constexpr std::uint64_t foreign_bytes = 1U << 20;
// A bundle may have this many damaged bytes, and more in proportion to the bytes that opened.
// Otherwise a sparse file that pretends to be a terabyte, with a cell of some bundle here and
// there, would be read for hours.
constexpr std::uint64_t damaged_bytes_max = 16U << 20;
constexpr std::uint64_t damaged_of_opened = 4;

std::size_t on_grid(std::size_t bytes) {
    return (bytes + grid_bytes - 1) / grid_bytes * grid_bytes;
}
std::size_t cell_bytes(std::size_t content) {
    return head_box_bytes + seal_overhead + content;
}

BundleKeys::Pair pair_of(const SealKey& key, const NetworkId& network) {
    const auto part = [&](std::string_view label) {
        return SealKey::from(keyed_hash(key.view(), label, network, {}).view());
    };
    return {part("bundle-head"), part("bundle-content")};
}

struct Head {
    std::uint8_t kind = 0;
    std::uint32_t number = 0;
    std::uint32_t size = 0;
};

Bytes encode(const Head& head) {
    ByteWriter out;
    out.u8(head.kind);
    out.u32(head.number);
    out.u8(static_cast<std::uint8_t>(head.size));
    out.u8(static_cast<std::uint8_t>(head.size >> 8));
    out.u8(static_cast<std::uint8_t>(head.size >> 16));
    return out.take();
}

std::optional<Head> decode(BytesView bytes) {
    Head head;
    ByteReader in(bytes);
    head.kind = in.read_u8().value();
    head.number = in.read_u32().value();
    for (unsigned shift = 0; shift < 24; shift += 8) {
        head.size |= std::uint32_t{in.read_u8().value()} << shift;
    }
    return head.size <= bundle_content_bytes_max ? std::optional(head) : std::nullopt;
}

Bytes noise(std::size_t bytes) {
    Bytes some(bytes);
    fill_random(some);
    return some;
}

}  // namespace

BundleKeys::BundleKeys(const FoundingKey& founding_key, const NetworkId& network) {
    constexpr std::array epoch{std::byte{0}, std::byte{0}};
    const auto derived = [&](std::string_view label, BytesView salt) {
        return SealKey::from(keyed_hash(founding_key.view(), label, network, {salt}).view());
    };
    roster_ = pair_of(derived("bundle-roster", {}), network);
    rest_ = pair_of(derived("bundle", epoch), network);
}

Bytes BundleSealer::cell(BundlePart part, BytesView content) {
    ensure(content.size() <= bundle_content_bytes_max, "a cell has a limit");
    const auto& keys = keys_.of(part);
    const auto head = encode({kind_content, number_++, static_cast<std::uint32_t>(content.size())});
    Bytes cell = seal_value(keys.head, {}, head);
    const auto sealed = seal_value(keys.content, head, content);
    cell.insert(cell.end(), sealed.begin(), sealed.end());
    const auto fill = noise(on_grid(cell.size()) - cell.size());
    cell.insert(cell.end(), fill.begin(), fill.end());
    bytes_ += cell.size();
    return cell;
}

BundleSealer::Room BundleSealer::room(std::uint64_t file_bytes_max) const {
    const auto most = padme_size_within(file_bytes_max);
    if (most < bytes_ + head_box_bytes) {
        return {};
    }
    const auto left = (most - bytes_ - head_box_bytes) / grid_bytes * grid_bytes;
    const auto overhead = cell_bytes(0);
    const auto around_all = (left / small_cell_bytes + 2) * (overhead + grid_bytes);
    return {left < overhead ? 0 : std::min(left - overhead, bundle_content_bytes_max),
            left < around_all ? 0 : left - around_all};
}

Bytes BundleSealer::end() {
    if (!noise_left_) {
        const auto used = bytes_ + head_box_bytes;
        noise_left_ = padme_size(used) - used;
        bytes_ += head_box_bytes + *noise_left_;
        return seal_value(keys_.of(BundlePart::rest).head, {}, encode({kind_end, number_, 0}));
    }
    const auto some = noise(std::min<std::uint64_t>(*noise_left_, noise_bytes));
    *noise_left_ -= some.size();
    return some;
}

void BundleOpener::add(BytesView bytes) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ = 0;
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    needs_more_ = false;
}

void BundleOpener::finish() {
    is_finished_ = true;
    needs_more_ = false;
}

void BundleOpener::skip(std::size_t bytes, bool is_damaged) {
    const auto skipped = std::min(bytes, rest().size());
    at_ += skipped;
    if (!is_damaged) {
        opened_bytes_ += skipped;
        return;
    }
    damaged_ += skipped;
    is_over_ = damaged_ >= (opened_ == 0 ? foreign_bytes
                                         : damaged_bytes_max + damaged_of_opened * opened_bytes_);
}

std::optional<BundleOpener::Cell> BundleOpener::open_here() {
    for (const auto part : {BundlePart::rest, BundlePart::roster}) {
        const auto& keys = keys_.of(part);
        const auto plain = open_value(keys.head, {}, rest().first(head_box_bytes));
        const auto head = plain ? decode(*plain) : std::nullopt;
        if (!head) {
            continue;
        }
        if (head->kind == kind_end) {
            is_over_ = true;
            is_whole_ = opened_ == head->number && damaged_ == 0;
            return std::nullopt;
        }
        const auto size = cell_bytes(head->size);
        if (rest().size() < (is_finished_ ? size : on_grid(size))) {
            needs_more_ = !is_finished_;
            is_over_ = is_finished_;
            return std::nullopt;
        }
        auto content =
            open_value(keys.content, *plain, rest().subspan(head_box_bytes, size - head_box_bytes));
        // Numbers ascend in a file. A cell that comes again was put there by an attacker.
        const bool is_next = content && head->number >= number_;
        skip(on_grid(size), !is_next);
        if (!is_next) {
            return std::nullopt;
        }
        number_ = head->number + 1ULL;
        ++opened_;
        // A cell of another kind comes from a later release.
        return head->kind == kind_content ? std::optional(Cell{part, std::move(*content)})
                                          : std::nullopt;
    }
    skip(grid_bytes, true);
    return std::nullopt;
}

std::optional<BundleOpener::Cell> BundleOpener::next() {
    while (!is_over_ && !needs_more_) {
        if (rest().size() < (is_finished_ ? head_box_bytes : grid_bytes)) {
            needs_more_ = !is_finished_;
            is_over_ = is_finished_;
            break;
        }
        if (auto cell = open_here()) {
            return cell;
        }
    }
    return std::nullopt;
}

}  // namespace fieldpost::crypto
