// The files of published bytes: shared by the tests of this folder.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "proto/interval_set.h"
#include "proto/record.h"
#include "proto/register.h"
#include "proto/sync_frames.h"
#include "tests/support/network.h"

namespace fieldpost::tests {

using nlohmann::json;

json read_vectors(const std::string& name);
// The value as text. Not compared as JSON: two compilers disagree on whether that is ambiguous.
inline std::string text_of(const json& value) {
    return value.get<std::string>();
}
// With FIELDPOST_WRITE_VECTORS set every file is written before the first test runs.
void write_vectors(const std::string& name, const json& content);

// The network that all files are about.
Network vector_network();

// The content of each file, made anew. One after the other: they draw the same random bytes.
json make_interval_sets();
json make_records(const Network& network);
json make_registers(const Network& network);
json make_roster(Network& network);
json make_frames(const Network& network);
// The hashes by which two offices find out how they differ.
json make_differences(const Network& network, const Summary& summary);
json make_beacons(const Network& network);
json make_bundles(const Network& network);
json make_refused(Network& network);

inline std::string hex(BytesView bytes) {
    return to_hex(bytes);
}
template <class Tag, std::size_t N>
std::string hex(const ByteArray<Tag, N>& array) {
    return to_hex(array.view());
}
Bytes unhex(const json& text);

template <class Array>
Array array_of(const json& text) {
    const auto bytes = unhex(text);
    ByteReader in(bytes);
    return in.read_array<Array>().value();
}

template <class Write>
Bytes written_by(const Write& write_to) {
    ByteWriter out;
    write_to(out);
    return out.take();
}
template <class Write>
std::string hex_of(const Write& write_to) {
    return hex(written_by(write_to));
}

// The meaning of bytes, in words that another program can compare with its own reading.
json meaning(const IntervalSet& set);
json meaning(Incarnation incarnation);
json meaning(const LogKey& log);
json meaning(const Receipt& receipt);
json meaning(const Custody& custody);
IntervalSet set_of(const json& list);

// One side of a fork: of an office's log, with a body that nobody has.
RecordProof proof_of(const Network& network, Number number, std::uint8_t count, std::uint8_t salt,
                     RecordClass record_class = RecordClass::normal);

// A record as it travels.
struct SealedForVector {
    Header header;
    Bytes body;
    std::vector<Hash> pieces;
    Hash body_hash;
    RecordId id;
    Signature signature;
    std::string file_key;
    [[nodiscard]] Neighbour neighbour() const { return {header, id}; }
};
// `header` is sealed already; hashes and signs.
SealedForVector signed_for_vector(const Network& network, const Office& author, Header header,
                                  Bytes body);

}  // namespace fieldpost::tests
