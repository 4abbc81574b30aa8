// Goal: published bytes mean the same for ever.
// Method: decode the bytes in tests/vectors/*.json and compare them with the meaning given there;
// encode again and compare the bytes.
// `FIELDPOST_WRITE_VECTORS=1 vectors_tests` writes the files anew, which breaks a promise once a
// release has used them. read_vectors.py does the same without our code. Here: writing, and
// interval sets; each other file has a test of its name.
#include <catch2/catch.hpp>

#include <cstdlib>

#include "crypto/secret.h"
#include "tests/support/seeded_random.h"
#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

namespace {

json container_json(const char* name, const char* bytes, const IntervalSet& set) {
    return {{"name", name}, {"container", bytes}, {"intervals", tests::meaning(set)}};
}

// The seed and the network are the same for each file, so that one can grow without the others
// changing.
template <class Make>
void write_one(const std::string& name, const Make& make) {
    const SeededRandom random(20261121);
    auto network = vector_network();
    write_vectors(name, make(network));
}

const bool written = [] {
    const bool wanted = std::getenv("FIELDPOST_WRITE_VECTORS") != nullptr;
    if (wanted) {
        crypto::start();
        write_vectors("interval_sets", make_interval_sets());
        write_one("records", &make_records);
        write_one("registers", &make_registers);
        write_one("roster", &make_roster);
        write_one("frames", &make_frames);
        write_one("beacons", &make_beacons);
        write_one("bundles", &make_bundles);
        write_one("refused", &make_refused);
    }
    return wanted;
}();

}  // namespace

json make_interval_sets() {
    IntervalSet holes;
    for (Number n = 1; n < 200; n += 1 + n % 3) {
        holes.add(n);
    }
    json sets = json::array();
    for (const auto& set : {IntervalSet{}, IntervalSet{{1, 1}}, IntervalSet{{1, 40}},
                            IntervalSet{{5, 5}}, IntervalSet{{1, 3}, {7, 300}}, holes,
                            IntervalSet{{UINT32_MAX, UINT32_MAX}}, IntervalSet{{1, UINT32_MAX}}}) {
        sets.push_back(
            {{"intervals", tests::meaning(set)},
             {"set", hex_of([&](ByteWriter& out) { write(out, set); })},
             {"container", hex_of([&](ByteWriter& out) { write_container(out, set); })}});
    }
    return {{"sets", sets},
            {"containers_of_other_writers",
             {container_json("1 to 3 as a set", "0d010002", {{1, 3}}),
              container_json("nothing as a set", "0500", {}),
              container_json("1 to 3 as a bitmap", "0e000307", {{1, 3}}),
              container_json("5 and 7 as a bitmap", "0e040305", {{5, 5}, {7, 7}}),
              container_json("one number as a bitmap", "0e630101", {{100, 100}}),
              container_json("a kind of a later release", "0fabcdef", {}),
              container_json("a kind of a later release, empty", "03", {})}}};
}

TEST_CASE("interval sets and containers mean what they meant", "[vectors]") {
    const auto file = read_vectors("interval_sets");
    for (const auto& vector : file["sets"]) {
        const auto set = set_of(vector["intervals"]);
        const auto bytes = unhex(vector["set"]);
        const auto container = unhex(vector["container"]);
        ByteReader in(bytes);
        ByteReader container_in(container);
        CHECK(read_interval_set(in).value() == set);
        CHECK(read_container(container_in).value() == set);
        CHECK(hex_of([&](ByteWriter& out) { write(out, set); }) == text_of(vector["set"]));
        CHECK(hex_of([&](ByteWriter& out) { write_container(out, set); }) ==
              text_of(vector["container"]));
    }
    for (const auto& vector : file["containers_of_other_writers"]) {
        CAPTURE(vector["name"].get<std::string>());
        const auto bytes = unhex(vector["container"]);
        ByteReader in(bytes);
        CHECK(read_container(in).value() == set_of(vector["intervals"]));
        CHECK(in.at_end());
    }
}

}  // namespace fieldpost::tests
