// Several engines on a terrible network, in virtual time, from one seed.
//
// The fault model is Weather: links appear, lose the frames under way and go; offices crash between
// any two steps and come back. World checks the invariants of daemon/DESIGN.md after every step. It
// reads the stores for that, not the engines' memory. Nothing of the engine is replaced.
#pragma once

#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>

#include "daemon/engine/engine.h"
#include "daemon/engine/ledger.h"
#include "daemon/engine/queries.h"
#include "storage/memory_tables.h"
#include "tests/support/feed_reader.h"
#include "tests/support/network.h"
#include "tests/support/seeded_random.h"

namespace fieldpost::tests {

using Node = std::size_t;
// The places of these offices in scenarios that name them in this order.
inline constexpr Node hq = 0;
inline constexpr Node hyesan = 1;
inline constexpr Node pyongyang = 2;
inline constexpr Node wonsan = 3;
inline const std::vector<std::string> four_offices = {"hq", "hyesan", "pyongyang", "wonsan"};

// Reads FIELDPOST_SEED or FIELDPOST_SEEDS.
std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise);
// Runs the seeds from 1 to `seeds`, or the one in FIELDPOST_SEED.
void for_each_seed(std::uint64_t seeds, const std::function<void(std::uint64_t)>& run);

struct Weather {
    double crash_before_commit = 0;
    double crash_before_send = 0;
    std::chrono::milliseconds latency{50};
    // Frames that come over a link at one moment are one batch, as for a daemon that was busy.
    bool arrives_together = false;
};

struct Bundle {
    Bytes bytes;
    std::uint64_t reports = 0;
    std::uint64_t left_out = 0;
    bool has_news = false;
    bool is_addition = false;
    Bytes said{};
    engine::RunsByLog holds{};  // with the records of the bundles before it in its row
};

class World {
public:
    World(std::uint64_t seed, const std::vector<std::string>& names, Weather weather);
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    // --- what people do
    // Nothing if the office is down, or crashed before it promised.
    std::optional<storage::ReportKey> queue(Node author, const std::vector<Node>& to,
                                            RecordClass record_class, std::size_t attachment = 0,
                                            std::uint32_t lifetime_seconds = 90U * 86400);
    // The draft without its recipients. It is not declined.
    std::optional<storage::ReportKey> queue(Node author, const std::vector<Node>& to,
                                            engine::Draft draft);
    // To the members of a group, as this office knows them. Nothing if it was declined.
    std::optional<storage::ReportKey> queue_to_group(Node author, OfficeId group);
    // The authority (node 0) invites. A new machine joins with the content of the invitation. It is
    // up, and knows only the offices in the invitation.
    Node invite_and_join(const std::string& name) { return join(*invite(name)); }
    // With `replace` it is the same office on a new machine, and the old one is cut off. The first
    // form returns nothing if the authority crashed.
    std::shared_ptr<const crypto::Invite> invite_if_up(const std::string& name, bool replace);
    std::shared_ptr<const crypto::Invite> invite(const std::string& name, bool replace = false);
    Node join(const crypto::Invite& invite);
    // The machines that took the place of this one, one after the other, and this one first.
    [[nodiscard]] std::vector<Node> machines_of(Node node) const;
    std::optional<storage::ReportKey> acknowledge(Node reader, const storage::ReportKey& report);
    // Its author corrects it, for the same recipients.
    std::optional<storage::ReportKey> correct(const storage::ReportKey& report);
    // Its author takes it back. False if it is down, crashed or declined.
    bool withdraw(const storage::ReportKey& report);
    bool forget(Node node, const storage::ReportKey& report);

    void dismiss(Node node, std::uint32_t number);

    // --- by hand
    // A bundle of that office, up to `bytes_max`; nothing if the office is down or crashed on the
    // way. `before`: the bundle before it in its row. `of_others`: records in files that others
    // left in the same place.
    std::optional<Bundle> write_bundle(Node node, const std::vector<Node>& to = {},
                                       std::uint64_t bytes_max = UINT32_MAX,
                                       const std::function<void()>& after_a_cell = {},
                                       const Bundle& before = {},
                                       const engine::RunsByLog& of_others = {});
    // Read as a stick gives it, some cells at a time.
    std::optional<engine::BundleReport> read_bundle(Node node, BytesView bytes);

    // --- what the world does
    // `a` dials, or `b` if `a` does not know it. An office that the other's roster does not know
    // yet, or has shut out, comes to its door. No office dials an office that was shut out. An
    // older link with other policies is closed first.
    void connect(Node a, Node b, engine::LinkPolicy of_a = {}, engine::LinkPolicy of_b = {});
    void cut(Node a, Node b);
    // Links them until nothing is left to say, so many times one after the other.
    void meet(Node a, Node b, int times = 1);
    // Frames under way still come, at the same moment as the end.
    void end(Node a, Node b);
    void crash(Node node);
    // A clean stop, as of a daemon that is told to stop.
    void stop(Node node);
    void restart(Node node);
    void pass(std::chrono::milliseconds time);
    // Takes the keys that read mail from the office, or gives them back, as a passphrase does. The
    // office may be up or down.
    void lock_mail(Node node, bool is_locked);
    // From the next start on, the node's clock is wrong by so many seconds.
    void set_clock(Node node, std::int64_t wrong_by_seconds);
    // The disk is full at this many bytes; 0: never.
    void set_disk_limit(Node node, std::uint64_t bytes);
    void set_carry_limit(Node node, std::uint64_t bytes);
    // Replaces the node's disk with an earlier copy of it. The node must be down.
    void put_back(Node node, const storage::MemoryDisk& copy);
    // The node's disk spoils one value of a table. False: the table has not so many values. From
    // here on the office may meet damage, and is made anew when it does.
    bool spoil(Node node, storage::Table table, std::size_t which);
    // As when the whole folder is put back, and not only the store.
    void lose_marker(Node node) { offices_[node].marker.reset(); }
    // An administrator changed its addresses: it says so in a newer statement.
    void advertise(Node node, std::vector<std::string> endpoints);
    // Tells `node` this frame as if `as` had linked up and said nothing else.
    void tell(Node node, Node as, const Frame& frame);
    // The record of a report as it travels, for an office that gets nothing else. A small one.
    RecordNews record_news(Node node, const storage::ReportKey& report);
    // As tell(), with messages of any bytes. Returns the office's messages meanwhile.
    std::vector<Bytes> talk(Node node, Node as, const std::vector<Bytes>& messages);
    // As talk(), over a link that stays until a test hangs up or the office closes it. say()
    // returns the office's messages in answer to the frame.
    engine::LinkId link_by_hand(Node node, Node as);
    std::vector<Bytes> say(Node node, engine::LinkId link, const Frame& frame);
    void hang_up(Node node, engine::LinkId link);
    // From here on a test uses the keys of that office as it likes. Its daemon does not run any
    // more, and promises to it do not count.
    void take_over(Node node);
    // The authority (node 0) cuts an office off. Nothing: node 0 is down, or crashed.
    std::optional<CutOff> revoke(Node node, const std::vector<storage::ReportKey>& keep = {});
    // As revoke(). False: the authority declined.
    bool revoke_if_allowed(Node node);
    void cancel_invitation(OfficeId invited);
    // A person says that this copy of the office goes on.
    void go_on_here(Node node);
    void block(Node node, Node other, bool undo = false);
    // True if `node`, which is up, knows that `other` was cut off.
    [[nodiscard]] bool knows_cut_off(Node node, Node other) const;
    // A change by the authority, told to node 0.
    void change_roster(std::vector<RosterStatement> statements);
    // Handles the next event, a frame or a timer. False if no event will ever come.
    bool step();
    void run_until_idle(std::chrono::hours at_most);
    // Handles all events within this time.
    void run_for(std::chrono::milliseconds time);
    [[nodiscard]] bool is_up(Node node) const { return offices_[node].engine.has_value(); }
    [[nodiscard]] bool is_connected(Node a, Node b) const;
    // Both ends say that they have nothing left for each other.
    [[nodiscard]] bool is_settled(Node a, Node b) const;

    // Each round: a random fault, then some steps.
    void storm(int rounds);
    // After a storm: all disks have room, and every office meets every other twice. The rounds go
    // on until all are up and linked. A clock may stay wrong. An office that the authority has cut
    // off stays away.
    void calm();

    // --- what can be seen
    [[nodiscard]] std::size_t size() const { return offices_.size(); }
    [[nodiscard]] const engine::Ledger& ledger(Node node) const {
        return offices_[node].engine->ledger();
    }
    // Read from the store, so a node may be down.
    int times_happened(Node node, engine::What what, const storage::ReportKey& report,
                       std::optional<Node> by = std::nullopt);
    bool has_received(Node node, const storage::ReportKey& report) {
        return times_happened(node, engine::What::received, report) == 1;
    }
    std::vector<Report> inbox(Node node);
    // Reads as a daemon does for a command. If the read meets damage, it is repeated once the
    // damage was put aside.
    template <class Read>
    auto read_from(Node node, const Read& read) {
        auto& office = offices_[node];
        const auto once = [&] {
            REQUIRE(office.store->begin().has_value());
            auto found = read(*office.store);
            office.store->abort();
            return found;
        };
        auto found = once();
        if (!found && office.is_spoiled && office.store->is_in_doubt()) {
            rebuild(node);
            found = once();
        }
        REQUIRE(found.has_value());
        return std::move(*found);
    }
    // The record that holds the report.
    storage::StoredRecord record(Node node, const storage::ReportKey& report);
    // The report as people at that office see it.
    engine::ReportView view(Node node, const storage::ReportKey& report);
    // Its page there, if it has one.
    std::optional<storage::ReportProgress> progress(Node node, const storage::ReportKey& report);
    [[nodiscard]] Node author_of(const storage::ReportKey& report) const;
    [[nodiscard]] const std::map<storage::ReportKey, std::vector<Node>>& promised() const {
        return promised_;
    }
    [[nodiscard]] const std::map<storage::ReportKey, std::string>& texts() const { return texts_; }
    // The reference by which a reader of the report names it.
    [[nodiscard]] ReportRef reference_to(const storage::ReportKey& report) const;
    std::mt19937_64& dice() { return dice_; }
    [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
    [[nodiscard]] std::chrono::milliseconds time() const {
        return std::chrono::milliseconds{now_ms_};
    }
    storage::MemoryDisk& disk(Node node) { return *offices_[node].disk; }
    [[nodiscard]] const Network& network() const { return network_; }
    [[nodiscard]] const tests::Office& keys(Node node) const { return *offices_[node].keys; }
    [[nodiscard]] bool was_told(Node node, engine::What what);
    // The offences that `by` is named for at `node`; empty: none.
    std::string offences(Node node, Node by);
    [[nodiscard]] bool is_taken_over(Node node) const { return offices_[node].is_taken_over; }
    // Checks the invariants for which every record must be read.
    void check_everything();

private:
    struct Office {
        std::unique_ptr<tests::Office> keys;
        std::unique_ptr<storage::MemoryDisk> disk;
        std::unique_ptr<storage::RecordStore> store;
        std::unique_ptr<engine::Config> config;
        std::optional<engine::Engine> engine;
        std::optional<std::int64_t> wake_at_ms;
        std::map<LogKey, IntervalSet> terminal_before;
        std::map<LogKey, Number> window_before;
        std::map<storage::ReportKey, std::vector<storage::Recipient>> shown_before;
        std::int64_t clock_wrong_by = 0;
        std::optional<engine::Marker> marker;
        std::optional<BoxPublic> one_time;  // of an office that joined by an invitation
        OfficeId replaces = no_office;
        bool is_taken_over = false;
        bool is_spoiled = false;
        FeedReader reader;
        std::uint64_t moves = 0;  // batches in which a report or the feed changed
    };
    struct Flight {
        std::int64_t at_ms = 0;
        engine::LinkId link{};
        Node to = 0;
        Bytes bytes;
    };
    struct Link {
        Node a = 0;
        Node b = 0;
        std::map<Node, engine::LinkPolicy> policies;
        std::map<std::pair<Node, RecordId>, int> sent;  // since the last summary the other way
        // The numbers that each end last said it does not want, as the other end has read them.
        std::map<std::pair<Node, LogKey>, IntervalSet> not_wanted;
        // The registers that each end has told, as the other end has read them.
        std::set<std::pair<Node, Bytes>> registers_told;
    };

    [[nodiscard]] std::optional<std::int64_t> next_at() const;
    void trouble(Node node);
    bool chance(double p) { return std::uniform_real_distribution<>(0, 1)(dice_) < p; }
    std::size_t any(std::size_t below) { return dice_() % below; }
    [[nodiscard]] Now now(Node node) const;
    void note_told(engine::LinkId link, Node by, BytesView message);
    void rebuild(Node node);
    // Runs the inputs as one batch. False if the office crashed on the way.
    bool batch(Node node, const std::vector<engine::Input>& inputs,
               std::vector<engine::Notice>* notices = nullptr);
    void start(Node node);
    [[nodiscard]] engine::Input as_seen_by(Node listener, Node dialler, engine::LinkId link,
                                           const engine::LinkPolicy& policy) const;
    engine::LinkPolicy any_policy();
    void drop_link(engine::LinkId link, std::optional<Node> without);
    void check_sent(engine::LinkId link, Node from, BytesView message);
    void check_frame(engine::LinkId link, Node from, const Frame& frame);
    // Also called for frames over a link that a test made by hand.
    void note_sent(Node node, engine::OutgoingFrame sent);
    void check(Node node);
    void check_progress(Node node);
    // P13, and that the index follows from the pages.
    void check_feed(Node node);
    void check_bodies_under_way(Node node);
    void check_settled(Node node);
    bool is_cut_by_another(Node node, Node peer, const LogKey& log, Number number);
    void check_parts_on_disk(Node node);
    void check_records_held(Node node);
    // Leaves follow from logs and registers alone (invariant I7), and a peer can read them (P8a).
    void check_leaves(Node node);
    void check_promised(const storage::ReportKey& report, Node author);
    void check_shown(const storage::ReportKey& report, Node author, const std::vector<Node>& to);
    void check_shown_to(const storage::ReportKey& report, Node author, Node node);
    // True if the report was receipted and not shown, with a good reason: one of those below.
    bool is_kept_unread(Node node, const storage::ReportKey& report);
    // It came while mail was locked or its author blocked, and the author was cut off before it.
    bool was_cut_off_unread(Node node, const storage::ReportKey& report);
    // True if the report is here for good and is shown once mail is opened.
    bool waits_unopened(Node node, const storage::ReportKey& report);
    // True if it came while mail was locked there, and its author took it back before it was
    // opened.
    bool was_receipted_locked(Node node, const storage::ReportKey& report);

    SeededRandom random_;
    std::mt19937_64 dice_;
    Weather weather_;
    Network network_;
    [[nodiscard]] OfficeId index_of(Node node) const { return offices_[node].keys->index; }
    // The answer to a draft. Nothing if the office crashed on the way.
    std::optional<std::variant<engine::Accepted, engine::Declined>> submit(
        Node author, const std::vector<Node>& to, engine::Submitted submitted);
    template <class Answer>
    static const Answer* answer_in(const std::vector<engine::Notice>& notices);
    void open_store(Node node, const std::vector<RosterChange>& roster,
                    const std::vector<Register>& registers, Incarnation incarnation = {1, 7});

    std::vector<Office> offices_;
    std::map<engine::LinkId, Link> links_;
    std::map<engine::LinkId, Node> links_by_hand_;
    std::deque<Flight> flights_;
    std::optional<engine::LinkId> talking_;  // the link of talk(); its answers follow
    std::vector<Bytes> answers_;
    std::uint64_t next_link_ = 1;
    std::int64_t now_ms_ = 0;
    std::uint32_t lives_ = 0;  // counts the lives of all daemons so far
    std::uint64_t next_request_ = 1;
    std::uint64_t next_bundle_ = 1;
    std::uint64_t bytes_sent_ = 0;
    std::map<storage::ReportKey, std::vector<Node>> promised_;
    std::map<storage::ReportKey, std::string> texts_;
    std::map<storage::ReportKey, Hash> hashes_;
};

}  // namespace fieldpost::tests
