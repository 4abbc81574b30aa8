// Everything that a peer can send.
#include "proto/link_message.h"
#include "proto/summary_parts.h"
#include "proto/sync_frames.h"
#include "tests/fuzz/fuzz.h"

using namespace fieldpost;

namespace {

// Decodes a frame and leaves out the leaves that broke a rule: no writer writes those.
Result<Frame> decode_what_holds(BytesView bytes) {
    auto frame = decode_frame(bytes);
    if (frame) {
        if (auto* summary = std::get_if<Summary>(&*frame)) {
            summary->damaged.clear();
        }
    }
    return frame;
}

}  // namespace

FUZZ_TARGET(frame) {
    if (const auto frames = frames_of(bytes)) {
        SummaryReader reader;
        for (const auto frame : *frames) {
            fuzz::meaning(frame, &decode_what_holds, &encode_frame);
            if (const auto decoded = decode_frame(frame)) {
                if (const auto* summary = std::get_if<Summary>(&*decoded)) {
                    (void)reader.take(*summary);
                }
            }
        }
    }
    fuzz::meaning(
        bytes, [](BytesView content) { return decode_leaf(OfficeId{1}, content); }, &encode_leaf);
}
