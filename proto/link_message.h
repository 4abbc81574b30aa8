// The messages of a link: each is one frame, or several frames that leave at one moment (WIRE.md
// 6).
//
// Each message costs 42 bytes of ZeroMQ and CURVE. Two small messages may leave in two TCP
// segments, which cost 52 bytes more each. An office that writes three times a day pays that for
// each report.
#pragma once

#include <vector>

#include "proto/bytes.h"
#include "proto/vocabulary.h"

namespace fieldpost {

// Adds `frame` to `message`, which is not empty. False, and nothing is changed, if both together
// would have more than limits::joined_frames_bytes_max.
bool join_frame(Bytes& message, BytesView frame);

// The frames of a message, in their order. Each is to be decoded by itself (sync_frames.h).
// malformed: a frame is empty or holds other frames, a message for several has fewer than two, or
// it ends too early. limit_exceeded: more bytes than a message for several may have.
Result<std::vector<BytesView>> frames_of(BytesView message);

}  // namespace fieldpost
