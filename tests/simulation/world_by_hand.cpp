// Frames that a test sends to an office by hand, in the name of another one.
#include "tests/simulation/world.h"

namespace fieldpost::tests {

void World::tell(Node node, Node as, const Frame& frame) {
    const engine::LinkId link{next_link_++};
    batch(node, {engine::LinkUp{link, index_of(as)},
                 engine::FrameArrived{link, encode_frame(frame)}, engine::LinkDown{link}});
}

RecordNews World::record_news(Node node, const storage::ReportKey& report) {
    const auto stored = record(node, report);
    ByteWriter entry;
    entry.raw(elide_header(decode_header(stored.header).value(), nullptr));
    entry.raw(stored.signature.view());
    entry.raw(stored.body);
    return {{entry.take()}};
}

std::vector<Bytes> World::talk(Node node, Node as, const std::vector<Bytes>& messages) {
    const engine::LinkId link{next_link_++};
    std::vector<engine::Input> inputs{engine::LinkUp{link, index_of(as)}};
    for (const auto& message : messages) {
        inputs.emplace_back(engine::FrameArrived{link, message});
    }
    talking_ = link;
    // It may have crashed once all was written, before it answered.
    if (batch(node, inputs) && is_up(node)) {
        batch(node, {engine::LinkDown{link}});
    }
    talking_.reset();
    return std::exchange(answers_, {});
}

engine::LinkId World::link_by_hand(Node node, Node as) {
    const engine::LinkId link{next_link_++};
    links_by_hand_[link] = node;
    batch(node, {engine::LinkUp{link, index_of(as)}});
    return link;
}

std::vector<Bytes> World::say(Node node, engine::LinkId link, const Frame& frame) {
    talking_ = link;
    if (links_by_hand_.contains(link)) {
        batch(node, {engine::FrameArrived{link, encode_frame(frame)}});
    }
    talking_.reset();
    return std::exchange(answers_, {});
}

void World::hang_up(Node node, engine::LinkId link) {
    if (links_by_hand_.erase(link) != 0) {
        batch(node, {engine::LinkDown{link}});
    }
}

}  // namespace fieldpost::tests
