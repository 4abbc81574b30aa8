// Goal: the list of records in a file comes back from the command unchanged, however its numbers
// lie.
// Method: sets of few and of very many pieces, and bytes that are none.
#include "daemon/engine/bundle/bundle_knowledge.h"

#include <catch2/catch.hpp>

using namespace fieldpost;

namespace {

IntervalSet pieces(Number count, Number apart) {
    IntervalSet set;
    for (Number i = 1; i <= count; ++i) {
        set.add(i * apart);
    }
    return set;
}

engine::RunsByLog read_back(const Bytes& encoded) {
    engine::RunsByLog runs;
    engine::add_runs(runs, encoded);
    return runs;
}

}  // namespace

TEST_CASE("what a file holds is read back, in whatever pieces", "[bundles]") {
    const engine::RunsByLog runs{
        {{OfficeId{1}, {1, 7}, RecordClass::normal}, pieces(3, 2)},
        {{OfficeId{1}, {1, 7}, RecordClass::bulk}, pieces(30'000, 100'000)},
        {{OfficeId{1}, {2, 9}, RecordClass::normal}, {{1, 70'000}}},
        {{OfficeId{5}, {1, 8}, RecordClass::urgent}, pieces(4'001, 3)},
    };
    CHECK(read_back(engine::encode_runs(runs)) == runs);
    CHECK(read_back(engine::encode_runs({})).empty());
}

TEST_CASE("what is no list of what a file holds adds nothing", "[bundles]") {
    const engine::RunsByLog runs{{{OfficeId{1}, {1, 7}, RecordClass::normal}, pieces(3, 2)}};
    const auto encoded = engine::encode_runs(runs);
    CHECK(read_back(Bytes(encoded.begin(), encoded.end() - 1)).empty());
    CHECK(read_back(Bytes(300, std::byte{0xff})).empty());
    // One that cannot be read does not hide the next.
    ByteWriter both;
    both.sized(BytesView(encoded).first(3));
    both.raw(encoded);
    CHECK(read_back(both.take()) == runs);
}
