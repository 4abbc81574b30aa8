#include "proto/summary_parts.h"

#include "proto/limits.h"

namespace fieldpost {

void SummaryWriter::put(LeafSummary leaf, std::size_t bytes) {
    const bool descends = !frame_.leaves.empty() && leaf.office < frame_.leaves.back().office;
    if (!frame_.leaves.empty() && (descends || used_ + bytes > frame_bytes_)) {
        frame_.more = true;
        emit_(std::exchange(frame_, {}));
        used_ = 0;
    }
    used_ += bytes;
    frame_.leaves.push_back(std::move(leaf));
}

void SummaryWriter::add(LeafSummary leaf) {
    const auto bytes = encode_leaf(leaf).size();
    if (bytes > large_leaf_bytes) {
        large_.push_back(std::move(leaf));
    } else {
        put(std::move(leaf), bytes + 3);  // its gap and size
    }
}

std::vector<OfficeId> SummaryWriter::put_off_large() {
    std::vector<OfficeId> offices;
    for (const auto& leaf : std::exchange(large_, {})) {
        offices.push_back(leaf.office);
    }
    return offices;
}

void SummaryWriter::end(bool whole) {
    for (auto& leaf : std::exchange(large_, {})) {
        const auto encoded = encode_leaf(leaf);
        if (encoded.size() + 3 <= frame_bytes_) {
            put(std::move(leaf), encoded.size() + 3);
            continue;
        }
        if (!frame_.leaves.empty()) {
            frame_.more = true;
            emit_(std::exchange(frame_, {}));
            used_ = 0;
        }
        BytesView left = encoded;
        while (!left.empty()) {
            const auto part = left.first(std::min(left.size(), frame_bytes_));
            left = left.subspan(part.size());
            emit_({.more = true, .part = LeafPart{leaf.office, to_bytes(part), left.empty()}});
        }
    }
    frame_.whole = whole;
    emit_(std::exchange(frame_, {}));
    used_ = 0;
}

SummaryReader::Heard SummaryReader::take(const Summary& summary) {
    Heard heard{summary.leaves, summary.damaged};
    const auto& part = summary.part;
    // The parts of a leaf follow each other directly. If another frame comes between them, the
    // whole leaf is dropped.
    if (office_ && (!part || part->office != *office_)) {
        heard.damaged.push_back(*office_);
        office_.reset();
        parts_.clear();
    }
    if (!part) {
        return heard;
    }
    office_ = part->office;
    if (parts_.size() + part->bytes.size() > limits::leaf_bytes_max) {
        heard.damaged.push_back(*office_);
        office_.reset();
        parts_.clear();
        return heard;
    }
    parts_.insert(parts_.end(), part->bytes.begin(), part->bytes.end());
    if (part->is_last) {
        if (auto leaf = decode_leaf(part->office, parts_)) {
            heard.leaves.push_back(std::move(*leaf));
        } else {
            heard.damaged.push_back(part->office);
        }
        office_.reset();
        parts_.clear();
    }
    return heard;
}

}  // namespace fieldpost
