// An admitted office of a World that signs and says what it likes: the member of daemon/DESIGN.md
// "Against one's own members", played from a seed.
//
// Each act is one of `all_acts`: some frames, told to an honest office over a link, or left for it
// on a stick. What it does with bodies is in guest_bodies.cpp: it may hold links open for them.
#pragma once

#include <span>

#include "tests/simulation/forging.h"

namespace fieldpost::tests {

enum class Act : std::uint8_t {
    records,      // numbers near and far, all classes and kinds, for the victim, others and nobody
    lives,        // a record in each of many logs, of incarnations high and low
    broken,       // signed against the rules of a header
    forks,        // two records under one number, and the register that proves it
    statements,   // of the office: done with many runs, in many logs
    receipts,     // nothing, everything, holes; in turn
    false_tops,   // receipts with an id that no record has
    custody,      // of everything, and of the last only; in turn
    registers,    // of kinds that nobody knows
    summaries,    // of logs that there are and are not, closed, full of holes, with partials
    flood,        // a thousand tiny records, every second number of one log: slow
    carry,        // what honest offices wrote: as it is, cut off, or with other bytes
    noise,        // frames of no sense
    streams,      // opened, and nothing comes in them
    half_bodies,  // its own, in right parts and cut off anywhere, more than anybody keeps
    bad_bodies,   // what honest offices wrote: wrong in a part, cut off, or resumed from nowhere
    crawl,        // bodies byte by byte, its own and honest ones, over links that stay
    fill,         // small records and bodies for a third office, alone or with a second author
};
inline constexpr std::array all_acts = {
    Act::records,    Act::lives,      Act::broken,  Act::forks,     Act::statements,
    Act::receipts,   Act::false_tops, Act::custody, Act::registers, Act::summaries,
    Act::flood,      Act::carry,      Act::noise,   Act::streams,   Act::half_bodies,
    Act::bad_bodies, Act::crawl,      Act::fill};
// Those that harm bodies on their way.
inline constexpr std::array body_acts = {Act::streams, Act::half_bodies, Act::bad_bodies,
                                         Act::crawl};

std::string_view name_of(Act act);

class HostileGuest {
public:
    // `world` must outlive it. The daemons of `guest` and of who signs with it run no more.
    HostileGuest(World& world, Node guest, std::uint64_t seed, std::optional<Node> second = {});

    // One of these acts, told to an honest office that is up; chance picks both.
    void act(std::span<const Act> acts = all_acts);
    void act(Act act, Node victim);
    // Its acts so far, each with its victim.
    [[nodiscard]] const std::string& history() const { return history_; }

private:
    bool chance(int one_in) { return dice_() % static_cast<unsigned>(one_in) == 0; }
    std::uint64_t any(std::uint64_t below) { return dice_() % below; }
    Bytes any_bytes(std::size_t size);
    Incarnation any_incarnation();
    LogKey any_log();
    LogKey any_log_of(OfficeId author);
    IntervalSet any_numbers(std::size_t runs_max);
    std::vector<Number> any_few_numbers();
    [[nodiscard]] OfficeId index_of(Node node) const { return world_.keys(node).index; }
    Node any_office() { return static_cast<Node>(any(world_.size())); }
    // Most often of one who is honest.
    OfficeId any_author() { return index_of(any_office()); }

    // A body that it brings byte by byte.
    struct Crawling {
        Node victim = 0;
        engine::LinkId link{};
        BodyInParts body;
        std::uint32_t part = 1;
        std::uint32_t offset = 0;
        int at_once = 1;  // bytes
    };

    Forgery any_record(const LogKey& log, Number number);
    // Frames of several records each.
    std::vector<Frame> news_of(const std::vector<Forgery>& forgeries);
    Register signed_register(RegisterKind kind, Bytes subject, Bytes payload);
    Hello hello();

    std::vector<Frame> frames_for(Act act);
    std::vector<Frame> records();
    std::vector<Frame> lives();
    std::vector<Frame> broken();
    std::vector<Frame> forks();
    std::vector<Frame> statements();
    std::vector<Frame> receipts(bool is_top_false);
    std::vector<Frame> custody();
    std::vector<Frame> registers();
    std::vector<Frame> summaries();
    std::vector<Frame> flood();
    std::vector<Frame> carry();
    std::vector<Frame> noise();
    std::vector<Frame> streams();
    std::vector<Frame> half_bodies();
    std::vector<Frame> bad_bodies();
    std::vector<Frame> fill();

    // Signs next.
    Node any_hand() { return second_ && chance(2) ? *second_ : guest_; }
    Node any_reader();
    BodyInParts new_body();
    // One of its own, begun before or new.
    BodyInParts any_own_body();
    // As honest offices wrote them, from a stick that the victim writes for everybody.
    void steal_bodies();
    // Its parts up to some place, or one of them to some byte.
    void bring_some(const BodyInParts& body, std::vector<Frame>& frames);
    void begin_to_crawl();
    void crawl_on();
    void say_all(const std::vector<Frame>& frames);

    World& world_;
    Node guest_;
    std::optional<Node> second_;
    Node victim_ = 0;
    std::mt19937_64 dice_;
    std::uint64_t counter_ = 1'000'000;
    std::vector<Frame> loot_;  // of honest offices
    std::vector<Frame> said_;  // its own records
    Number flooded_ = 0;
    std::vector<BodyInParts> bodies_;  // of its own, begun somewhere
    std::vector<BodyInParts> stolen_;
    std::vector<Crawling> crawling_;
    std::map<Node, Number> filled_;  // of who signs
    std::uint32_t stream_ = 0;
    std::string history_;
};

}  // namespace fieldpost::tests
