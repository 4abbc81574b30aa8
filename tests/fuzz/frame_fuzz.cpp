// Everything that a peer can send.
#include "proto/link_message.h"
#include "proto/sync_frames.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

FUZZ_TARGET(frame) {
    if (const auto frames = frames_of(bytes)) {
        for (const auto frame : *frames) {
            fuzz::meaning(frame, &decode_frame, &encode_frame);
        }
    }
}
