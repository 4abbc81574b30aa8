// The links of an office: where it listens and calls, who is at the other end of each, and what may
// pass it. What happens to them becomes input for the engine.
//
// Promise: at most one link to each office, and both ends keep the same one; a link whose policy
// does not hold any more is closed.
//
// It decides whose key may connect: see open(). What a stranger may say then:
// engine/session/door.h.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/engine/engine.h"
#include "daemon/home/office_home.h"
#include "daemon/link/link_watch.h"
#include "daemon/runtime/configuration.h"
#include "daemon/runtime/daily_use.h"
#include "daemon/runtime/dialler.h"
#include "daemon/runtime/joining_keys.h"
#include "daemon/runtime/neighbours.h"
#include "daemon/runtime/spares.h"

namespace fieldpost::runtime {

class Links {
public:
    // Frames, in bytes, since the start.
    struct Traffic {
        std::uint64_t sent_bytes = 0;
        std::uint64_t received_bytes = 0;
    };

    // All must outlive it; `engine` holds one, not always the same, whenever a member is called.
    Links(const home::OfficeHome& home, const crypto::MachineKeys& machine,
          const Configuration& configuration, const std::optional<engine::Engine>& engine);

    // Listens as the configuration says, as who the office is now: again, if it did already, and
    // then as if nothing had ever been dialled. An error: cannot listen.
    Result<void> open();
    // Opened before this office was a member of the network, and it is one now.
    [[nodiscard]] bool is_outgrown() const { return !is_opened_as_member_ && is_member(); }
    // Another configuration asks for other listening.
    [[nodiscard]] bool listens_otherwise(const Configuration& fresh) const;
    // After the configuration has changed in that.
    void open_beacon();

    // All links end: the engine is to be told so, or has forgotten them.
    std::vector<engine::Input> end_all(const std::string& reason);
    // Does what the engine asks of a link.
    void heed(const engine::CloseLink& close);
    void heed(const engine::LinkUse& use);
    void send(const std::vector<engine::OutgoingFrame>& frames);

    // Does what is due now: policies, calls into the local network, dialling. Nobody is dialled or
    // let in while `is_paused`.
    void turn(bool is_paused);
    // When the next is due.
    [[nodiscard]] std::optional<Instant> wake_at() const;
    // Until something happened, here or to `watched`, or `timeout` passed.
    std::vector<engine::Input> wait(std::vector<link::WatchedFd>& watched,
                                    std::chrono::milliseconds timeout);
    // Byte counts of the day that the store should remember.
    std::vector<engine::Input> to_keep(bool is_last);

    // A peer that has not been heard yet may be about to turn us away.
    [[nodiscard]] std::set<OfficeId> linked(bool and_heard) const;
    [[nodiscard]] const std::map<OfficeId, Traffic>& traffic() const { return traffic_; }
    // Offices that are dialled so, because links to them got stuck.
    [[nodiscard]] std::set<OfficeId> in_small_segments() const;
    [[nodiscard]] Dialler& dialler() { return dialler_; }

private:
    struct Peer {
        link::ConnectionId connection{};
        bool is_dialled = false;
        Instant up_at{};
        bool has_spoken = false;
        bool awaits_body = false;
        engine::LinkPolicy policy;
        std::int64_t day = 0;  // on which it came up
        bool was_spare = false;
        bool awaits_room = false;
        bool is_contested = false;
        std::uint64_t received_bytes = 0;
    };
    using Inputs = std::vector<engine::Input>;

    [[nodiscard]] bool is_member() const;
    void heed(const link::LinkEvent& event, Inputs& inputs);
    void on_up(const link::PeerUp& up, Inputs& inputs);
    void tell_of_repairs(Inputs& inputs);
    void on_stranger(const link::StrangerUp& up, Inputs& inputs);
    void on_frame(const link::FrameIn& frame, Inputs& inputs);
    void on_down(const link::PeerDown& down, Inputs& inputs);
    void on_refused(Inputs& inputs);
    void drop(link::ConnectionId connection, Inputs& inputs);
    void note_whether_stuck(OfficeId office, const Peer& peer);
    void notice_network();
    void call_neighbours();
    void hear_neighbours();
    void dial_neighbours();
    void heed_policies();
    void count_daily_use();

    // --- which connection is used, and which stands ready (links_spares.cpp)
    void on_reached(const link::PeerReached& reached, Inputs& inputs);
    // True if nothing more is to be done about it.
    bool on_spare_up(const link::PeerUp& up, Inputs& inputs);
    void hasten_spares();
    void want_spare(OfficeId office);
    // The link in use goes; the spare, no spare any more, is to come up.
    void make_way_for_spare(OfficeId office, Inputs& inputs);
    void replace_silent(Inputs& inputs);
    // When a spare is to be used in the place of one that was a spare and says nothing.
    [[nodiscard]] std::map<OfficeId, Instant> replaced_at() const;
    void drop_spare(OfficeId office);
    // A person limits these addresses now, and has not asked for two connections there.
    void drop_spares_of_limited();

    // How a connection may be used; nothing: not at all, now.
    [[nodiscard]] std::optional<engine::LinkPolicy> policy_for(link::ConnectionId connection,
                                                               OfficeId office) const;

    const home::OfficeHome& home_;
    const Configuration& configuration_;
    const std::optional<engine::Engine>& engine_;
    std::unique_ptr<link::ZmqLink> link_;
    bool is_opened_as_member_ = false;
    bool is_paused_ = false;
    std::vector<std::string> bound_;
    std::map<OfficeId, Peer> peers_;
    std::map<link::ConnectionId, OfficeId> office_of_;
    std::set<link::ConnectionId> strangers_;
    std::map<BoxPublic, Instant> shut_out_came_;  // of each key that the roster has shut out
    Spares spares_;
    std::vector<link::ConnectionId> to_close_;
    std::map<OfficeId, Traffic> traffic_;
    // How many links in a row got stuck. From the second on smaller segments are tried, and after
    // two in which these did not help either, large ones again.
    std::map<OfficeId, unsigned> stuck_;
    Dialler dialler_;
    DailyUse daily_use_;

    JoiningKeys keys_;
    std::optional<Instant> said_too_many_;

    std::unique_ptr<link::LinkWatch> link_watch_;
    std::optional<Instant> dial_again_at_;  // the network has changed
    std::optional<Instant> dialled_anew_;
    std::unique_ptr<link::BeaconSocket> beacon_;
    Instant hear_again_at_{};
    Neighbours neighbours_;
};

}  // namespace fieldpost::runtime
