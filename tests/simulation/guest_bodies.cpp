// The acts of the hostile guest with bodies on their way, and with the carry share.
#include "tests/simulation/guest.h"

namespace fieldpost::tests {

namespace {

constexpr std::size_t bodies_kept_max = 40;
constexpr std::size_t stolen_max = 12;
constexpr std::size_t crawling_max = 4;
// The first number of its bodies. They share logs with its other records, so they must not meet
// those numbers.
constexpr Number bodies_from = 100'000;

}  // namespace

Node HostileGuest::any_reader() {
    return chance(2) ? victim_ : any_office();
}

BodyInParts HostileGuest::new_body() {
    const auto author = any_hand();
    const auto number = static_cast<Number>(bodies_from + (++filled_[author]));
    const auto record_class = static_cast<RecordClass>(any(record_classes));
    // In one piece, or in segments.
    const auto size = chance(3) ? 5'000 + any(25'000) : 40'000 + any(60'000);
    auto body = body_of_nothing(world_, author, any_reader(), number, size, record_class);
    if (bodies_.size() < bodies_kept_max) {
        bodies_.push_back(body);
    } else {
        bodies_[any(bodies_.size())] = body;
    }
    return body;
}

BodyInParts HostileGuest::any_own_body() {
    return bodies_.empty() || !chance(4) ? new_body() : bodies_[any(bodies_.size())];
}

void HostileGuest::steal_bodies() {
    const auto stick = world_.write_bundle(victim_);
    if (!stick) {
        return;
    }
    for (auto& body : bodies_on(world_, stick->bytes)) {
        const auto is_known =
            std::ranges::find(stolen_, body.id, &BodyInParts::id) != stolen_.end();
        const bool is_honest =
            std::ranges::find(bodies_, body.id, &BodyInParts::id) == bodies_.end();
        if (!is_known && is_honest && stolen_.size() < stolen_max) {
            stolen_.push_back(std::move(body));
        }
    }
}

void HostileGuest::bring_some(const BodyInParts& body, std::vector<Frame>& frames) {
    const auto parts = static_cast<std::uint32_t>(body.parts.size());
    const auto whole = static_cast<std::uint32_t>(any(parts));
    for (std::uint32_t part = 1; part <= whole; ++part) {
        frames.emplace_back(chunk_of(body, part));
    }
    const auto size = body.parts[whole].size();
    if (size > 1 && !chance(3)) {
        frames.emplace_back(chunk_of(body, whole + 1, 0, 1 + any(size - 1)));
    }
}

std::vector<Frame> HostileGuest::streams() {
    std::vector<Frame> frames;
    if (chance(2)) {
        steal_bodies();
    }
    for (auto left = 1 + any(20); left > 0; --left) {
        auto body = stolen_.empty() || chance(2) ? any_own_body() : stolen_[any(stolen_.size())];
        body.opened.stream = ++stream_;
        frames.emplace_back(std::move(body.opened));
    }
    return frames;
}

std::vector<Frame> HostileGuest::half_bodies() {
    std::vector<Frame> frames;
    for (auto left = 1 + any(chance(3) ? 20 : 4); left > 0; --left) {
        auto body = any_own_body();
        body.opened.stream = ++stream_;
        frames.emplace_back(body.opened);
        bring_some(body, frames);
        if (chance(2)) {
            // Out of place, so the stream ends.
            frames.emplace_back(Chunk{stream_, 1, 7, any_bytes(10)});
        }
    }
    return frames;
}

std::vector<Frame> HostileGuest::bad_bodies() {
    if (stolen_.empty() || chance(3)) {
        steal_bodies();
    }
    std::vector<Frame> frames;
    for (auto left = stolen_.empty() ? 0 : 1 + any(3); left > 0; --left) {
        auto body = stolen_[any(stolen_.size())];
        body.opened.stream = ++stream_;
        if (chance(5)) {
            frames.emplace_back(StreamResumed{stream_, body.id});
        } else {
            frames.emplace_back(body.opened);
        }
        switch (any(4)) {
            case 0:
                frames.emplace_back(Chunk{stream_, 1, 0, any_bytes(1 + any(100))});
                break;
            case 1: {
                auto& spoilt = body.parts[any(body.parts.size())];
                spoilt[any(spoilt.size())] ^= static_cast<std::byte>(1 + any(255));
                for (std::uint32_t part = 1; part <= body.parts.size(); ++part) {
                    frames.emplace_back(chunk_of(body, part));
                }
                break;
            }
            case 2:
                bring_some(body, frames);
                break;
            default:
                bring_some(body, frames);
                frames.emplace_back(Chunk{stream_, static_cast<std::uint32_t>(1 + any(9)),
                                          static_cast<std::uint32_t>(chance(2) ? 0 : any(9000)),
                                          any_bytes(1 + any(2000))});
        }
    }
    return frames;
}

// As many records as a small share holds, each for an office.
std::vector<Frame> HostileGuest::fill() {
    std::vector<Frame> frames;
    std::map<Node, std::optional<Neighbour>> before;
    std::map<Node, RecordNews> news;
    const auto record_class = static_cast<RecordClass>(any(record_classes));
    for (auto left = 20 + any(100); left > 0; --left) {
        const auto author = any_hand();
        auto one =
            write_as(world_, author, any_reader(),
                     static_cast<Number>(bodies_from + (++filled_[author])), {}, record_class);
        news[author].records.push_back(entry_signed_by(world_, author, one, before[author]));
    }
    for (auto& [author, records] : news) {
        frames.emplace_back(std::move(records));
    }
    for (auto left = any(4); left > 0; --left) {
        auto body = any_own_body();
        body.opened.stream = ++stream_;
        frames.emplace_back(body.opened);
        for (std::uint32_t part = 1; part <= body.parts.size(); ++part) {
            frames.emplace_back(chunk_of(body, part));
        }
    }
    return frames;
}

void HostileGuest::begin_to_crawl() {
    if (crawling_.size() >= crawling_max) {
        const auto gone = any(crawling_.size());
        const auto one = std::move(crawling_[gone]);
        crawling_.erase(crawling_.begin() + static_cast<std::ptrdiff_t>(gone));
        if (world_.is_up(one.victim)) {
            world_.hang_up(one.victim, one.link);
        }
    }
    steal_bodies();
    if (!world_.is_up(victim_)) {
        return;
    }
    Crawling one;
    one.victim = victim_;
    one.body = stolen_.empty() || chance(4) ? any_own_body() : stolen_[any(stolen_.size())];
    one.body.opened.stream = ++stream_;
    one.at_once = chance(2) ? 1 : static_cast<int>(1 + any(200));
    one.link = world_.link_by_hand(victim_, guest_);
    const Frame first[] = {hello(), one.body.opened};
    for (const auto& frame : first) {
        if (world_.is_up(victim_)) {
            world_.say(victim_, one.link, frame);
        }
    }
    crawling_.push_back(std::move(one));
}

void HostileGuest::crawl_on() {
    for (auto& one : crawling_) {
        if (!world_.is_up(one.victim)) {
            continue;
        }
        auto chunk =
            chunk_of(one.body, one.part, one.offset, static_cast<std::size_t>(one.at_once));
        one.offset += static_cast<std::uint32_t>(chunk.bytes.size());
        if (one.offset == one.body.parts[one.part - 1].size()) {
            one.part = one.part == one.body.parts.size() ? 1 : one.part + 1;
            one.offset = 0;
        }
        if (chance(20)) {
            chunk.bytes[0] ^= std::byte{1};
        }
        world_.say(one.victim, one.link, chunk);
    }
}

// Says the frames one after the other, with time between some. Then it hangs up, or says no more.
void HostileGuest::say_all(const std::vector<Frame>& frames) {
    const auto victim = victim_;
    const auto link = world_.link_by_hand(victim, guest_);
    if (world_.is_up(victim)) {
        world_.say(victim, link, hello());
    }
    for (const auto& frame : frames) {
        if (world_.is_up(victim)) {
            world_.say(victim, link, frame);
        }
        if (chance(10)) {
            world_.step();
        }
    }
    if (world_.is_up(victim) && !chance(4)) {
        world_.hang_up(victim, link);
    }
}

}  // namespace fieldpost::tests
