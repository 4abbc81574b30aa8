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
// Where something always comes and goes, handshakes under way are let be, or none would ever end.
constexpr std::chrono::milliseconds network_keeps_changing = 20s;
// An invitee tries its two keys in turn, so a member's door closes on it a few times in any case.
constexpr int turned_away_often = 8;
constexpr std::chrono::milliseconds shut_out_comes_every = 10min;
constexpr std::chrono::milliseconds an_hour = std::chrono::hours{1};

// Where a link has died it is likely to die again.
constexpr std::chrono::milliseconds may_die_again = 30min;
constexpr std::chrono::milliseconds short_break = 45s;
// Of one office, to be used later. The one before may be going into use just now: its first frame
// can come later than the mark of the next, which goes another way.
constexpr std::ptrdiff_t kept_max = 2;
// On a short way a handshake may be over before the first answer on a spare has come.
constexpr std::chrono::milliseconds time_to_answer = 1s;
// Its HELLO comes with the first answer: half a second by satellite, two over the slowest link.
constexpr std::chrono::milliseconds longest_silence = 4s;
// A segment takes 170 ms at 64 kbit/s.
constexpr std::chrono::milliseconds look_for_repairs = 50ms;
// A queue of the kernel's default size takes about 270 calls: 13,000 a second.
constexpr std::chrono::milliseconds between_hearing = 20ms;
// Between being found dead and being closed.
constexpr std::chrono::milliseconds just_now = 1s;

engine::LinkId link_id(link::ConnectionId connection) {
    return engine::LinkId{static_cast<std::uint64_t>(connection)};
}

// Where to listen: as the file says, or on any port, for offices of the local network.
std::vector<std::string> listens_at(const Configuration& configuration) {
    return configuration.listen.empty() && configuration.beacon
               ? std::vector<std::string>{"tcp://*:*"}
               : configuration.listen;
}

}  // namespace

Links::Links(const crypto::OfficeHome& home, const crypto::MachineKeys& machine,
             const Configuration& configuration, const std::optional<engine::Engine>& engine)
    : home_(home),
      machine_(machine),
      configuration_(configuration),
      engine_(engine),
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
        own_keys(), [this](const BoxPublic& key) -> std::optional<link::Caller> {
            const auto& roster = engine_->ledger().roster();
            if (const auto office = roster.office_of_link(key)) {
                return *office;
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
    one_time_.reset();
    const auto seed = is_opened_as_member_ ? std::nullopt : TRY(home_.invite_seed());
    if (seed && seed->size() == crypto::InviteSeed::size) {
        // Until it is admitted the roster knows this office by its invitation's key only.
        one_time_ = crypto::one_time_box_key(crypto::InviteSeed::from(*seed));
        link_->dial_as({one_time_->public_key, one_time_->secret.view()});
        dials_as_invitee_ = true;
    }
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
    for (const auto& [office, connection] : kept_) {
        all.push_back(connection);
    }
    for (const auto connection : all) {
        link_->close(connection);
        on_down({connection, EndReason::closed_here, reason}, inputs);
    }
    while (!spares_.empty()) {
        drop_spare(spares_.begin()->first);
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
    const auto* office = ledger.roster().find(up.peer);
    // A spare may have been let in before its office was shut out.
    if (is_paused_ || office == nullptr ||
        (!office->is_member() && office->state != crypto::OfficeState::invited)) {
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
    const auto died = died_.find(up.peer);
    if (died != died_.end() && now().steady - died->second < may_die_again) {
        want_spare(up.peer);
    }
}

void Links::on_down(const link::PeerDown& down, Inputs& inputs) {
    const auto& [connection, reason, detail] = down;
    std::erase_if(kept_, [&](const auto& entry) { return entry.second == down.connection; });
    if (std::erase_if(spares_, [&](const auto& entry) {
            return entry.second.connection == down.connection;
        }) != 0) {
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
    if (one_time_ && is_refused) {
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
        died_[office] = now().steady;
    }
    const auto died = died_.find(office);
    const auto spare = spares_.find(office);
    const bool is_ready = spare != spares_.end() && spare->second.is_ready;
    if (!is_ready || died == died_.end() || now().steady - died->second > just_now) {
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
    if (++times_turned_away_ == turned_away_often) {
        inputs.emplace_back(engine::MachineTrouble{engine::What::turned_away,
                                                   "whoever answers lets nobody in by it"});
    }
    // Who was admitted while it was away is known by its own key from then on, and does not know
    // it.
    dials_as_invitee_ = !dials_as_invitee_;
    link_->dial_as(dials_as_invitee_
                       ? link::KeyPair{one_time_->public_key, one_time_->secret.view()}
                       : own_keys());
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
    // Who is not admitted yet has nothing to say, and listens.
    neighbours_.call(*beacon_, engine_->ledger().us(),
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
        // What may pass a link is settled when it comes up.
        auto policy = policy_for(peer.connection, office);
        if (policy) {
            // Is used up on the way.
            policy->bytes_before_only_urgent = peer.policy.bytes_before_only_urgent;
        }
        if (policy != peer.policy) {
            to_close_.push_back(peer.connection);
        }
    }
    std::vector<OfficeId> held;
    for (const auto& [office, spare] : spares_) {
        const auto known = dialler_.attempts().find({spare.endpoint, office});
        if (known == dialler_.attempts().end() || known->second.policy != Policy{}) {
            held.push_back(office);
        }
    }
    for (const auto office : held) {
        drop_spare(office);
    }
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

// Tried when a dead link's address answers: the spare's handshake is done, while the new
// connection's takes four round trips more.
void Links::on_reached(const link::PeerReached& reached, Inputs& inputs) {
    const auto connection = reached.connection;
    const auto* attempt = dialler_.of(connection);
    if (attempt == nullptr || is_paused_) {
        return;
    }
    const auto office = attempt->first.office;
    const auto spare = spares_.find(office);
    if (spare != spares_.end() && spare->second.is_ready && !peers_.contains(office)) {
        const auto used = spare->second.connection;
        dialler_.replace(connection, used);
        if (reached.is_hastened) {
            // Its own answer may be a second away, and its time over before that.
            link_->close(connection);
            spares_.erase(spare);
        } else {
            spare->second = {connection, attempt->first.endpoint, false};
        }
        link_->watch_over(used, link::ZmqLink::Vigil::seldom);
        on_up({used, office, true}, inputs);
        if (const auto peer = peers_.find(office); peer != peers_.end()) {
            peer->second.was_spare = true;
        }
    }
}

// A link that comes back for seconds is worth it; what it costs where nobody answers is 9 kB.
void Links::hasten_spares() {
    for (const auto& [office, spare] : spares_) {
        const auto died = died_.find(office);
        if (!spare.is_ready || peers_.contains(office) || died == died_.end() ||
            now().steady - died->second > short_break) {
            continue;
        }
        for (const auto& [target, attempt] : dialler_.attempts()) {
            if (target.office == office && attempt.connection) {
                link_->hasten(*attempt.connection);
            }
        }
    }
}

bool Links::on_spare_up(const link::PeerUp& up, Inputs& inputs) {
    if (up.is_spare) {
        const auto is_theirs = [&](const auto& one) { return one.first == up.peer; };
        if (const auto old = std::ranges::find_if(kept_, is_theirs);
            std::ranges::count_if(kept_, is_theirs) >= kept_max) {
            link_->close(old->second);
            kept_.erase(old);
        }
        kept_.emplace_back(up.peer, up.connection);
        return true;
    }
    const auto spare = spares_.find(up.peer);
    if (spare == spares_.end() || spare->second.connection != up.connection) {
        return false;
    }
    const auto in_use = peers_.find(up.peer);
    if (in_use != peers_.end() &&
        (in_use->second.has_spoken || now().steady - in_use->second.up_at < time_to_answer)) {
        spare->second.is_ready = link_->send(up.connection, {});
        return true;
    }
    // The one that it stands beside has not answered, and this one has.
    make_way_for_spare(up.peer, inputs);
    return false;
}

void Links::make_way_for_spare(OfficeId office, Inputs& inputs) {
    const auto spare = spares_.extract(office).mapped().connection;
    link_->watch_over(spare, link::ZmqLink::Vigil::seldom);
    if (const auto in_use = peers_.find(office); in_use != peers_.end()) {
        dialler_.replace(in_use->second.connection, spare);
        drop(in_use->second.connection, inputs);
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

std::map<OfficeId, Instant> Links::replaced_at() const {
    std::map<OfficeId, Instant> all;
    for (const auto& [office, spare] : spares_) {
        const auto in_use = peers_.find(office);
        if (spare.is_ready && in_use != peers_.end() && in_use->second.was_spare &&
            !in_use->second.has_spoken) {
            all.emplace(office, in_use->second.up_at + longest_silence);
        }
    }
    return all;
}

// A spare that went into use may be forgotten on the way, by a router that keeps no idle
// connections, while the one that found the way open is ready beside it.
void Links::replace_silent(Inputs& inputs) {
    std::vector<OfficeId> silent;
    for (const auto& [office, at] : replaced_at()) {
        if (at <= now().steady) {
            silent.push_back(office);
        }
    }
    for (const auto office : silent) {
        const auto spare = spares_.at(office).connection;
        make_way_for_spare(office, inputs);
        on_up({spare, office, true}, inputs);
    }
}

void Links::want_spare(OfficeId office) {
    const auto peer = peers_.find(office);
    const auto* attempt = peer == peers_.end() ? nullptr : dialler_.of(peer->second.connection);
    const auto* known = engine_->ledger().roster().find(office);
    // A person who limits an address, or sends nothing while idle, has not asked for two.
    if (attempt == nullptr || known == nullptr || spares_.contains(office) ||
        attempt->second.policy != Policy{} || in_small_segments().contains(office)) {
        return;
    }
    auto way = dialler_.way_of(attempt->second);
    way.is_quiet = true;
    spares_[office] = {link_->dial(way, known->link, office), way.endpoint, false};
}

void Links::drop_spare(OfficeId office) {
    if (const auto spare = spares_.find(office); spare != spares_.end()) {
        link_->close(spare->second.connection);
        spares_.erase(spare);
    }
}

void Links::heed(const engine::CloseLink& close) {
    const link::ConnectionId connection{static_cast<std::uint64_t>(close.link)};
    to_close_.push_back(connection);
    const auto of = office_of_.find(connection);
    if (of != office_of_.end() && close.is_dead) {
        died_[of->second] = now().steady;
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
    const auto kept = std::ranges::find_if(
        kept_, [&](const auto& entry) { return entry.second == frame.connection; });
    if (kept != kept_.end()) {
        const auto office = kept->first;
        kept_.erase(kept);
        on_up({frame.connection, office, false}, inputs);
    }
    if (const auto of = office_of_.find(frame.connection); of != office_of_.end()) {
        traffic_[of->second].received_bytes += frame.bytes.size();
        peers_.at(of->second).has_spoken = true;
        peers_.at(of->second).received_bytes += frame.bytes.size();
        if (std::exchange(times_turned_away_, 0) >= turned_away_often) {
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
