// A summary over several frames: leaves are packed into frames as they come, and one that is larger
// than a frame goes in parts (WIRE.md 6).
#pragma once

#include <functional>

#include "proto/sync_frames.h"

namespace fieldpost {

class SummaryWriter {
public:
    // Frames of about `frame_bytes`, each given to `emit` in its turn.
    SummaryWriter(std::size_t frame_bytes, std::function<void(const Summary&)> emit)
        : frame_bytes_(frame_bytes), emit_(std::move(emit)) {}

    // Offices ascending. Leaves over large_leaf_bytes are kept for the end: what somebody tore into
    // thousands of pieces does not hold up the others.
    void add(LeafSummary leaf);
    // Takes those out again; they are told later.
    std::vector<OfficeId> put_off_large();
    // Only the last frame can say that all was said.
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

// Puts parts together again. An office whose leaf broke a rule is named, and the others go on.
class SummaryReader {
public:
    struct Heard {
        std::vector<LeafSummary> leaves;
        std::vector<OfficeId> damaged;
    };
    [[nodiscard]] Heard take(const Summary& summary);

private:
    std::optional<OfficeId> office_;  // of the parts so far
    Bytes parts_;
};

}  // namespace fieldpost
