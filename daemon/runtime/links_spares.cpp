// Decides which connection to an office is used, and which stands ready beside it.
#include "daemon/runtime/clock.h"
#include "daemon/runtime/links.h"

namespace fieldpost::runtime {

namespace {

using namespace std::chrono_literals;

// On a short way a handshake may be over before the first answer on a spare has come.
constexpr std::chrono::milliseconds time_to_answer = 1s;
// Its HELLO comes with the first answer: half a second by satellite, two over the slowest link.
constexpr std::chrono::milliseconds longest_silence = 4s;

}  // namespace

// Tried when a dead link's address answers: the spare's handshake is done, while the new
// connection's takes four round trips more.
void Links::on_reached(const link::PeerReached& reached, Inputs& inputs) {
    const auto connection = reached.connection;
    const auto* attempt = dialler_.of(connection);
    if (attempt == nullptr || is_paused_) {
        return;
    }
    const auto office = attempt->first.office;
    if (spares_.ready(office) != nullptr && !peers_.contains(office)) {
        const auto used = spares_.take(office)->connection;
        dialler_.replace(connection, used);
        if (reached.is_hastened) {
            // Its own answer may be a second away, and its time over before that.
            link_->close(connection);
        } else {
            spares_.put(office, {connection, attempt->first.endpoint, false});
        }
        link_->watch_over(used, link::ZmqLink::Vigil::seldom);
        on_up({used, office, true}, inputs);
        if (const auto peer = peers_.find(office); peer != peers_.end()) {
            peer->second.was_spare = true;
        }
    }
}

void Links::hasten_spares() {
    for (const auto& [target, attempt] : dialler_.attempts()) {
        if (attempt.connection && !peers_.contains(target.office) &&
            spares_.is_asked_often(target.office, target.endpoint, now().steady)) {
            link_->hasten(*attempt.connection);
        }
    }
}

bool Links::on_spare_up(const link::PeerUp& up, Inputs& inputs) {
    if (up.is_spare) {
        if (const auto too_many = spares_.keep(up.peer, up.connection)) {
            link_->close(*too_many);
        }
        return true;
    }
    const auto* spare = spares_.find(up.peer);
    if (spare == nullptr || spare->connection != up.connection) {
        return false;
    }
    const auto in_use = peers_.find(up.peer);
    if (in_use != peers_.end() &&
        (in_use->second.has_spoken || now().steady - in_use->second.up_at < time_to_answer)) {
        spares_.set_ready(up.peer, link_->send(up.connection, {}));
        return true;
    }
    // The one that it stands beside has not answered, and this one has.
    make_way_for_spare(up.peer, inputs);
    return false;
}

void Links::make_way_for_spare(OfficeId office, Inputs& inputs) {
    const auto spare = spares_.take(office).value().connection;
    link_->watch_over(spare, link::ZmqLink::Vigil::seldom);
    if (const auto in_use = peers_.find(office); in_use != peers_.end()) {
        dialler_.replace(in_use->second.connection, spare);
        drop(in_use->second.connection, inputs);
    }
}

std::map<OfficeId, Instant> Links::replaced_at() const {
    std::map<OfficeId, Instant> all;
    for (const auto& [office, spare] : spares_.dialled()) {
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
        const auto spare = spares_.find(office)->connection;
        make_way_for_spare(office, inputs);
        on_up({spare, office, true}, inputs);
    }
}

void Links::want_spare(OfficeId office) {
    const auto peer = peers_.find(office);
    const auto* attempt = peer == peers_.end() ? nullptr : dialler_.of(peer->second.connection);
    const auto* known = engine_->ledger().roster().find(office);
    // A person who limits an address, or sends nothing while idle, has not asked for two.
    if (attempt == nullptr || known == nullptr || spares_.find(office) != nullptr ||
        attempt->second.policy != Policy{} || in_small_segments().contains(office)) {
        return;
    }
    auto way = dialler_.way_of(attempt->second);
    way.is_quiet = true;
    spares_.put(office, {link_->dial(way, known->link, office), way.endpoint, false});
}

void Links::drop_spare(OfficeId office) {
    if (const auto spare = spares_.take(office)) {
        link_->close(spare->connection);
    }
}

void Links::drop_spares_of_limited() {
    std::vector<OfficeId> limited;
    for (const auto& [office, spare] : spares_.dialled()) {
        const auto known = dialler_.attempts().find({spare.endpoint, office});
        if (known == dialler_.attempts().end() || known->second.policy != Policy{}) {
            limited.push_back(office);
        }
    }
    for (const auto office : limited) {
        drop_spare(office);
    }
}

}  // namespace fieldpost::runtime
