// A summary over several frames. Leaves are packed into frames as they come. A leaf that is larger
// than a frame goes in parts (WIRE.md 6).
//
// Not here: the bytes of a leaf and of the frame (sync_frames.h).
#pragma once

#include <functional>

#include "proto/sync_frames.h"

namespace fieldpost {

class SummaryWriter {
public:
    // Makes frames of about `frame_bytes`. `emit` gets them one by one, in order.
    SummaryWriter(std::size_t frame_bytes, std::function<void(const Summary&)> emit)
        : frame_bytes_(frame_bytes), emit_(std::move(emit)) {}

    // Add offices in ascending order. Leaves over large_leaf_bytes are kept for the end, so that an
    // office which an attacker tore into thousands of pieces does not hold up the others.
    void add(LeafSummary leaf);
    // Takes the large leaves out again and returns their offices. They are told later.
    std::vector<OfficeId> put_off_large();
    // `whole`: everything was said. Only the last frame can say so.
    void end(bool whole);

private:
    static constexpr std::size_t large_leaf_bytes = 1024;

    void put(LeafSummary leaf, std::size_t bytes);

    std::size_t frame_bytes_;
    std::function<void(const Summary&)> emit_;
    Summary frame_;
    std::size_t used_ = 0;
    std::vector<LeafSummary> large_;
};

// Puts the parts of large leaves together again. It names an office whose leaf broke a rule, and
// the other leaves still count.
class SummaryReader {
public:
    struct Heard {
        std::vector<LeafSummary> leaves;
        std::vector<OfficeId> damaged;
    };
    [[nodiscard]] Heard take(const Summary& summary);

private:
    std::optional<OfficeId> office_;  // whose parts are in `parts_`
    Bytes parts_;
};

}  // namespace fieldpost
