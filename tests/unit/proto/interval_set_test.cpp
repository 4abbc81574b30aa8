// Goal: an interval set is a set of numbers, and its encodings are exact and canonical.
// Method: the same random operations on a plain std::set; every encoding decoded again.
#include "proto/interval_set.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>

#include <set>

#include "proto/limits.h"

using namespace fieldpost;

namespace {

struct Operation {
    bool adds;
    Interval interval;
};

rc::Gen<Operation> operations() {
    return rc::gen::apply(
        [](bool adds, Number first, Number more) { return Operation{adds, {first, first + more}}; },
        rc::gen::arbitrary<bool>(), rc::gen::inRange<Number>(1, 200),
        rc::gen::inRange<Number>(0, 20));
}

struct Pair {
    IntervalSet set;
    std::set<Number> plain;
};

Pair apply_all(const std::vector<Operation>& list) {
    Pair pair;
    for (const auto& operation : list) {
        for (Number n = operation.interval.first; n <= operation.interval.last; ++n) {
            if (operation.adds) {
                pair.plain.insert(n);
            } else {
                pair.plain.erase(n);
            }
        }
        if (operation.adds) {
            pair.set.add(operation.interval);
        } else {
            pair.set.remove(operation.interval);
        }
    }
    return pair;
}

std::set<Number> members(const IntervalSet& set) {
    std::set<Number> all;
    for (const auto& interval : set.intervals()) {
        for (std::uint64_t n = interval.first; n <= interval.last; ++n) {
            all.insert(static_cast<Number>(n));
        }
    }
    return all;
}

}  // namespace

namespace rc {
template <>
struct Arbitrary<Operation> {
    static Gen<Operation> arbitrary() { return operations(); }
};
}  // namespace rc

TEST_CASE("an interval set holds what a plain set holds", "[proto]") {
    CHECK(rc::check([](const std::vector<Operation>& list) {
        const auto [set, plain] = apply_all(list);
        RC_ASSERT(members(set) == plain);
        RC_ASSERT(set.count() == plain.size());
        RC_ASSERT(set.top() == (plain.empty() ? 0 : *plain.rbegin()));
        for (std::size_t i = 1; i < set.intervals().size(); ++i) {
            RC_ASSERT(set.intervals()[i - 1].last + 1 < set.intervals()[i].first);
        }
        for (Number n = 1; n < 225; ++n) {
            RC_ASSERT(set.contains(n) == plain.contains(n));
            const auto next = plain.lower_bound(n);
            RC_ASSERT(set.next(n) == (next == plain.end() ? std::nullopt : std::optional(*next)));
            Number absent = n;
            while (plain.contains(absent)) {
                ++absent;
            }
            RC_ASSERT(set.next_absent(n) == absent);
        }
    }));
}

TEST_CASE("union, difference and intersection are those of sets", "[proto]") {
    CHECK(rc::check([](const std::vector<Operation>& one, const std::vector<Operation>& other) {
        const auto [a, plain_a] = apply_all(one);
        const auto [b, plain_b] = apply_all(other);
        std::set<Number> both;
        std::set<Number> either = plain_a;
        std::set<Number> only_a;
        either.insert(plain_b.begin(), plain_b.end());
        for (const auto n : plain_a) {
            (plain_b.contains(n) ? both : only_a).insert(n);
        }
        RC_ASSERT(members(united(a, b)) == either);
        RC_ASSERT(members(without(a, b)) == only_a);
        RC_ASSERT(members(intersection(a, b)) == both);
    }));
}

TEST_CASE("interval sets and containers decode to what was encoded", "[proto]") {
    CHECK(rc::check([](const std::vector<Operation>& list) {
        const auto set = apply_all(list).set;
        ByteWriter out;
        write(out, set);
        write_container(out, set);
        ByteReader in(out.bytes());
        RC_ASSERT(read_interval_set(in).value() == set);
        RC_ASSERT(read_container(in).value() == set);
        RC_ASSERT(in.at_end());
    }));
}

TEST_CASE("a set at the end of the number range survives its encodings", "[proto]") {
    const IntervalSet set{{1, 1}, {UINT32_MAX - 1, UINT32_MAX}};
    ByteWriter out;
    write(out, set);
    write_container(out, set);
    ByteReader in(out.bytes());
    CHECK(read_interval_set(in).value() == set);
    CHECK(read_container(in).value() == set);
    CHECK(set.next_absent(UINT32_MAX) == std::nullopt);
    CHECK(out.size() < 32);  // never a bitmap over four thousand million bits
}

TEST_CASE("a dense log costs few bytes, random holes about one bit a number", "[proto]") {
    ByteWriter dense;
    write_container(dense, {{1, 1'000'000}});
    CHECK(dense.size() == 4);

    IntervalSet holes;
    std::uint32_t state = 1;
    for (Number n = 1; n <= 10'000; ++n) {
        state = state * 1'664'525 + 1'013'904'223;
        if ((state >> 31) != 0) {
            holes.add(n);
        }
    }
    ByteWriter out;
    write_container(out, holes);
    CHECK(out.size() < 10'000 / 8 + 16);
}

TEST_CASE("an interval set that is not canonical is refused", "[proto]") {
    const auto refused = [](std::initializer_list<int> bytes) {
        Bytes raw;
        for (const int b : bytes) {
            raw.push_back(static_cast<std::byte>(b));
        }
        ByteReader in(raw);
        const auto set = read_interval_set(in);
        return !set || !in.at_end();
    };
    CHECK(refused({}));
    CHECK(refused({2, 0, 0, 0, 0}));                             // two intervals touch
    CHECK(refused({0x81, 0x00, 0, 0}));                          // a varint in a longer form
    CHECK(refused({1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}));        // 2^32
    CHECK(refused({1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}));        // ends beyond 2^32 - 1
    CHECK(refused({0xff, 0xff, 0x03, 0, 0}));                    // claims more than it holds
    CHECK_FALSE(refused({1, 0, 0xfe, 0xff, 0xff, 0xff, 0x0f}));  // 1..2^32-1
}

TEST_CASE("a container of a kind from a later release reads as empty and is skipped", "[proto]") {
    const Bytes raw{std::byte{3 << 2 | 3}, std::byte{9}, std::byte{9}, std::byte{9}, std::byte{7}};
    ByteReader in(raw);
    CHECK(read_container(in).value().empty());
    CHECK(in.left() == 1);
}
