#include "daemon/runtime/office.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <csignal>

#include "crypto/invite.h"
#include "daemon/engine/authoring.h"
#include "daemon/link/link_watch.h"
#include "daemon/runtime/answers.h"
#include "daemon/runtime/daily_use.h"
#include "daemon/runtime/home_lock.h"
#include "daemon/runtime/marker_file.h"
#include "daemon/runtime/neighbours.h"
#include "daemon/runtime/version.h"
#include "storage/lmdb_tables.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

// While the disk takes nothing at all.
constexpr std::chrono::milliseconds full_disk_retry = 10s;
// A cable brings a carrier, addresses and routes, one after the other.
constexpr std::chrono::milliseconds network_settles = 200ms;
// Where something always comes and goes, handshakes under way are let be, or none would ever end.
constexpr std::chrono::milliseconds network_keeps_changing = 20s;
// An invitee tries its two keys in turn, so a member's door closes on it a few times in any case.
constexpr int turned_away_often = 8;

Now now() {
    static const auto start = std::chrono::steady_clock::now();
    const auto steady = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    const auto wall = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return {Instant{steady}, WallTime::from_unix(wall.count())};
}

// Windows open and close then, and a clock that was changed is noticed.
std::chrono::milliseconds to_next_minute() {
    const auto since_epoch = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return 60s - since_epoch % 60s;
}

class Office {
public:
    Office(const crypto::OfficeHome& home, Configuration configuration, Configuration added)
        : home_(home), configuration_(std::move(configuration)), added_(std::move(added)) {}

    Result<void> open();
    Result<void> run(int signals);

private:
    Result<void> open_store();
    Result<void> load_engine();
    Result<void> open_link();
    void close_links();
    Result<void> recover(const Error& why);
    Result<void> reconfigure();
    Result<bool> handle_signals(int signals);
    Result<void> batch_or_recover(const std::vector<engine::Input>& inputs);
    Result<void> batch(const std::vector<engine::Input>& inputs);
    Result<void> settle(std::vector<engine::Notice>& notices,
                        std::vector<engine::OutgoingFrame>& sends);
    Result<void> apply(engine::Outcome outcome, std::vector<engine::Notice>& notices,
                       std::vector<engine::OutgoingFrame>& sends);
    Result<void> carry_out(const std::vector<engine::Input>& inputs,
                           std::vector<engine::Notice>& notices);
    Result<void> answer(const std::vector<control::RequestIn>& requests);
    void on_up(const link::PeerUp& up, std::vector<engine::Input>& inputs);
    void on_down(link::ConnectionId connection, const std::string& reason,
                 std::vector<engine::Input>& inputs);
    void drop(link::ConnectionId connection, std::vector<engine::Input>& inputs);
    void tell(const std::vector<engine::Notice>& notices);
    Result<void> notice_admission();
    void notice_network();
    void open_beacon();
    void call_neighbours();
    void hear_neighbours();
    // Where to listen: as the file says, or on any port, for offices of the local network.
    static std::vector<std::string> listens_at(const Configuration& configuration);
    void heed_policies();
    // How a connection may be used; nothing: not at all, now.
    [[nodiscard]] std::optional<engine::LinkPolicy> policy_for(link::ConnectionId connection,
                                                               OfficeId office) const;
    [[nodiscard]] bool is_member() const;
    [[nodiscard]] link::KeyPair own_keys() const {
        return {machine_->link.public_key, machine_->link.secret.view()};
    }
    // A peer that has not been heard yet may be about to turn us away.
    [[nodiscard]] std::set<OfficeId> linked(bool and_heard) const;

    struct Peer {
        link::ConnectionId connection{};
        bool is_dialled = false;
        bool has_spoken = false;
        engine::LinkPolicy policy;
        std::int64_t day = 0;  // on which it came up
    };

    crypto::OfficeHome home_;
    Configuration configuration_;
    Configuration added_;
    std::optional<HomeLock> lock_;
    std::optional<crypto::MachineKeys> machine_;
    std::optional<crypto::MailKeys> mail_;
    std::optional<crypto::BoxKeyPair> one_time_;
    engine::Config config_;
    std::unique_ptr<storage::RecordStore> store_;
    std::optional<MarkerFile> marker_;
    std::optional<engine::Engine> engine_;
    // The disk takes nothing: what is there can be read until this is over.
    std::optional<Instant> full_until_;
    std::string full_why_;
    std::unique_ptr<control::ControlSocket> control_;
    std::unique_ptr<link::ZmqLink> link_;
    bool link_is_member_ = false;
    bool dials_as_invitee_ = false;
    int times_turned_away_ = 0;  // under either key, while it waits to be admitted
    Dialler dialler_;
    DailyUse daily_use_;
    std::unique_ptr<link::LinkWatch> link_watch_;
    std::unique_ptr<link::BeaconSocket> beacon_;
    std::optional<Neighbours> neighbours_;
    std::vector<std::string> bound_;
    std::optional<Instant> dial_again_at_;  // the network has changed
    std::optional<Instant> dialled_anew_;
    std::map<OfficeId, Peer> peers_;
    std::set<link::ConnectionId> strangers_;
    std::optional<Instant> wake_at_;
    std::vector<link::ConnectionId> to_close_;
    WallTime started_;
    std::map<OfficeId, Surroundings::Traffic> traffic_;
    std::map<link::ConnectionId, OfficeId> office_of_;
    std::uint32_t roster_written_ = 0;
    std::uint64_t next_request_ = 1;
};

Result<void> Office::open() {
    started_ = now().wall;
    TRY(check_owner(home_.folder()));
    if (!home_.is_office()) {
        return fail(Errc::not_found, fmt::format("no office in {}; use fieldpost init or join",
                                                 home_.folder().string()));
    }
    lock_.emplace(TRY(HomeLock::take(home_.lock())));
    machine_ = TRY(home_.machine_keys());
    mail_ = TRY(home_.mail_keys());
    config_.machine = &*machine_;
    config_.mail = &*mail_;
    config_.endpoints = configuration_.advertise;
    config_.carry_bytes_max = configuration_.carry_bytes;
    config_.software = fmt::format("fieldpost {}", version);
    marker_.emplace(TRY(MarkerFile::open(home_.marker())));
    TRY(open_store());
    control_ = TRY(control::ControlSocket::open(home_.socket()));
    auto watch = link::LinkWatch::open();
    if (watch) {
        link_watch_ = std::move(*watch);
    } else {
        spdlog::warn("changes of the network are not noticed at once: {}", watch.error().detail);
    }
    neighbours_.emplace(machine_->founding_key, engine_->ledger().network());
    open_beacon();
    return open_link();
}

std::vector<std::string> Office::listens_at(const Configuration& configuration) {
    return configuration.listen.empty() && configuration.beacon
               ? std::vector<std::string>{"tcp://*:*"}
               : configuration.listen;
}

void Office::open_beacon() {
    beacon_.reset();
    if (!configuration_.beacon) {
        return;
    }
    auto opened = link::BeaconSocket::open();
    if (opened) {
        beacon_ = std::move(*opened);
        neighbours_->call_soon(now());
    } else {
        spdlog::warn("offices of the local network are not found: {}", opened.error().detail);
    }
}

void Office::call_neighbours() {
    if (!beacon_ || !neighbours_->is_due(!peers_.empty(), now())) {
        return;
    }
    // Who is not admitted yet has nothing to say, and listens.
    neighbours_->call(*beacon_, engine_->ledger().us(),
                      is_member() ? bound_ : std::vector<std::string>{});
}

void Office::hear_neighbours() {
    const auto to_dial = neighbours_->hear(beacon_->hear(), engine_->ledger(), now());
    if (!to_dial.empty()) {
        heed_policies();  // who was not known there is dialled there from now on
    }
    for (const auto& target : to_dial) {
        spdlog::debug("heard an office at {}", target.endpoint);
        dialler_.heard_at(target, now());
    }
}

Result<void> Office::open_store() {
    auto tables =
        TRY(storage::open_lmdb_tables(home_.store(), {.limit_bytes = configuration_.store_bytes}));
    store_ = TRY(storage::RecordStore::open(std::move(tables), machine_->store_key.duplicate()));
    const auto founding = TRY(home_.founding());
    TRY(store_->begin());
    if (!TRY(store_->meta())) {
        const auto identity = TRY(home_.identity());
        const auto arrivals = TRY(home_.arrivals());
        for (const auto& change : engine::founding_changes(
                 crypto::network_id_of(founding), identity.index, identity.incarnation,
                 identity.mark, arrivals.roster, arrivals.registers)) {
            TRY(store_->apply(change));
        }
        TRY(store_->commit());
    } else {
        store_->abort();
    }
    const auto loaded = load_engine();
    return loaded || loaded.error().code != Errc::storage_full ? loaded : recover(loaded.error());
}

Result<void> Office::load_engine() {
    const auto founding = TRY(home_.founding());
    TRY(store_->begin());
    auto loaded = engine::Engine::load(*store_, config_, founding, now(), marker_->marker());
    store_->abort();
    engine_.emplace(TRY(std::move(loaded)));
    // What loading reserved is on disk before any of it is used.
    return batch({engine::TimerFired{}});
}

void Office::close_links() {
    for (const auto& [office, peer] : peers_) {
        link_->close(peer.connection);
        dialler_.went(peer.connection, "closed here", now());
    }
    for (const auto connection : strangers_) {
        link_->close(connection);
    }
    peers_.clear();
    strangers_.clear();
    office_of_.clear();
    to_close_.clear();
}

// After a failed commit the engine knows what the store does not, so it is made anew, and so is
// what peers were told. A disk that takes nothing is tried again; until then all can be read.
Result<void> Office::recover(const Error& why) {
    if (why.code != Errc::storage_full) {
        return std::unexpected(why);
    }
    if (!full_until_) {
        full_why_ = why.detail;
        spdlog::error("the disk or the store is full: {}", why.detail);
    }
    store_->abort();
    if (link_) {
        close_links();
    }
    full_until_.reset();
    auto loaded = load_engine();
    if (loaded) {
        loaded = batch({engine::MachineTrouble{engine::What::disk_full, full_why_}});
    }
    if (!loaded && loaded.error().code == Errc::storage_full) {
        store_->abort();
        full_until_ = now().steady + full_disk_retry;
        return ok();
    }
    return loaded;
}

Result<void> Office::batch_or_recover(const std::vector<engine::Input>& inputs) {
    const auto done = batch(inputs);
    return done ? ok() : recover(done.error());
}

Result<void> Office::reconfigure() {
    auto fresh = read_configuration(home_.configuration(), added_);
    if (!fresh) {
        spdlog::error("the configuration stays as it was: {}", fresh.error().detail);
        return batch_or_recover(
            {engine::MachineTrouble{engine::What::configuration, fresh.error().detail}});
    }
    const bool listens_elsewhere = listens_at(*fresh) != listens_at(configuration_);
    const bool calls_otherwise = fresh->beacon != configuration_.beacon;
    if (fresh->store_bytes != configuration_.store_bytes) {
        spdlog::warn("the store's limit changes at the next start");
    }
    configuration_ = std::move(*fresh);
    config_.endpoints = configuration_.advertise;
    config_.carry_bytes_max = configuration_.carry_bytes;
    spdlog::info("the configuration was read again");
    std::string trouble;
    if (calls_otherwise) {
        open_beacon();
    }
    if (listens_elsewhere) {
        std::vector<engine::Input> inputs;
        for (const auto& [office, peer] : std::map(peers_)) {
            on_down(peer.connection, "listening elsewhere", inputs);
        }
        TRY(batch_or_recover(inputs));
        dialler_ = Dialler{};
        if (const auto opened = open_link(); !opened) {
            spdlog::error("{}", opened.error().detail);
            trouble = opened.error().detail;
        }
    }
    return batch_or_recover({engine::MachineTrouble{engine::What::configuration, trouble}});
}

// False: to be stopped.
Result<bool> Office::handle_signals(int signals) {
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        if (info.ssi_signo != SIGHUP) {
            return false;
        }
        sd_notify(0, "RELOADING=1");
        TRY(reconfigure());
        sd_notify(0, "READY=1");
    }
    return true;
}

bool Office::is_member() const {
    const auto& ledger = engine_->ledger();
    const auto* us = ledger.roster().find(ledger.us());
    return us != nullptr && us->is_member();
}

Result<void> Office::open_link() {
    link_is_member_ = is_member();
    link_.reset();
    link_ = TRY(link::ZmqLink::open(
        own_keys(), [this](const BoxPublic& key) -> std::optional<link::Caller> {
            const auto& roster = engine_->ledger().roster();
            if (const auto office = roster.office_of_link(key)) {
                return *office;
            }
            return roster.has_shut_out(key) ? std::nullopt : std::optional(link::Stranger{});
        }));
    one_time_.reset();
    const auto seed = link_is_member_ ? std::nullopt : TRY(home_.invite_seed());
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
    neighbours_->call_soon(now());  // where it listens now
    return ok();
}

std::set<OfficeId> Office::linked(bool and_heard) const {
    std::set<OfficeId> all;
    for (const auto& [office, peer] : peers_) {
        if (!and_heard || peer.has_spoken) {
            all.insert(office);
        }
    }
    return all;
}

Result<void> Office::apply(engine::Outcome outcome, std::vector<engine::Notice>& notices,
                           std::vector<engine::OutgoingFrame>& sends) {
    for (const auto& change : outcome.persist) {
        TRY(store_->apply(change));
    }
    std::ranges::move(outcome.notify, std::back_inserter(notices));
    std::ranges::move(outcome.send, std::back_inserter(sends));
    wake_at_ = outcome.wake_at;
    return ok();
}

Result<void> Office::settle(std::vector<engine::Notice>& notices,
                            std::vector<engine::OutgoingFrame>& sends) {
    for (bool again = true; again;) {
        auto outcome = TRY(engine_->handle(engine::BatchEnded{}, now()));
        again = outcome.again;
        TRY(apply(std::move(outcome), notices, sends));
    }
    TRY(store_->commit());
    marker_->put(engine_->marker());
    for (const auto& frame : sends) {
        const link::ConnectionId connection{static_cast<std::uint64_t>(frame.link)};
        if (link_ && !link_->send(connection, frame.bytes)) {
            to_close_.push_back(connection);
        } else if (const auto of = office_of_.find(connection); of != office_of_.end()) {
            traffic_[of->second].sent_bytes += frame.bytes.size();
        }
    }
    tell(notices);
    return ok();
}

Result<void> Office::batch(const std::vector<engine::Input>& inputs) {
    TRY(store_->begin());
    std::vector<engine::Notice> notices;
    return carry_out(inputs, notices);
}

void Office::tell(const std::vector<engine::Notice>& notices) {
    const auto& ledger = engine_->ledger();
    for (const auto& notice : notices) {
        if (const auto* close = std::get_if<engine::CloseLink>(&notice)) {
            spdlog::warn("closing a link: {}", close->reason);
            to_close_.push_back(link::ConnectionId{static_cast<std::uint64_t>(close->link)});
        }
        if (const auto* happened = std::get_if<engine::Happened>(&notice)) {
            const auto* office = ledger.roster().find(happened->event.office);
            spdlog::debug("event {} of {}", happened->event.what,
                          office == nullptr ? "?" : office->name);
        }
    }
}

void Office::drop(link::ConnectionId connection, std::vector<engine::Input>& inputs) {
    link_->close(connection);
    on_down(connection, "closed here", inputs);
}

void Office::on_up(const link::PeerUp& up, std::vector<engine::Input>& inputs) {
    const auto& ledger = engine_->ledger();
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
    peers_[up.peer] = {up.connection, up.is_dialled, false, *policy, local_time(now().wall).day};
    dialler_.shook_hands(up.connection);
    office_of_[up.connection] = up.peer;
    inputs.emplace_back(engine::LinkUp{engine::LinkId{static_cast<std::uint64_t>(up.connection)},
                                       up.peer, *policy});
    spdlog::info("link to {} is up", ledger.roster().find(up.peer)->name);
}

void Office::on_down(link::ConnectionId connection, const std::string& reason,
                     std::vector<engine::Input>& inputs) {
    if (strangers_.erase(connection) != 0) {
        inputs.emplace_back(
            engine::LinkDown{engine::LinkId{static_cast<std::uint64_t>(connection)}});
        return;
    }
    const auto peer = std::ranges::find_if(
        peers_, [&](const auto& entry) { return entry.second.connection == connection; });
    // A door closes without a word.
    const bool is_refused =
        reason == "refused" || reason == "not let in" ||
        (reason == "the link went" && peer != peers_.end() && !peer->second.has_spoken);
    dialler_.went(connection, is_refused ? "refused" : reason, now());
    if (one_time_ && is_refused) {
        if (++times_turned_away_ == turned_away_often) {
            inputs.emplace_back(engine::MachineTrouble{engine::What::turned_away,
                                                       "whoever answers lets nobody in by it"});
        }
        // Who was admitted while it was away is known by its own key from then on, and does not
        // know it.
        dials_as_invitee_ = !dials_as_invitee_;
        link_->dial_as(dials_as_invitee_
                           ? link::KeyPair{one_time_->public_key, one_time_->secret.view()}
                           : own_keys());
    }
    if (peer == peers_.end()) {
        return;
    }
    spdlog::info("link to {} is down: {}", engine_->ledger().roster().find(peer->first)->name,
                 reason);
    peers_.erase(peer);
    office_of_.erase(connection);
    daily_use_.ended(connection);
    inputs.emplace_back(engine::LinkDown{engine::LinkId{static_cast<std::uint64_t>(connection)}});
}

Result<void> Office::carry_out(const std::vector<engine::Input>& inputs,
                               std::vector<engine::Notice>& notices) {
    std::vector<engine::OutgoingFrame> sends;
    for (const auto& input : inputs) {
        TRY(apply(TRY(engine_->handle(input, now())), notices, sends));
    }
    return settle(notices, sends);
}

// Every request has its own commit: what is answered is on disk, and one that fails fails alone.
Result<void> Office::answer(const std::vector<control::RequestIn>& requests) {
    for (const auto& request : requests) {
        if (full_until_) {
            // Somebody may have made room since.
            TRY(recover({Errc::storage_full, full_why_}));
        }
        TRY(store_->begin());
        const Surroundings around{started_, now(),     linked(true),
                                  traffic_, &dialler_, engine_->links()};
        auto handled = TRY(handle_request(engine_->ledger(), request.bytes, next_request_, around));
        if (const auto* answer = std::get_if<Bytes>(&handled)) {
            store_->abort();
            control_->answer(request.client, *answer);
            continue;
        }
        auto& pending = std::get<Pending>(handled);
        next_request_ += pending.inputs.size();
        std::vector<engine::Notice> notices;
        if (const auto done = full_until_ ? fail(Errc::storage_full, "the disk is full")
                                          : carry_out(pending.inputs, notices);
            !done) {
            store_->abort();
            control_->answer(request.client, refuse_request(done.error()));
            TRY(full_until_ ? ok() : recover(done.error()));
            continue;
        }
        TRY(store_->begin());
        const auto answer = finish_request(engine_->ledger(), pending, notices);
        store_->abort();
        control_->answer(request.client, TRY(answer));
    }
    return ok();
}

Result<void> Office::notice_admission() {
    const auto& roster = engine_->ledger().roster();
    if (roster.version() != roster_written_) {
        roster_written_ = roster.version();
        // Who turned us away may know us now.
        dialler_.start_over({}, now());
        if (!home_.write_roster_copy(engine_->ledger().roster_changes())) {
            spdlog::warn("the copy of the roster could not be written");
        }
    }
    if (link_is_member_ || !is_member()) {
        return ok();
    }
    spdlog::info("admitted to the network");
    home_.drop_invite_seed();
    std::vector<engine::Input> inputs;
    for (const auto& [office, peer] : std::map(peers_)) {
        on_down(peer.connection, "admitted", inputs);
    }
    TRY(batch_or_recover(inputs));
    dialler_ = Dialler{};
    return open_link();
}

void Office::notice_network() {
    const auto change = link_watch_->read();
    if (change.has_gone) {
        for (const auto connection : link_->without_address()) {
            spdlog::info("a link has lost this machine's address");
            to_close_.push_back(connection);
        }
    }
    if (change.has_come && beacon_) {
        neighbours_->call_soon(now());
    }
    if (change.has_come && !dial_again_at_) {
        dial_again_at_ = now().steady + network_settles;
    }
}

std::optional<engine::LinkPolicy> Office::policy_for(link::ConnectionId connection,
                                                     OfficeId office) const {
    const auto* held = dialler_.held_to(connection, office);
    if (held == nullptr) {
        return engine::LinkPolicy{};
    }
    return held->permit.is_open ? std::optional(link_policy(held->policy, held->permit))
                                : std::nullopt;
}

void Office::heed_policies() {
    for (const auto outdated : dialler_.set_targets(engine_->ledger(), configuration_.peers,
                                                    neighbours_->targets(now()))) {
        to_close_.push_back(outdated);
    }
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
}

Result<void> Office::run(int signals) {
    sd_notify(0, "READY=1");
    spdlog::info("ready");
    while (true) {
        if (full_until_ && now().steady >= *full_until_) {
            TRY(recover({Errc::storage_full, full_why_}));
        }
        TRY(notice_admission());
        heed_policies();
        call_neighbours();
        if (dial_again_at_ && *dial_again_at_ <= now().steady) {
            dial_again_at_.reset();
            if (!dialled_anew_ || now().steady - *dialled_anew_ > network_keeps_changing) {
                dialler_.start_anew(*link_, now());
                dialled_anew_ = now().steady;
            } else {
                dialler_.start_over({}, now());
            }
        }
        if (!full_until_) {
            dialler_.dial_due(*link_, engine_->ledger(), linked(false), now());
        }
        auto wait = full_until_ ? full_disk_retry : to_next_minute();
        const auto call_at = beacon_ ? std::optional(neighbours_->next_at()) : std::nullopt;
        for (const auto at : {wake_at_, dialler_.wake_at(linked(false), now()), control_->wake_at(),
                              dial_again_at_, call_at}) {
            if (at) {
                wait = std::clamp(*at - now().steady, 0ms, wait);
            }
        }
        if (!to_close_.empty()) {
            wait = 0ms;
        }
        control_->drop_stalled(now().steady);
        std::vector<link::WatchedFd> watched{{signals},
                                             {link_watch_ ? link_watch_->fd() : signals},
                                             {beacon_ ? beacon_->ipv4() : signals},
                                             {beacon_ ? beacon_->ipv6() : signals}};
        const auto first_client = watched.size();
        for (const auto& interest : control_->interests()) {
            watched.push_back({interest.fd, interest.wants_write});
        }
        const auto events = link_->wait(watched, wait);
        if (watched[0].is_readable && !TRY(handle_signals(signals))) {
            break;
        }
        if (link_watch_ && watched[1].is_readable) {
            notice_network();
        }
        if (beacon_ && (watched[2].is_readable || watched[3].is_readable)) {
            hear_neighbours();
        }
        std::vector<engine::Input> inputs;
        for (const auto connection : std::exchange(to_close_, {})) {
            drop(connection, inputs);
        }
        for (const auto& event : events) {
            if (const auto* up = std::get_if<link::PeerUp>(&event)) {
                if (full_until_) {
                    link_->close(up->connection);
                    continue;
                }
                on_up(*up, inputs);
            } else if (const auto* stranger = std::get_if<link::StrangerUp>(&event)) {
                if (full_until_) {
                    link_->close(stranger->connection);
                    continue;
                }
                strangers_.insert(stranger->connection);
                inputs.emplace_back(engine::StrangerUp{
                    engine::LinkId{static_cast<std::uint64_t>(stranger->connection)},
                    stranger->key});
            } else if (const auto* down = std::get_if<link::PeerDown>(&event)) {
                on_down(down->connection, down->reason, inputs);
            } else if (const auto* frame = std::get_if<link::FrameIn>(&event)) {
                if (const auto of = office_of_.find(frame->connection); of != office_of_.end()) {
                    traffic_[of->second].received_bytes += frame->bytes.size();
                    peers_.at(of->second).has_spoken = true;
                    if (std::exchange(times_turned_away_, 0) >= turned_away_often) {
                        inputs.emplace_back(engine::MachineTrouble{engine::What::turned_away, {}});
                    }
                    dialler_.came(frame->connection, now());
                }
                inputs.emplace_back(engine::FrameArrived{
                    engine::LinkId{static_cast<std::uint64_t>(frame->connection)}, frame->bytes});
            }
        }
        std::ranges::move(daily_use_.to_keep(engine_->ledger(), false), std::back_inserter(inputs));
        if (wake_at_ && *wake_at_ <= now().steady) {
            inputs.emplace_back(engine::TimerFired{});
        }
        if (!inputs.empty() && !full_until_) {
            TRY(batch_or_recover(inputs));
        }
        for (std::size_t i = first_client; i < watched.size(); ++i) {
            if (watched[i].is_readable || watched[i].is_writable) {
                TRY(answer(control_->handle(watched[i].fd, watched[i].is_readable,
                                            watched[i].is_writable, now().steady)));
            }
        }
    }
    sd_notify(0, "STOPPING=1");
    spdlog::info("stopping");
    if (full_until_) {
        return ok();
    }
    TRY(store_->begin());
    std::vector<engine::Notice> notices;
    std::vector<engine::OutgoingFrame> sends;
    for (const auto& used : daily_use_.to_keep(engine_->ledger(), true)) {
        TRY(apply(TRY(engine_->handle(used, now())), notices, sends));
    }
    TRY(apply(TRY(engine_->handle(engine::Stopping{}, now())), notices, sends));
    TRY(store_->commit());
    marker_->put(engine_->marker());
    return ok();
}

// Blocked for the whole process before any thread is made, so that they come here only.
int watch_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

StopReason reason_of(const Error& error) {
    switch (error.code) {
        case Errc::not_found:
            return {Stop::no_office, error.detail};
        case Errc::untrusted:
            return {Stop::not_ours, error.detail};
        case Errc::malformed:
        case Errc::unsupported:
            return {Stop::bad_configuration, error.detail};
        default:
            return {Stop::failed, error.detail};
    }
}

}  // namespace

StopReason run_office(const crypto::OfficeHome& home, const Configuration& configuration,
                      const Configuration& added) {
    const int signals = watch_signals();
    Office office(home, configuration, added);
    if (const auto opened = office.open(); !opened) {
        return reason_of(opened.error());
    }
    if (const auto ran = office.run(signals); !ran) {
        return {Stop::failed, ran.error().detail};
    }
    return {};
}

}  // namespace fieldpost::runtime
