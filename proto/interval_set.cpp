#include "proto/interval_set.h"

#include <fmt/format.h>

#include "proto/limits.h"

namespace fieldpost {

IntervalSet::IntervalSet(std::initializer_list<Interval> intervals) {
    for (const auto interval : intervals) {
        add(interval);
    }
}

namespace {

// The first interval that ends at or after `number`.
auto ending_from(auto&& intervals, std::uint64_t number) {
    return std::ranges::lower_bound(intervals, number, {},
                                    [](const Interval& i) { return std::uint64_t{i.last}; });
}

using At = std::vector<Interval>::const_iterator;

// Moves on to the first interval that ends at or after `number`. Two sets are walked side by side
// with this. It costs one step where the sets are alike. It costs a search where one set is a
// single run and the other has the hundred thousand intervals of a log that its author has torn.
void move_to(At& at, At end, Number number) {
    if (at != end && at->last < number) {
        ++at;
    }
    if (at != end && at->last < number) {
        at = ending_from(std::ranges::subrange(at, end), number);
    }
}

}  // namespace

void IntervalSet::add(Interval interval) {
    ensure(interval.first >= 1 && interval.first <= interval.last,
           "an interval is from 1 on and not empty");
    // Records arrive mostly in order, so the end is the common case.
    if (empty() || interval.first > std::uint64_t{intervals_.back().last} + 1) {
        intervals_.push_back(interval);
        return;
    }
    // Every interval that overlaps the new one or is next to it is merged into it.
    const auto from = ending_from(intervals_, std::uint64_t{interval.first} - 1);
    auto to = from;
    while (to != intervals_.end() && to->first <= std::uint64_t{interval.last} + 1) {
        interval.first = std::min(interval.first, to->first);
        interval.last = std::max(interval.last, to->last);
        ++to;
    }
    intervals_.insert(intervals_.erase(from, to), interval);
}

// One walk over both sets, so that sets which an attacker has torn into thousands of intervals cost
// only their size.
void IntervalSet::add(const IntervalSet& other) {
    if (other.intervals_.size() <= 1) {
        for (const auto interval : other.intervals_) {
            add(interval);
        }
        return;
    }
    const auto ours = std::exchange(intervals_, {});
    auto i = ours.begin();
    auto j = other.intervals_.begin();
    while (i != ours.end() || j != other.intervals_.end()) {
        const bool is_ours =
            j == other.intervals_.end() || (i != ours.end() && i->first < j->first);
        add(is_ours ? *i++ : *j++);  // never before the last interval: merged with it, or appended
    }
}

void IntervalSet::remove(Interval interval) {
    const auto from = ending_from(intervals_, interval.first);
    auto to = from;
    std::vector<Interval> kept;
    for (; to != intervals_.end() && to->first <= interval.last; ++to) {
        if (to->first < interval.first) {
            kept.push_back({to->first, interval.first - 1});
        }
        if (to->last > interval.last) {
            kept.push_back({interval.last + 1, to->last});
        }
    }
    const auto at = intervals_.erase(from, to);
    intervals_.insert(at, kept.begin(), kept.end());
}

void IntervalSet::remove(const IntervalSet& other) {
    if (other.intervals_.size() <= 1) {
        for (const auto interval : other.intervals_) {
            remove(interval);
        }
        return;
    }
    std::vector<Interval> left;
    auto gone = other.intervals_.begin();
    for (auto rest : intervals_) {
        move_to(gone, other.intervals_.end(), rest.first);
        bool is_left = true;
        for (auto at = gone; at != other.intervals_.end() && at->first <= rest.last; ++at) {
            if (at->first > rest.first) {
                left.push_back({rest.first, at->first - 1});
            }
            is_left = at->last < rest.last;
            if (!is_left) {
                break;
            }
            rest.first = at->last + 1;
            gone = at;
        }
        if (is_left) {
            left.push_back(rest);
        }
    }
    intervals_ = std::move(left);
}

bool IntervalSet::contains(Number number) const {
    return contains_all({number, number});
}

bool IntervalSet::contains_all(Interval interval) const {
    const auto at = ending_from(intervals_, interval.first);
    return at != intervals_.end() && at->first <= interval.first && at->last >= interval.last;
}

bool IntervalSet::contains_any(Interval interval) const {
    const auto at = ending_from(intervals_, interval.first);
    return at != intervals_.end() && at->first <= interval.last;
}

std::uint64_t IntervalSet::count() const {
    std::uint64_t total = 0;
    for (const auto& interval : intervals_) {
        total += interval.count();
    }
    return total;
}

std::optional<Number> IntervalSet::next(Number from) const {
    const auto at = ending_from(intervals_, from);
    if (at == intervals_.end()) {
        return std::nullopt;
    }
    return std::max(from, at->first);
}

std::optional<Number> IntervalSet::next_absent(Number from) const {
    const auto at = ending_from(intervals_, from);
    if (at == intervals_.end() || at->first > from) {
        return from;
    }
    if (at->last == UINT32_MAX) {
        return std::nullopt;
    }
    return at->last + 1;
}

IntervalSet united(IntervalSet a, const IntervalSet& b) {
    a.add(b);
    return a;
}

IntervalSet without(IntervalSet a, const IntervalSet& b) {
    a.remove(b);
    return a;
}

IntervalSet lower_half(const IntervalSet& set) {
    IntervalSet lower;
    for (std::size_t i = 0; i < set.intervals().size() / 2; ++i) {
        lower.add(set.intervals()[i]);
    }
    return lower;
}

IntervalSet intersection(const IntervalSet& a, const IntervalSet& b) {
    IntervalSet both;
    auto i = a.intervals().begin();
    auto j = b.intervals().begin();
    const auto i_end = a.intervals().end();
    const auto j_end = b.intervals().end();
    while (i != i_end && j != j_end) {
        if (i->overlaps(*j)) {
            both.add({std::max(i->first, j->first), std::min(i->last, j->last)});
            if (i->last < j->last) {
                ++i;
            } else {
                ++j;
            }
        } else if (i->last < j->first) {
            move_to(i, i_end, j->first);
        } else {
            move_to(j, j_end, i->first);
        }
    }
    return both;
}

void write(ByteWriter& out, const IntervalSet& set) {
    out.varint(set.intervals().size());
    Number last = 0;
    for (const auto& interval : set.intervals()) {
        out.varint(interval.first - last - 1);
        out.varint(interval.last - interval.first);
        last = interval.last;
    }
}

Result<IntervalSet> read_interval_set(ByteReader& in) {
    return read_interval_set(in, limits::intervals_max);
}

Result<IntervalSet> read_interval_set(ByteReader& in, std::size_t intervals_max) {
    const auto count = TRY(in.read_varint());
    // Each interval takes two bytes at least, so a lie about the count cannot make us allocate.
    if (count > intervals_max || count > in.left() / 2) {
        return fail(Errc::limit_exceeded, fmt::format("interval set: {} intervals", count));
    }
    IntervalSet set;
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto gap = TRY(in.read_varint());
        const auto more = TRY(in.read_varint());
        if (gap > UINT32_MAX || more > UINT32_MAX || last + gap + 1 + more > UINT32_MAX) {
            return fail(Errc::malformed, "interval set: a number over 2^32 - 1");
        }
        if (gap == 0 && i > 0) {
            return fail(Errc::malformed, "interval set: two intervals touch");
        }
        const auto first = static_cast<Number>(last + gap + 1);
        last = first + more;
        set.add({first, static_cast<Number>(last)});
    }
    return set;
}

namespace {

// The kind is the low two bits of the length, so that a dense log costs one byte and its varint.
enum class Container : std::uint8_t {
    from_one = 0,  // varint n: 1..n, or nothing if n is 0
    runs = 1,      // an interval set as signed
    bitmap = 2,    // varint first - 1, varint bits, then bits from the lowest of each byte
};

void write_kind(ByteWriter& out, Container kind, const ByteWriter& content) {
    out.varint(content.size() << 2 | static_cast<std::uint64_t>(kind));
    out.raw(content.bytes());
}

struct Bitmap {
    Number first;
    std::uint64_t bits;
};

std::size_t bitmap_size(const Bitmap& map) {
    return varint_size(map.first - 1) + varint_size(map.bits) + (map.bits + 7) / 8;
}

}  // namespace

void write_container(ByteWriter& out, const IntervalSet& set) {
    ByteWriter content;
    if (set.empty() || (set.intervals().size() == 1 && set.intervals().front().first == 1)) {
        content.varint(set.top());
        write_kind(out, Container::from_one, content);
        return;
    }
    write(content, set);
    const Bitmap map{set.intervals().front().first,
                     std::uint64_t{set.top()} - set.intervals().front().first + 1};
    if (content.size() <= bitmap_size(map)) {
        write_kind(out, Container::runs, content);
        return;
    }
    Bytes bits((map.bits + 7) / 8);
    for (const auto& interval : set.intervals()) {
        for (std::uint64_t n = interval.first; n <= interval.last; ++n) {
            const auto bit = n - map.first;
            bits[bit / 8] |= std::byte{1} << (bit % 8);
        }
    }
    ByteWriter bitmap;
    bitmap.varint(map.first - 1);
    bitmap.varint(map.bits);
    bitmap.raw(bits);
    write_kind(out, Container::bitmap, bitmap);
}

namespace {

Result<IntervalSet> read_bitmap(ByteReader& in) {
    const auto before = TRY(in.read_varint());
    const auto bits = TRY(in.read_varint());
    if (bits == 0 || before >= UINT32_MAX || bits > UINT32_MAX || before + bits > UINT32_MAX) {
        return fail(Errc::malformed, "bitmap: a number over 2^32 - 1, or no bit");
    }
    const auto map = TRY(in.read((bits + 7) / 8));
    const auto is_set = [&](std::uint64_t bit) {
        return (map[bit / 8] >> (bit % 8) & std::byte{1}) == std::byte{1};
    };
    if (!is_set(0) || !is_set(bits - 1)) {
        return fail(Errc::malformed, "bitmap: does not begin and end with a member");
    }
    if (bits % 8 != 0 && (map.back() >> (bits % 8)) != std::byte{0}) {
        return fail(Errc::malformed, "bitmap: bits beyond its end");
    }
    IntervalSet set;
    for (std::uint64_t bit = 0; bit < bits; ++bit) {
        if (is_set(bit)) {
            set.add(static_cast<Number>(before + bit + 1));
        }
    }
    if (set.intervals().size() > limits::intervals_max) {
        return fail(Errc::limit_exceeded, "bitmap: too many intervals");
    }
    return set;
}

}  // namespace

Result<IntervalSet> read_container(ByteReader& in) {
    const auto head = TRY(in.read_varint());
    if (head >> 2 > limits::control_frame_bytes_max) {
        return fail(Errc::limit_exceeded, fmt::format("container: {} bytes", head >> 2));
    }
    const auto kind = static_cast<std::uint8_t>(head & 3);
    ByteReader container(TRY(in.read(head >> 2)));
    IntervalSet set;
    switch (static_cast<Container>(kind)) {
        case Container::from_one: {
            const auto last = TRY(container.read_varint());
            if (last > UINT32_MAX) {
                return fail(Errc::malformed, "container: a number over 2^32 - 1");
            }
            if (last > 0) {
                set.add({1, static_cast<Number>(last)});
            }
            break;
        }
        case Container::runs:
            set = TRY(read_interval_set(container));
            break;
        case Container::bitmap:
            set = TRY(read_bitmap(container));
            break;
        default:
            return IntervalSet{};
    }
    TRY(container.expect_end("container"));
    return set;
}

}  // namespace fieldpost
