// Interval sets, in the form that is signed and in the form of summaries.
#include "proto/interval_set.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

FUZZ_TARGET(sets) {
    fuzz::exact_front(
        bytes, [](ByteReader& in) { return read_interval_set(in); },
        [](const IntervalSet& set) {
            ByteWriter out;
            write(out, set);
            return out.take();
        });
    fuzz::meaning(
        bytes,
        [](BytesView view) {
            ByteReader in(view);
            return read_container(in);
        },
        [](const IntervalSet& set) {
            ByteWriter out;
            write_container(out, set);
            return out.take();
        });
}
