#include "daemon/runtime/links.h"

#include <spdlog/spdlog.h>

#include "crypto/invite.h"
#include "daemon/runtime/clock.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;
using link::EndReason;

// A cable brings a carrier, addresses and routes, one after the other.
constexpr std::chrono::milliseconds network_settles = 200ms;
// On a network that changes all the time, handshakes under way are left alone, or none would ever
// end.
constexpr std::chrono::milliseconds network_keeps_changing = 20s;
constexpr std::chrono::milliseconds shut_out_comes_every = 10min;
constexpr std::chrono::milliseconds an_hour = std::chrono::hours{1};

// After a link has died, the next one is likely to die as well.
constexpr std::chrono::milliseconds may_die_again = 30min;
// A segment takes 170 ms at 64 kbit/s.
constexpr std::chrono::milliseconds look_for_repairs = 50ms;
// A queue of the kernel's default size takes about 270 calls: 13,000 a second.
constexpr std::chrono::milliseconds between_hearing = 20ms;
// Between being found dead and being closed.
constexpr std::chrono::milliseconds just_now = 1s;

engine::LinkId link_id(link::ConnectionId connection) {
    return engine::LinkId{static_cast<std::uint64_t>(connection)};
}

// Listens as the file says, or on any port, for offices of the local network.
std::vector<std::string> listens_at(const Configuration& configuration) {
    return configuration.listen.empty() && configuration.beacon
               ? std::vector<std::string>{"tcp://*:*"}
               : configuration.listen;
}

}  // namespace

Links::Links(const home::OfficeHome& home, const crypto::MachineKeys& machine,
             const Configuration& configuration, const std::optional<engine::Engine>& engine)
    : home_(home),
      configuration_(configuration),
      engine_(engine),
      keys_(machine),
      neighbours_(machine.founding_key, engine->ledger().network()) {
    auto watch = link::LinkWatch::open();
    if (watch) {
        link_watch_ = std::move(*watch);
    } else {
        spdlog::warn("changes of the network are not noticed at once: {}", watch.error().detail);
    }
    open_beacon();
}

bool Links::listens_otherwise(const Configuration& fresh) const {
    return listens_at(fresh) != listens_at(configuration_);
}

void Links::open_beacon() {
    beacon_.reset();
    if (!configuration_.beacon) {
        return;
    }
    auto opened = link::BeaconSocket::open();
    if (opened) {
        beacon_ = std::move(*opened);
        neighbours_.call_soon(now());
    } else {
        spdlog::warn("offices of the local network are not found: {}", opened.error().detail);
    }
}

bool Links::is_member() const {
    const auto& ledger = engine_->ledger();
    const auto* us = ledger.roster().find(ledger.us());
    return us != nullptr && us->is_member();
}

Result<void> Links::open() {
    is_opened_as_member_ = is_member();
    link_.reset();
    dialler_ = Dialler{};
    link_ = TRY(link::ZmqLink::open(
        keys_.own(), [this](const BoxPublic& key) -> std::optional<link::Caller> {
            const auto& roster = engine_->ledger().roster();
            if (const auto office = roster.office_of_link(key)) {
                return engine_->ledger().is_partner(*office) ? std::optional<link::Caller>(*office)
                                                             : std::nullopt;
            }
            if (roster.has_shut_out(key)) {
                // So that it hears of it; often enough for a roster that takes several times.
                const auto told = shut_out_came_.find(key);
                if (told != shut_out_came_.end() &&
                    now().steady < told->second + shut_out_comes_every) {
                    return std::nullopt;
                }
                shut_out_came_[key] = now().steady;
            }
            return link::Stranger{};
        }));
    const auto seed = is_opened_as_member_ ? std::nullopt : TRY(home_.invite_seed());
    keys_.begin(seed && seed->size() == crypto::InviteSeed::size
                    ? std::optional(crypto::InviteSeed::from(*seed))
                    : std::nullopt);
    link_->dial_as(keys_.dials_as());
    bound_.clear();
    for (const auto& endpoint : listens_at(configuration_)) {
        auto bound = link_->listen(endpoint);
        if (!bound && configuration_.listen.empty()) {
            spdlog::warn("not reachable in the local network: {}", bound.error().detail);
            continue;
        }
        bound_.push_back(TRY(std::move(bound)));
        spdlog::info("listening on {}", bound_.back());
    }
    neighbours_.call_soon(now());  // where it listens now
    return ok();
}

std::vector<engine::Input> Links::end_all(const std::string& reason) {
    Inputs inputs;
    std::vector<link::ConnectionId> all(strangers_.begin(), strangers_.end());
    for (const auto& [connection, office] : office_of_) {
        all.push_back(connection);
    }
    std::ranges::copy(spares_.kept(), std::back_inserter(all));
    for (const auto connection : all) {
        link_->close(connection);
        on_down({connection, EndReason::closed_here, reason}, inputs);
    }
    while (!spares_.dialled().empty()) {
        drop_spare(spares_.dialled().begin()->first);
    }
    to_close_.clear();
    return inputs;
}

std::set<OfficeId> Links::linked(bool and_heard) const {
    std::set<OfficeId> all;
    for (const auto& [office, peer] : peers_) {
        if (!and_heard || peer.has_spoken) {
            all.insert(office);
        }
    }
    return all;
}

void Links::send(const std::vector<engine::OutgoingFrame>& frames) {
    for (const auto& frame : frames) {
        const link::ConnectionId connection{static_cast<std::uint64_t>(frame.link)};
        if (link_ && !link_->send(connection, frame.bytes)) {
            to_close_.push_back(connection);
        } else if (const auto of = office_of_.find(connection); of != office_of_.end()) {
            traffic_[of->second].sent_bytes += frame.bytes.size();
        }
    }
}

void Links::drop(link::ConnectionId connection, Inputs& inputs) {
    link_->close(connection);
    on_down({connection, EndReason::closed_here}, inputs);
}

void Links::on_up(const link::PeerUp& up, Inputs& inputs) {
    const auto& ledger = engine_->ledger();
    // A spare may have been let in before its office was shut out.
    if (is_paused_ || !ledger.is_partner(up.peer)) {
        drop(up.connection, inputs);
        return;
    }
    if (on_spare_up(up, inputs)) {
        return;
    }
    if (const auto old = peers_.find(up.peer); old != peers_.end()) {
        // Two links to one office: both ends keep the one that the lower index dialled; of two
        // dialled by the same end, the newer, because the older is most likely dead.
        const auto by_lower = [&](bool is_dialled) {
            return is_dialled == (ledger.us() < up.peer);
        };
        if (by_lower(old->second.is_dialled) && !by_lower(up.is_dialled)) {
            drop(up.connection, inputs);
            return;
        }
        drop(old->second.connection, inputs);
    }
    const auto policy = policy_for(up.connection, up.peer);
    if (!policy) {
        drop(up.connection, inputs);
        return;
    }
    peers_[up.peer] = {.connection = up.connection,
                       .is_dialled = up.is_dialled,
                       .up_at = now().steady,
                       .has_spoken = false,
                       .awaits_body = false,
                       .policy = *policy,
                       .day = local_time(now().wall).day,
                       .was_spare = false,
                       .awaits_room = false,
                       .is_contested = false,
                       .received_bytes = 0};
    dialler_.shook_hands(up.connection);
    office_of_[up.connection] = up.peer;
    // In small segments nothing gets stuck.
    const bool is_cautious =
        stuck_.contains(up.peer) && !(up.is_dialled && in_small_segments().contains(up.peer));
    inputs.emplace_back(engine::LinkUp{link_id(up.connection), up.peer, *policy, is_cautious});
    spdlog::info("link to {} is up", ledger.roster().find(up.peer)->name);
    if (spares_.has_died_within(up.peer, may_die_again, now().steady)) {
        want_spare(up.peer);
    }
}

void Links::on_down(const link::PeerDown& down, Inputs& inputs) {
    const auto& [connection, reason, detail] = down;
    if (spares_.went(connection)) {
        return;
    }
    if (strangers_.erase(connection) != 0) {
        inputs.emplace_back(engine::LinkDown{link_id(connection)});
        return;
    }
    const auto peer = std::ranges::find_if(
        peers_, [&](const auto& entry) { return entry.second.connection == down.connection; });
    // A door closes without a word.
    const bool is_refused =
        reason == EndReason::refused || reason == EndReason::not_let_in ||
        (reason == EndReason::link_went && peer != peers_.end() && !peer->second.has_spoken);
    const bool is_contested =
        reason == EndReason::link_went && peer != peers_.end() && peer->second.is_contested;
    dialler_.went(connection,
                  is_refused     ? EndReason::refused
                  : is_contested ? EndReason::contested
                                 : reason,
                  now());
    if (keys_.is_joining() && is_refused) {
        on_refused(inputs);
    }
    if (peer == peers_.end()) {
        return;
    }
    const auto office = peer->first;
    spdlog::info("link to {} is down: {}{}{}", engine_->ledger().roster().find(office)->name,
                 link::words_of(reason), detail.empty() ? "" : ", ", detail);
    // The kernel's word for a way that went, if it was asked to look after it.
    if (reason == EndReason::link_went && peer->second.awaits_body) {
        spares_.died(office, now().steady);
    }
    if (spares_.ready(office) == nullptr ||
        !spares_.has_died_within(office, just_now, now().steady)) {
        drop_spare(office);
    }
    note_whether_stuck(office, peer->second);
    peers_.erase(peer);
    office_of_.erase(connection);
    daily_use_.ended(connection);
    inputs.emplace_back(
        engine::LinkDown{link_id(connection), reason == EndReason::offence ? detail : ""});
}

// A way that takes no large packets, and says nothing of it, lets through the handshake and what is
// small: the link looks well, and what is on it never comes.
void Links::note_whether_stuck(OfficeId office, const Peer& peer) {
    // More than a handshake, HELLO and summaries; less than any record worth a frame of its own.
    constexpr std::uint64_t much_bytes = 8192;
    constexpr std::chrono::milliseconds long_enough = std::chrono::seconds{4};
    const auto views = engine_->links();
    const auto view = std::ranges::find(views, office, &engine::LinkView::peer);
    // Links that were replaced at once, or hold back what is not urgent, prove nothing.
    if (view == views.end() || view->passes_only_urgent ||
        now().steady - peer.up_at < long_enough) {
        return;
    }
    const bool is_stuck =
        !view->is_settled && view->acknowledged_bytes + peer.received_bytes < much_bytes;
    const auto was_small = in_small_segments().contains(office);
    if (is_stuck) {
        ++stuck_[office];
    } else if (!was_small) {
        stuck_.erase(office);
    } else if (peer.is_dialled) {
        stuck_[office] = 2;  // it helps: so it stays
    }
    if (in_small_segments().contains(office) != was_small) {
        spdlog::info("{} is dialled in {} segments from now on",
                     engine_->ledger().roster().find(office)->name, was_small ? "large" : "small");
    }
}

std::set<OfficeId> Links::in_small_segments() const {
    std::set<OfficeId> all;
    for (const auto& [office, times] : stuck_) {
        if (times % 4 >= 2) {
            all.insert(office);
        }
    }
    return all;
}

void Links::on_refused(Inputs& inputs) {
    if (keys_.turned_away()) {
        inputs.emplace_back(engine::MachineTrouble{engine::What::turned_away,
                                                   "whoever answers lets nobody in by it"});
    }
    link_->dial_as(keys_.dials_as());
}

void Links::notice_network() {
    const auto change = link_watch_->read();
    if (change.has_gone) {
        for (const auto connection : link_->without_address()) {
            spdlog::info("a link has lost this machine's address");
            to_close_.push_back(connection);
        }
    }
    if (change.has_come && beacon_) {
        neighbours_.call_soon(now());
    }
    if (change.has_come && !dial_again_at_) {
        dial_again_at_ = now().steady + network_settles;
    }
}

void Links::call_neighbours() {
    if (!beacon_ || !neighbours_.is_due(!peers_.empty(), now())) {
        return;
    }
    // An office that is not admitted yet has nothing to say, and only listens.
    neighbours_.call(*beacon_, engine_->ledger(),
                     is_member() ? bound_ : std::vector<std::string>{});
}

void Links::hear_neighbours() {
    neighbours_.hear(beacon_->hear(), engine_->ledger(), now());
    hear_again_at_ = now().steady + between_hearing;
}

void Links::dial_neighbours() {
    const auto to_dial = neighbours_.take_due(linked(false), now());
    if (!to_dial.empty()) {
        heed_policies();  // who was not known there is dialled there from now on
    }
    for (const auto& target : to_dial) {
        spdlog::debug("heard an office at {}", target.endpoint);
        dialler_.heard_at(target, now());
    }
}

std::optional<engine::LinkPolicy> Links::policy_for(link::ConnectionId connection,
                                                    OfficeId office) const {
    const auto* held = dialler_.held_to(connection, office);
    if (held == nullptr) {
        return engine::LinkPolicy{};
    }
    return held->permit.is_open ? std::optional(link_policy(held->policy, held->permit))
                                : std::nullopt;
}

void Links::count_daily_use() {
    const auto local = local_time(now().wall);
    for (const auto& [office, peer] : peers_) {
        const auto* held = dialler_.held_to(peer.connection, office);
        if (held == nullptr || held->policy.bytes_per_day == 0) {
            continue;
        }
        if (const auto bytes = link_->bytes_on_the_wire(peer.connection)) {
            daily_use_.carried(engine_->ledger(), office, peer.connection, *bytes, local.day);
        }
        if (peer.day != local.day) {
            to_close_.push_back(
                peer.connection);  // what is left of a day is settled when it comes up
        }
    }
}

void Links::heed_policies() {
    for (const auto& [target, attempt] : dialler_.attempts()) {
        if (attempt.is_up && attempt.word == link::Word::heard) {
            neighbours_.reached(target, now());
        }
    }
    for (const auto outdated : dialler_.set_targets(engine_->ledger(), configuration_.peers,
                                                    neighbours_.targets(now()))) {
        to_close_.push_back(outdated);
    }
    count_daily_use();
    const auto local = local_time(now().wall);
    dialler_.permit(
        [&](OfficeId office, const Policy& policy) {
            return permit_of(policy, local,
                             policy.bytes_per_day == 0
                                 ? 0
                                 : daily_use_.of(engine_->ledger(), office, local.day));
        },
        now());
    for (const auto& [office, peer] : peers_) {
        // The policy of a link is fixed when the link comes up.
        auto policy = policy_for(peer.connection, office);
        if (policy) {
            // Is used up on the way.
            policy->bytes_before_only_urgent = peer.policy.bytes_before_only_urgent;
        }
        if (policy != peer.policy) {
            to_close_.push_back(peer.connection);
        }
    }
    drop_spares_of_limited();
}

void Links::turn(bool is_paused) {
    is_paused_ = is_paused;
    heed_policies();
    call_neighbours();
    dial_neighbours();
    if (dial_again_at_ && *dial_again_at_ <= now().steady) {
        dial_again_at_.reset();
        if (!dialled_anew_ || now().steady - *dialled_anew_ > network_keeps_changing) {
            dialler_.start_anew(*link_, now());
            stuck_.clear();  // another network, other ways
            dialled_anew_ = now().steady;
        } else {
            dialler_.start_over({}, now());
        }
    }
    if (!is_paused_) {
        dialler_.dial_due(*link_, engine_->ledger(), linked(false), in_small_segments(), now());
        hasten_spares();
    }
}

std::optional<Instant> Links::wake_at() const {
    if (!to_close_.empty()) {
        return Instant{};
    }
    std::optional<Instant> earliest = dial_again_at_;
    for (const auto& [office, at] : replaced_at()) {
        if (!earliest || at < *earliest) {
            earliest = at;
        }
    }
    const auto call_at = beacon_ ? std::optional(neighbours_.next_call_at()) : std::nullopt;
    const auto all_linked = linked(false);
    for (const auto at :
         {dialler_.wake_at(all_linked, now()), neighbours_.due_at(all_linked), call_at}) {
        if (at && (!earliest || *at < *earliest)) {
            earliest = at;
        }
    }
    return earliest;
}

std::vector<engine::Input> Links::wait(std::vector<link::WatchedFd>& watched,
                                       std::chrono::milliseconds timeout) {
    const auto own = watched.size();
    if (link_watch_) {
        watched.push_back({link_watch_->fd()});
    }
    // In a flood the loop has the time between two looks for everything else.
    const bool listens_to_beacon = beacon_ && hear_again_at_ <= now().steady;
    if (listens_to_beacon) {
        watched.push_back({beacon_->ipv4()});
        watched.push_back({beacon_->ipv6()});
    } else if (beacon_) {
        timeout = std::min(timeout, hear_again_at_ - now().steady);
    }
    if (std::ranges::any_of(peers_, [](const auto& one) { return one.second.awaits_room; })) {
        timeout = std::min(timeout, look_for_repairs);
    }
    const auto events = link_->wait(watched, timeout);
    const auto is_readable = [&](int fd) {
        return std::ranges::any_of(
            watched.begin() + static_cast<std::ptrdiff_t>(own), watched.end(),
            [&](const auto& one) { return one.fd == fd && one.is_readable; });
    };
    if (link_watch_ && is_readable(link_watch_->fd())) {
        notice_network();
    }
    if (listens_to_beacon && (is_readable(beacon_->ipv4()) || is_readable(beacon_->ipv6()))) {
        hear_neighbours();
    }
    watched.resize(own);
    Inputs inputs;
    for (const auto connection : std::exchange(to_close_, {})) {
        drop(connection, inputs);
    }
    for (const auto& event : events) {
        heed(event, inputs);
    }
    replace_silent(inputs);
    tell_of_repairs(inputs);
    return inputs;
}

void Links::heed(const link::LinkEvent& event, Inputs& inputs) {
    if (std::holds_alternative<link::TooMany>(event)) {
        if (!said_too_many_ || *said_too_many_ + an_hour <= now().steady) {
            spdlog::warn(
                "too many connections for the descriptors that this process may have: new ones are "
                "cut off; raise LimitNOFILE, or see who connects");
            said_too_many_ = now().steady;
        }
        return;
    }
    if (const auto* up = std::get_if<link::PeerUp>(&event)) {
        on_up(*up, inputs);
    } else if (const auto* stranger = std::get_if<link::StrangerUp>(&event)) {
        on_stranger(*stranger, inputs);
    } else if (const auto* down = std::get_if<link::PeerDown>(&event)) {
        on_down(*down, inputs);
    } else if (const auto* reached = std::get_if<link::PeerReached>(&event)) {
        on_reached(*reached, inputs);
    } else if (const auto* frame = std::get_if<link::FrameIn>(&event)) {
        on_frame(*frame, inputs);
    }
}

void Links::tell_of_repairs(Inputs& inputs) {
    for (const auto& [office, peer] : peers_) {
        const auto bytes = peer.awaits_room ? link_->bytes_behind_hole(peer.connection) : 0;
        if (bytes != 0) {
            inputs.emplace_back(engine::LinkRepairs{link_id(peer.connection), bytes});
        }
    }
}

void Links::heed(const engine::CloseLink& close) {
    const link::ConnectionId connection{static_cast<std::uint64_t>(close.link)};
    to_close_.push_back(connection);
    const auto of = office_of_.find(connection);
    if (of != office_of_.end() && close.is_dead) {
        spares_.died(of->second, now().steady);
    }
}

void Links::heed(const engine::LinkUse& use) {
    const link::ConnectionId connection{static_cast<std::uint64_t>(use.link)};
    const auto of = office_of_.find(connection);
    if (of == office_of_.end()) {
        return;
    }
    auto& peer = peers_.at(of->second);
    peer.awaits_body = use.awaits_body;
    peer.awaits_room = use.awaits_room;
    peer.is_contested = use.is_contested;
    if (use.is_long) {
        want_spare(of->second);
    }
    if (const auto* attempt = dialler_.of(connection);
        attempt != nullptr && !attempt->second.way.is_quiet) {
        link_->watch_over(connection, use.awaits_body ? link::ZmqLink::Vigil::soon
                                                      : link::ZmqLink::Vigil::seldom);
    }
}

void Links::on_stranger(const link::StrangerUp& up, Inputs& inputs) {
    if (is_paused_) {
        link_->close(up.connection);
        return;
    }
    strangers_.insert(up.connection);
    inputs.emplace_back(engine::StrangerUp{link_id(up.connection), up.key});
}

void Links::on_frame(const link::FrameIn& frame, Inputs& inputs) {
    if (const auto office = spares_.take_kept(frame.connection)) {
        on_up({frame.connection, *office, false}, inputs);
    }
    if (const auto of = office_of_.find(frame.connection); of != office_of_.end()) {
        traffic_[of->second].received_bytes += frame.bytes.size();
        peers_.at(of->second).has_spoken = true;
        peers_.at(of->second).received_bytes += frame.bytes.size();
        if (keys_.let_in()) {
            inputs.emplace_back(engine::MachineTrouble{engine::What::turned_away, {}});
        }
        dialler_.came(frame.connection, now());
    }
    inputs.emplace_back(engine::FrameArrived{link_id(frame.connection), frame.bytes});
}

std::vector<engine::Input> Links::to_keep(bool is_last) {
    return daily_use_.to_keep(engine_->ledger(), is_last);
}

}  // namespace fieldpost::runtime
