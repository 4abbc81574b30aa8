// An admitted office of a World that signs and says what it likes: the member of daemon/DESIGN.md
// "Against one's own members", played from a seed.
//
// Each act is one of `all_acts`: some frames, told to an honest office over a link, or left for it
// on a stick. Not here: streams, which it never opens.
#pragma once

#include <span>

#include "tests/simulation/forging.h"

namespace fieldpost::tests {

enum class Act : std::uint8_t {
    records,     // numbers near and far, all classes and kinds, for the victim, others and nobody
    lives,       // a record in each of many logs, of incarnations high and low
    broken,      // signed against the rules of a header
    forks,       // two records under one number, and the register that proves it
    statements,  // of the office: done with many runs, in many logs
    receipts,    // nothing, everything, holes; in turn
    false_tops,  // receipts with an id that no record has
    custody,     // of everything, and of the last only; in turn
    registers,   // of kinds that nobody knows
    summaries,   // of logs that there are and are not, closed, full of holes, with partials
    flood,       // a thousand tiny records, every second number of one log: slow
    carry,       // what honest offices wrote: as it is, cut off, or with other bytes
    noise,       // frames of no sense
};
inline constexpr std::array all_acts = {
    Act::records,  Act::lives,      Act::broken,  Act::forks,     Act::statements,
    Act::receipts, Act::false_tops, Act::custody, Act::registers, Act::summaries,
    Act::flood,    Act::carry,      Act::noise};

std::string_view name_of(Act act);

class HostileGuest {
public:
    // `world` must outlive it. The daemon of `guest` runs no more.
    HostileGuest(World& world, Node guest, std::uint64_t seed);

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

    World& world_;
    Node guest_;
    Node victim_ = 0;
    std::mt19937_64 dice_;
    std::uint64_t counter_ = 1'000'000;
    std::vector<Frame> loot_;  // of honest offices
    std::vector<Frame> said_;  // its own records
    Number flooded_ = 0;
    std::string history_;
};

}  // namespace fieldpost::tests
