#include "proto/link_message.h"

#include "proto/limits.h"

namespace fieldpost {

namespace {

// This number lies among the frame types, and no frame may ever use it.
constexpr std::byte several{17};

std::size_t sized_bytes(std::size_t size) {
    ByteWriter out;
    out.varint(size);
    return out.bytes().size() + size;
}

}  // namespace

bool join_frame(Bytes& message, BytesView frame) {
    const bool is_joined = message.front() == several;
    const auto before = is_joined ? message.size() : 1 + sized_bytes(message.size());
    if (before + sized_bytes(frame.size()) > limits::joined_frames_bytes_max) {
        return false;
    }
    ByteWriter out;
    if (is_joined) {
        out.raw(message);
    } else {
        out.u8(std::to_integer<std::uint8_t>(several));
        out.sized(message);
    }
    out.sized(frame);
    message = out.take();
    return true;
}

Result<std::vector<BytesView>> frames_of(BytesView message) {
    if (message.empty() || message.front() != several) {
        return std::vector<BytesView>{message};
    }
    if (message.size() > limits::joined_frames_bytes_max) {
        return fail(Errc::limit_exceeded, "several frames: too many bytes");
    }
    std::vector<BytesView> frames;
    ByteReader in(message.subspan(1));
    while (!in.at_end()) {
        frames.push_back(TRY(in.read_sized(in.left())));
        if (frames.back().empty() || frames.back().front() == several) {
            return fail(Errc::malformed, "several frames: one is empty, or several itself");
        }
    }
    if (frames.size() < 2) {
        return fail(Errc::malformed, "several frames: fewer than two");
    }
    return frames;
}

}  // namespace fieldpost
