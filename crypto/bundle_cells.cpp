#include "crypto/bundle_cells.h"

#include <algorithm>
#include <iterator>
#include <ranges>

#include "crypto/box.h"
#include "crypto/epoch_chain.h"
#include "crypto/hash.h"
#include "proto/epoch_slots.h"
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
// So often old epochs are tried in one file.
constexpr std::size_t tries_max = 20'000;

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

BundleKeys::Pair rest_pair(BytesView secret, std::uint16_t epoch, const NetworkId& network) {
    ByteWriter number;
    number.u16(epoch);
    return pair_of(SealKey::from(keyed_hash(secret, "bundle", network, {number.bytes()}).view()),
                   network);
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
    roster_ =
        pair_of(SealKey::from(keyed_hash(founding_key.view(), "bundle-roster", network, {}).view()),
                network);
    rest_.push_back(rest_pair(founding_key.view(), 0, network));
}

void BundleKeys::add_epochs(const BoxSecret& transport, std::uint16_t epoch,
                            const NetworkId& network) {
    std::vector<Pair> added;
    auto secret = transport.duplicate();
    for (auto one = epoch; one >= rest_.size(); --one) {
        added.push_back(rest_pair(secret.view(), one, network));
        secret = earlier_epoch_secret(secret, network, transport_group, one,
                                      static_cast<std::uint16_t>(one - 1));
    }
    std::ranges::move(added | std::views::reverse, std::back_inserter(rest_));
}

Bytes BundleSealer::cell(BundlePart part, BytesView content) {
    ensure(content.size() <= bundle_content_bytes_max, "a cell has a limit");
    const auto& keys = part == BundlePart::roster ? keys_.roster() : keys_.rest().back();
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
        return seal_value(keys_.rest().back().head, {}, encode({kind_end, number_, 0}));
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

// Most files are of the newest epoch, or of the one before. Which of the older ones a file is of is
// found at its first cells: a file that opens under none is not tried under all to its end.
std::optional<BundleOpener::Found> BundleOpener::find_head() {
    const auto here = rest().first(head_box_bytes);
    const auto try_keys = [&](BundlePart part, const BundleKeys::Pair& keys) {
        auto plain = open_value(keys.head, {}, here);
        return plain && decode(*plain) ? std::optional(Found{part, &keys, std::move(*plain)})
                                       : std::nullopt;
    };
    const auto& epochs = keys_.rest();
    if (epoch_) {
        if (auto found = try_keys(BundlePart::rest, epochs[*epoch_])) {
            return found;
        }
    }
    if (auto found = try_keys(BundlePart::roster, keys_.roster())) {
        return found;
    }
    for (auto epoch = epochs.size(); !epoch_ && epoch-- > 0;) {
        const bool is_likely = epoch + 2 >= epochs.size() || epoch == 0;
        if (!is_likely && tries_ == tries_max) {
            continue;
        }
        tries_ += is_likely ? 0 : 1;
        if (auto found = try_keys(BundlePart::rest, epochs[epoch])) {
            epoch_ = epoch;
            return found;
        }
    }
    return std::nullopt;
}

std::optional<BundleOpener::Cell> BundleOpener::open_here() {
    if (const auto found = find_head()) {
        const auto head = decode(found->head);
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
        auto content = open_value(found->keys->content, found->head,
                                  rest().subspan(head_box_bytes, size - head_box_bytes));
        // Numbers ascend in a file. A cell that comes again was put there by an attacker.
        const bool is_next = content && head->number >= number_;
        skip(on_grid(size), !is_next);
        if (!is_next) {
            return std::nullopt;
        }
        number_ = head->number + 1ULL;
        ++opened_;
        // A cell of another kind comes from a later release.
        return head->kind == kind_content ? std::optional(Cell{found->part, std::move(*content)})
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
