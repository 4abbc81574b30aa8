// A set of record numbers as ascending, disjoint, non-adjacent intervals.
//
// Canonical: equal sets have equal intervals and equal bytes. Numbers run from 1 to 2^32 - 1.
//
// A dense log is one interval at any length. Therefore logs are split by class.
#pragma once

#include <optional>
#include <vector>

#include "proto/bytes.h"
#include "proto/vocabulary.h"

namespace fieldpost {

// Numbers first..last, both included; first <= last and first >= 1.
struct Interval {
    Number first = 1;
    Number last = 1;
    auto operator<=>(const Interval&) const = default;
    [[nodiscard]] std::uint64_t count() const { return std::uint64_t{last} - first + 1; }
    [[nodiscard]] bool overlaps(Interval other) const {
        return first <= other.last && other.first <= last;
    }
};

// The numbers of a record: `count` of them from `number` on.
constexpr Interval run_of(Number number, std::uint32_t count) {
    return {number, number + count - 1};
}

class IntervalSet {
public:
    IntervalSet() = default;
    IntervalSet(std::initializer_list<Interval> intervals);

    void add(Interval interval);
    void add(Number number) { add({number, number}); }
    void add(const IntervalSet& other);
    void remove(Interval interval);
    void remove(const IntervalSet& other);

    [[nodiscard]] bool contains(Number number) const;
    [[nodiscard]] bool contains_all(Interval interval) const;
    [[nodiscard]] bool contains_any(Interval interval) const;
    [[nodiscard]] bool empty() const { return intervals_.empty(); }
    [[nodiscard]] std::uint64_t count() const;
    // The greatest number, or 0 of an empty set.
    [[nodiscard]] Number top() const { return empty() ? 0 : intervals_.back().last; }
    // The least member that is >= `from`.
    [[nodiscard]] std::optional<Number> next(Number from) const;
    // The least member that is > `number`: the step of a walk over all of them.
    [[nodiscard]] std::optional<Number> after(Number number) const {
        return number == UINT32_MAX ? std::nullopt : next(number + 1);
    }
    // The least number >= `from` that is not a member; nothing if 2^32 - 1 is reached.
    [[nodiscard]] std::optional<Number> next_absent(Number from) const;
    [[nodiscard]] const std::vector<Interval>& intervals() const { return intervals_; }
    bool operator==(const IntervalSet&) const = default;

private:
    std::vector<Interval> intervals_;
};

IntervalSet united(IntervalSet a, const IntervalSet& b);
IntervalSet without(IntervalSet a, const IntervalSet& b);
IntervalSet intersection(const IntervalSet& a, const IntervalSet& b);
// Keeps the lower half of the intervals. Nothing is left of a set of one interval.
IntervalSet lower_half(const IntervalSet& set);

// As signed (proto/WIRE.md "Interval set"): varint k, then k x (varint gap, varint length - 1). The
// gap is the count of absent numbers since the interval before (or since 0).
void write(ByteWriter& out, const IntervalSet& set);
// malformed: not canonical. limit_exceeded: over `intervals_max` intervals, or where it is not said
// limits::intervals_max.
Result<IntervalSet> read_interval_set(ByteReader& in);
Result<IntervalSet> read_interval_set(ByteReader& in, std::size_t intervals_max);

// As summaries carry it (proto/WIRE.md "Container"): the smallest of one run from 1, varint runs
// and a bitmap, behind its kind and length.
void write_container(ByteWriter& out, const IntervalSet& set);
// An unknown kind reads as the empty set, which costs a repeat and never a loss.
Result<IntervalSet> read_container(ByteReader& in);

}  // namespace fieldpost
