// Everything that a peer can send.
#include "proto/sync_frames.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

FUZZ_TARGET(frame) {
    fuzz::meaning(bytes, &decode_frame, &encode_frame);
}
