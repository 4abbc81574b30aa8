// An admitted office of a World that signs and says anything: the member of daemon/DESIGN.md
// "Against one's own members", played from a seed.
//
// Each act is one of `all_acts`: some frames, told to an honest office over a link, or left for it
// on a stick. Its acts with bodies are in guest_bodies.cpp. For those it may hold links open.
#pragma once

#include <span>

#include "tests/simulation/forging.h"

namespace fieldpost::tests {

enum class Act : std::uint8_t {
    records,      // numbers near and far, all classes and kinds, for the victim, others and nobody
    lives,        // a record in each of many logs, of incarnations high and low
    broken,       // signed against the rules of a header
    forks,        // two records under one number, and the register that proves it
    statements,   // statements of the office: done with many runs, in many logs
    receipts,     // receipts for nothing, for everything, with holes; in turn
    false_tops,   // receipts with an id that no record has
    custody,      // custody of everything, and of the last record only; in turn
    registers,    // registers of kinds that no release knows
    summaries,    // of real logs and of others, closed, full of holes, with partials
    flood,        // a thousand tiny records, every second number of one log: slow
    carry,        // records of honest offices: unchanged, cut off, or with other bytes
    noise,        // frames of no sense
    streams,      // streams that are opened and stay empty
    half_bodies,  // its own bodies, in right parts and cut off anywhere, more than any office keeps
    bad_bodies,   // bodies of honest offices: wrong in a part, cut off, or resumed without a
                  // beginning
    crawl,        // bodies byte by byte, its own and honest ones, over links that stay
    fill,         // small records and bodies for a third office, alone or with a second author
};
inline constexpr std::array all_acts = {
    Act::records,    Act::lives,      Act::broken,  Act::forks,     Act::statements,
    Act::receipts,   Act::false_tops, Act::custody, Act::registers, Act::summaries,
    Act::flood,      Act::carry,      Act::noise,   Act::streams,   Act::half_bodies,
    Act::bad_bodies, Act::crawl,      Act::fill};
// The acts that harm bodies on their way.
inline constexpr std::array body_acts = {Act::streams, Act::half_bodies, Act::bad_bodies,
                                         Act::crawl};

std::string_view name_of(Act act);

class HostileGuest {
public:
    // `world` must outlive it. The daemons of `guest` and of `second`, which signs with it, run no
    // more.
    HostileGuest(World& world, Node guest, std::uint64_t seed, std::optional<Node> second = {});

    // One of these acts, told to an honest office that is up; chance picks both.
    void act(std::span<const Act> acts = all_acts);
    void act(Act act, Node victim);
    // Its acts so far, each with its victim.
    [[nodiscard]] const std::string& history() const { return history_; }

private:
    static constexpr Incarnation first_life{1, 7};  // as all offices of a World have it
    static constexpr OfficeId nobody{999};

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
    // Most often an honest author.
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

    // The node that signs next.
    Node any_hand() { return second_ && chance(2) ? *second_ : guest_; }
    Node any_reader();
    BodyInParts new_body();
    // A body of its own, begun before or new.
    BodyInParts any_own_body();
    // Takes the bodies of honest offices from a stick that the victim writes for everybody.
    void steal_bodies();
    // Adds the body's parts up to some place, or one part up to some byte.
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
    std::vector<Frame> loot_;  // taken from honest offices
    std::vector<Frame> said_;  // its own records
    Number flooded_ = 0;
    std::vector<BodyInParts> bodies_;  // its own bodies, begun at some office
    std::vector<BodyInParts> stolen_;
    std::vector<Crawling> crawling_;
    std::map<Node, Number> filled_;  // by the node that signs
    std::uint32_t stream_ = 0;
    std::string history_;
};

}  // namespace fieldpost::tests
