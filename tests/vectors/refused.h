// Pairs for refused.json: bytes that are accepted, and the same with one rule broken.
#pragma once

#include "tests/vectors/vector_file.h"

namespace fieldpost::tests {

struct Refusals {
    json pairs = json::array();

    void add(const char* object, const char* why, BytesView good, BytesView bad) {
        pairs.push_back({{"object", object}, {"why", why}, {"good", hex(good)}, {"bad", hex(bad)}});
    }
    void add(const char* object, const char* why, std::string_view good, std::string_view bad) {
        add(object, why, from_hex(good).value(), from_hex(bad).value());
    }
    // Both followed by letters a, which the file only counts.
    void add_long(const char* object, const char* why, std::string_view good,
                  std::size_t good_letters, std::string_view bad, std::size_t bad_letters) {
        add(object, why, good, bad);
        pairs.back()["letters_behind"] = {{"good", good_letters}, {"bad", bad_letters}};
    }
};

// `bytes` with `replacement` at `at`.
inline Bytes with(BytesView bytes, std::size_t at, std::string_view replacement) {
    auto changed = to_bytes(bytes);
    const auto written = from_hex(replacement).value();
    std::ranges::copy(written, changed.begin() + static_cast<std::ptrdiff_t>(at));
    return changed;
}
inline Bytes joined(BytesView a, BytesView b) {
    auto both = to_bytes(a);
    both.insert(both.end(), b.begin(), b.end());
    return both;
}
inline Bytes one_less(BytesView bytes) {
    return to_bytes(bytes.first(bytes.size() - 1));
}
inline Bytes one_more(BytesView bytes) {
    return joined(bytes, Bytes(1));
}

void add_small_refusals(Refusals& out);
void add_header_refusals(Refusals& out);
void add_report_refusals(Refusals& out);
void add_body_refusals(Refusals& out);
void add_kind_refusals(Refusals& out);
// Adds the keys to `file` that its pairs need.
void add_register_refusals(Refusals& out, const Network& network, json& file);
void add_frame_refusals(Refusals& out, const Network& network);
void add_invitation_refusals(Refusals& out, const Network& network);
void add_roster_refusals(Refusals& out, Network& network);

}  // namespace fieldpost::tests
