// What every fuzz target shares. A target is a function that any bytes may be given to; it must
// return. Under libFuzzer (preset `fuzz`) each is a program of its own, which looks for bytes that
// break it; in all other builds fuzz_tests gives each the files of its corpus.
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

// What was decoded must not depend on who holds it: it encodes again, to the bytes it came from or,
// where a format has several forms, to some that mean the same.
inline void must(bool holds, const char* rule) {
    ensure(holds, rule);
}

// `decode` reads all of `bytes`; what it accepts encodes to exactly these.
template <class Decode, class Encode>
void exact(BytesView bytes, const Decode& decode, const Encode& encode) {
    if (const auto decoded = decode(bytes)) {
        must(equal(encode(*decoded), bytes), "what decodes encodes to the same bytes");
    }
}

// The same for what stands at the front of `bytes`.
template <class Read, class Encode>
void exact_front(BytesView bytes, const Read& read, const Encode& encode) {
    ByteReader in(bytes);
    if (const auto decoded = read(in)) {
        must(equal(encode(*decoded), bytes.first(bytes.size() - in.left())),
             "what decodes encodes to the same bytes");
    }
}

// Other forms were accepted: the meaning survives.
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
