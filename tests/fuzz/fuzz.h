// Shared by all fuzz targets. A target is a function that takes any bytes; it must return. Under
// libFuzzer (preset `fuzz`) each target is a program of its own, which looks for bytes that break
// it. In all other builds fuzz_tests runs each target on the files of its corpus.
#pragma once

#include <string>
#include <vector>

#include "proto/bytes.h"

namespace fieldpost::fuzz {

struct Target {
    std::string name;
    void (*run)(BytesView);
};
std::vector<Target>& targets();

struct Registered {
    Registered(const char* name, void (*run)(BytesView)) { targets().push_back({name, run}); }
};

// Ends the program if a rule is broken. The rule: a decoded value encodes again to the bytes it
// came from. Where a format has several forms, it encodes to a form of the same meaning.
inline void must(bool holds, const char* rule) {
    ensure(holds, rule);
}

// `decode` reads all of `bytes`. A value that it accepts encodes to exactly these bytes.
template <class Decode, class Encode>
void exact(BytesView bytes, const Decode& decode, const Encode& encode) {
    if (const auto decoded = decode(bytes)) {
        must(equal(encode(*decoded), bytes), "what decodes encodes to the same bytes");
    }
}

// As above, for a value at the front of `bytes`.
template <class Read, class Encode>
void exact_front(BytesView bytes, const Read& read, const Encode& encode) {
    ByteReader in(bytes);
    if (const auto decoded = read(in)) {
        must(equal(encode(*decoded), bytes.first(bytes.size() - in.left())),
             "what decodes encodes to the same bytes");
    }
}

// For formats with several forms: the value encodes to a form that decodes to an equal value.
template <class Decode, class Encode>
void meaning(BytesView bytes, const Decode& decode, const Encode& encode) {
    if (const auto decoded = decode(bytes)) {
        const auto again = decode(encode(*decoded));
        must(again && *again == *decoded, "what decodes means the same when encoded again");
    }
}

}  // namespace fieldpost::fuzz

#define FUZZ_TARGET(name)                                                              \
    static void fuzz_##name(::fieldpost::BytesView bytes);                             \
    static const ::fieldpost::fuzz::Registered registered_##name(#name, &fuzz_##name); \
    static void fuzz_##name(::fieldpost::BytesView bytes)
