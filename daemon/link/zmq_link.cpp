#include "daemon/link/zmq_link.h"

#include <fmt/format.h>
#include <zmq.h>

#include <map>

#include "daemon/link/listener.h"
#include "daemon/link/name_lookup.h"
#include "daemon/link/reach_probe.h"
#include "daemon/link/tunnel.h"

namespace fieldpost::link {

namespace {

using namespace std::chrono_literals;

constexpr int events_a_wait = 256;
// The interval between two looks for floods. On a fast link a message without end grows by 400 MB a
// second.
constexpr auto look_interval = 500ms;
// How long a hastened address is asked after the end of an attempt, until the next attempt.
constexpr auto hastened_for = 1s;
constexpr ConnectionFd::KeepAlive soon_noticed{4s, 2s, 15s};
constexpr ConnectionFd::KeepAlive seldom_noticed{120s, 10s, 30s};

using Clock = std::chrono::steady_clock;

}  // namespace

struct ZmqLink::Sockets {
    struct Dialled {
        Monitored socket;
        OfficeId peer{};
        bool is_up = false;
        std::optional<ConnectionFd> own_fd{};  // set once it is connected
        std::uint64_t read_bytes = 0;          // in frames, with their cost on the connection
        std::string endpoint{};
    };
    // The first member, so that it is destroyed last.
    zmq::context_t context{1};
    std::uint64_t next = 1;
    Listener listener;
    KeyPair dial_keys;
    std::map<ConnectionId, Dialled> dialled;
    struct Wanted {
        Way way;
        BoxPublic key;
        OfficeId peer{};
    };
    // Dialled by a name that is still being looked up: the name of the office, or of the proxy.
    NameLookup names;
    std::map<ConnectionId, Wanted> nameless;
    // Dialled through a tunnel, for as long as the tunnel lasts.
    struct Tunnelled {
        std::unique_ptr<Tunnel> tunnel;
        Wanted wanted;
        bool is_dialled = false;
        std::optional<ConnectionFd> own_fd{};  // only for a tunnel without a proxy
    };
    std::map<ConnectionId, Tunnelled> tunnelled;
    // By endpoint. A probe continues from one attempt to the next, or its answers on the way would
    // be lost.
    struct Hastened {
        ReachProbe probe;
        ConnectionId connection{};
        Clock::time_point ends{};
        explicit Hastened(const std::string& endpoint) : probe(endpoint) {}
    };
    std::map<std::string, Hastened> hastened;
    std::vector<LinkEvent> told_next;
    Clock::time_point next_look{};

    Sockets(KeyPair keys, Admit admit)
        : listener(context, keys, std::move(admit), next), dial_keys(keys) {}
    void set_out(ConnectionId id, const Wanted& wanted, const std::string& told);
    [[nodiscard]] bool is_refused(ConnectionId id, std::string_view why);
    void connect(ConnectionId id, const Wanted& wanted, const std::string& endpoint);
    void read_names();
    void advance_tunnels();
    void advance_probes(std::vector<LinkEvent>& events);
    void read_dialled(ConnectionId id, std::vector<LinkEvent>& events);
    void lose(PeerDown how, std::vector<LinkEvent>& events);
    void cut_floods(std::vector<LinkEvent>& events);
    [[nodiscard]] const ConnectionFd* fd_of(ConnectionId id) const;
};

ZmqLink::ZmqLink(std::unique_ptr<Sockets> sockets) : sockets_(std::move(sockets)) {}
ZmqLink::~ZmqLink() = default;

Result<std::unique_ptr<ZmqLink>> ZmqLink::open(KeyPair keys, Admit admit) {
    try {
        return std::unique_ptr<ZmqLink>(
            new ZmqLink(std::make_unique<Sockets>(keys, std::move(admit))));
    } catch (const zmq::error_t& error) {
        return fail(Errc::unavailable, fmt::format("link: {}", error.what()));
    }
}

Result<std::string> ZmqLink::listen(const std::string& endpoint) {
    return sockets_->listener.listen(endpoint);
}

void ZmqLink::dial_as(KeyPair keys) {
    sockets_->dial_keys = keys;
}

ConnectionId ZmqLink::dial(const Way& way, const BoxPublic& key, OfficeId peer) {
    auto& s = *sockets_;
    const ConnectionId id{s.next++};
    const Sockets::Wanted wanted{way, key, peer};
    const auto first = way.proxy.empty() ? way.endpoint : "tcp://" + way.proxy;
    if (!way.proxy.empty() &&
        s.is_refused(id, why_not_asked_for(way.endpoint, way.trust, own_addresses()))) {
        return id;
    }
    if (NameLookup::is_needed(first)) {
        s.nameless.emplace(id, wanted);
        // A person here named the proxy, whatever the source of the address behind it.
        s.names.ask(static_cast<std::uint64_t>(id), first,
                    way.proxy.empty() ? way.trust.word : Word::by_hand);
    } else {
        s.set_out(id, wanted, first);
    }
    return id;
}

bool ZmqLink::Sockets::is_refused(ConnectionId id, std::string_view why) {
    if (!why.empty()) {
        told_next.emplace_back(PeerDown{id, EndReason::not_dialled, std::string(why)});
    }
    return !why.empty();
}

// `told` is the address of the office, or of its proxy.
void ZmqLink::Sockets::set_out(ConnectionId id, const Wanted& wanted, const std::string& told) {
    const auto& trust = wanted.way.trust;
    const bool is_judged = wanted.way.proxy.empty() && trust.word != Word::by_hand;
    if (is_judged && is_refused(id, why_not_dialled(told, trust, own_addresses()))) {
        return;
    }
    // The system's own spelling, so that libzmq reads the address that was judged.
    const auto address = is_judged ? numeric_endpoint(told).value_or(told) : told;
    if (wanted.way.proxy.empty() && wanted.way.segment_max == 0) {
        connect(id, wanted, address);
    } else if (wanted.way.proxy.empty()) {
        tunnelled.emplace(
            id, Tunnelled{std::make_unique<Tunnel>(address, wanted.way.segment_max), wanted});
    } else {
        tunnelled.emplace(
            id, Tunnelled{std::make_unique<Tunnel>(address, wanted.way.endpoint), wanted});
    }
}

void ZmqLink::Sockets::connect(ConnectionId id, const Wanted& wanted, const std::string& endpoint) {
    try {
        Dialled made{.socket = make_dealer(context, next++, dial_keys, wanted.key),
                     .peer = wanted.peer,
                     .endpoint = endpoint};
        if (wanted.way.is_quiet) {
            set(made.socket.socket, ZMQ_HEARTBEAT_IVL, 0);
        }
        made.socket.socket.connect(endpoint);
        dialled.emplace(id, std::move(made));
    } catch (const zmq::error_t& error) {
        // Sockets ran out, or this is no address. It is treated as no answer, only sooner.
        told_next.emplace_back(PeerDown{id, EndReason::no_answer, error.what()});
    }
}

void ZmqLink::Sockets::read_names() {
    for (const auto& answer : names.take()) {
        const auto found = nameless.find(ConnectionId{answer.ticket});
        if (found == nameless.end()) {
            continue;  // closed meanwhile
        }
        const auto [id, wanted] = std::move(*found);
        nameless.erase(found);
        if (answer.endpoint.empty()) {
            told_next.emplace_back(
                PeerDown{id, answer.is_put_off ? EndReason::put_off : EndReason::no_name});
        } else {
            set_out(id, wanted, answer.endpoint);
        }
    }
}

void ZmqLink::Sockets::advance_tunnels() {
    for (auto at = tunnelled.begin(); at != tunnelled.end();) {
        auto& [id, one] = *at;
        const auto state = one.tunnel->advance();
        if (state == Tunnel::State::ready && !one.is_dialled) {
            one.is_dialled = true;
            if (one.wanted.way.proxy.empty()) {
                one.own_fd = one.tunnel->outer();
            }
            connect(id, one.wanted, one.tunnel->endpoint());
        }
        if (state == Tunnel::State::ended) {
            // Once libzmq has connected to the tunnel, libzmq itself reports the end.
            if (!one.is_dialled) {
                told_next.emplace_back(PeerDown{
                    id, one.wanted.way.proxy.empty() ? EndReason::no_answer : EndReason::proxy,
                    one.tunnel->reason()});
            }
            at = tunnelled.erase(at);
        } else {
            ++at;
        }
    }
}

void ZmqLink::close(ConnectionId connection) {
    auto& s = *sockets_;
    s.nameless.erase(connection);
    if (const auto* own_fd = s.fd_of(connection);
        own_fd != nullptr && s.tunnelled.contains(connection)) {
        own_fd->forget_unsent();
    }
    s.tunnelled.erase(connection);
    if (const auto dialled = s.dialled.find(connection); dialled != s.dialled.end()) {
        if (dialled->second.own_fd) {
            dialled->second.own_fd->forget_unsent();
        }
        s.dialled.erase(dialled);
    }
    if (s.listener.has(connection)) {
        s.listener.close(connection);
    }
}

std::vector<ConnectionId> ZmqLink::without_address() const {
    const auto ours = own_addresses();
    std::vector<ConnectionId> lost;
    for (const auto& [id, dialled] : sockets_->dialled) {
        if (dialled.own_fd && dialled.own_fd->has_lost_address(ours)) {
            lost.push_back(id);
        }
    }
    for (const auto& [id, one] : sockets_->tunnelled) {
        if (one.own_fd && one.own_fd->has_lost_address(ours)) {
            lost.push_back(id);
        }
    }
    for (const auto id : sockets_->listener.connections()) {
        if (sockets_->listener.fd_of(id).has_lost_address(ours)) {
            lost.push_back(id);
        }
    }
    return lost;
}

std::optional<std::uint64_t> ZmqLink::bytes_on_the_wire(ConnectionId connection) const {
    const auto& s = *sockets_;
    if (const auto found = s.tunnelled.find(connection); found != s.tunnelled.end()) {
        return found->second.tunnel->bytes_on_the_wire();
    }
    const auto* own_fd = s.fd_of(connection);
    return own_fd == nullptr ? std::nullopt : own_fd->bytes_on_the_wire();
}

std::uint64_t ZmqLink::bytes_behind_hole(ConnectionId connection) const {
    const auto* own_fd = sockets_->fd_of(connection);
    return own_fd == nullptr ? 0 : own_fd->bytes_behind_hole();
}

// Null if the connection is gone, or not there yet.
const ConnectionFd* ZmqLink::Sockets::fd_of(ConnectionId id) const {
    if (const auto found = tunnelled.find(id); found != tunnelled.end() && found->second.own_fd) {
        return &*found->second.own_fd;
    }
    if (const auto found = dialled.find(id); found != dialled.end() && found->second.own_fd) {
        return &*found->second.own_fd;
    }
    return listener.has(id) ? &listener.fd_of(id) : nullptr;
}

void ZmqLink::watch_over(ConnectionId connection, Vigil vigil) {
    if (const auto* own_fd = sockets_->fd_of(connection)) {
        own_fd->keep_alive(vigil == Vigil::soon ? soon_noticed : seldom_noticed);
    }
}

bool ZmqLink::send(ConnectionId connection, BytesView frame) {
    auto& s = *sockets_;
    try {
        if (const auto found = s.dialled.find(connection); found != s.dialled.end()) {
            return found->second.socket.socket
                .send(zmq::buffer(frame.data(), frame.size()), zmq::send_flags::dontwait)
                .has_value();
        }
        if (s.listener.has(connection)) {
            return s.listener.send(connection, frame);
        }
    } catch (const zmq::error_t&) {
        // EHOSTUNREACH: the connection went, and its event is on the way.
    }
    return false;
}

void ZmqLink::hasten(ConnectionId connection) {
    auto& s = *sockets_;
    const auto found = s.dialled.find(connection);
    if (found == s.dialled.end() || found->second.own_fd) {
        return;
    }
    const auto& endpoint = found->second.endpoint;
    auto& hastened = s.hastened.try_emplace(endpoint, endpoint).first->second;
    hastened.connection = connection;
    hastened.ends = Clock::now() + hastened_for;
}

void ZmqLink::Sockets::advance_probes(std::vector<LinkEvent>& events) {
    const auto now = Clock::now();
    for (auto at = hastened.begin(); at != hastened.end();) {
        auto& one = at->second;
        const auto attempt = dialled.find(one.connection);
        // Between two attempts no answer can be told, so the probe waits.
        const bool has_attempt = attempt != dialled.end();
        one.ends = has_attempt ? now + hastened_for : one.ends;
        const bool is_over = one.ends <= now || (has_attempt && attempt->second.own_fd);
        const bool is_reached = !is_over && has_attempt && one.probe.advance(now);
        if (is_reached) {
            events.emplace_back(PeerReached{one.connection, true});
        }
        at = is_over || is_reached ? hastened.erase(at) : std::next(at);
    }
}

std::string_view words_of(EndReason reason) {
    constexpr std::array<std::string_view, 13> words = {"no answer",
                                                        "no greeting",
                                                        "no such name",
                                                        "the proxy could not reach it",
                                                        "refused",
                                                        "not let in",
                                                        "the link went",
                                                        "the peer went",
                                                        "it broke the protocol",
                                                        "closed here",
                                                        "another machine uses our keys",
                                                        "too many names are being looked up",
                                                        "not dialled"};
    return words.at(static_cast<std::size_t>(reason));
}

void ZmqLink::Sockets::lose(PeerDown how, std::vector<LinkEvent>& events) {
    dialled.erase(how.connection);
    tunnelled.erase(how.connection);
    events.emplace_back(std::move(how));
}

void ZmqLink::Sockets::cut_floods(std::vector<LinkEvent>& events) {
    if (Clock::now() < next_look) {
        return;
    }
    next_look = Clock::now() + look_interval;
    listener.cut_floods(events);
    std::vector<ConnectionId> flooding;
    for (const auto& [id, one] : dialled) {
        if (one.own_fd &&
            one.own_fd->bytes_received().value_or(0) > one.read_bytes + unread_bytes_max) {
            flooding.push_back(id);
        }
    }
    for (const auto id : flooding) {
        lose({id, EndReason::offence, "a message without end"}, events);
    }
}

void ZmqLink::Sockets::read_dialled(ConnectionId id, std::vector<LinkEvent>& events) {
    auto& connection = dialled.at(id);
    std::optional<EndReason> ended;
    while (const auto event = next_event(connection.socket.monitor)) {
        switch (event->event) {
            case ZMQ_EVENT_CONNECTED:
                connection.own_fd = ConnectionFd::of_connection(event->value);
                events.emplace_back(PeerReached{id});
                break;
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                connection.is_up = true;
                events.emplace_back(PeerUp{id, connection.peer, true});
                break;
            case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
                ended = EndReason::refused;
                break;
            case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
                ended = ended.value_or(EndReason::not_let_in);
                break;
            case ZMQ_EVENT_DISCONNECTED:
            case ZMQ_EVENT_CLOSED:
                ended = ended.value_or(connection.is_up    ? EndReason::link_went
                                       : connection.own_fd ? EndReason::no_greeting
                                                           : EndReason::no_answer);
                break;
            default:
                break;
        }
    }
    for (int i = 0; i < events_a_wait; ++i) {
        zmq::message_t frame;
        if (!connection.socket.socket.recv(frame, zmq::recv_flags::dontwait)) {
            break;
        }
        const auto* data = static_cast<const std::byte*>(frame.data());
        Bytes bytes(data, data + frame.size());
        connection.read_bytes += frame.size() + frame_overhead_bytes;
        while (frame.more()) {
            (void)connection.socket.socket.recv(frame, zmq::recv_flags::dontwait);
            connection.read_bytes += frame.size() + frame_overhead_bytes;
            bytes.clear();
        }
        if (connection.is_up) {
            events.emplace_back(FrameIn{id, std::move(bytes)});
        }
    }
    if (ended) {
        lose({id, *ended}, events);
    }
}

std::vector<LinkEvent> ZmqLink::wait(std::span<WatchedFd> watched,
                                     std::chrono::milliseconds timeout) {
    const auto end = Clock::now() + timeout;
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
        auto events = wait_once(watched, std::max(left, 0ms));
        const bool is_asked = std::ranges::any_of(
            watched, [](const auto& one) { return one.is_readable || one.is_writable; });
        if (!events.empty() || is_asked || Clock::now() >= end) {
            return events;
        }
    }
}

// It also returns when only this class has something to do.
std::vector<LinkEvent> ZmqLink::wait_once(std::span<WatchedFd> watched,
                                          std::chrono::milliseconds timeout) {
    auto& s = *sockets_;
    std::vector<zmq::pollitem_t> items;
    const auto add = [&](zmq::socket_t& socket) {
        items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
    };
    s.listener.add_to(items);
    for (auto& [id, dialled] : s.dialled) {
        add(dialled.socket.socket);
        add(dialled.socket.monitor);
    }
    items.push_back({nullptr, s.names.fd(), ZMQ_POLLIN, 0});
    const auto first_watched = items.size();
    for (const auto& one : watched) {
        items.push_back({nullptr, one.fd,
                         static_cast<short>(ZMQ_POLLIN | (one.wants_write ? ZMQ_POLLOUT : 0)), 0});
    }
    const auto no_later_than = [&](Clock::time_point at) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(at - Clock::now());
        timeout = std::clamp(left, 0ms, timeout);
    };
    for (const auto& [id, one] : s.tunnelled) {
        for (const auto& watch : one.tunnel->watches()) {
            items.push_back({nullptr, watch.fd,
                             static_cast<short>((watch.wants_read ? ZMQ_POLLIN : 0) |
                                                (watch.wants_write ? ZMQ_POLLOUT : 0)),
                             0});
        }
        no_later_than(one.tunnel->until().value_or(Clock::time_point::max()));
    }
    for (const auto& [endpoint, one] : s.hastened) {
        if (s.dialled.contains(one.connection)) {
            for (const auto fd : one.probe.fds()) {
                items.push_back({nullptr, fd, ZMQ_POLLOUT, 0});
            }
            no_later_than(one.probe.until());
        }
    }
    auto events = std::exchange(s.told_next, {});
    no_later_than(s.listener.wake_at().value_or(Clock::time_point::max()));
    if (!s.dialled.empty() || s.listener.has_connections()) {
        no_later_than(s.next_look);
    }
    try {
        // An interrupted wait counts as one in which nothing happened.
        zmq_poll(items.data(), static_cast<int>(items.size()),
                 static_cast<long>(events.empty() ? timeout.count() : 0));
        for (std::size_t i = 0; i < watched.size(); ++i) {
            const auto ready = items[first_watched + i].revents;
            watched[i].is_readable = (ready & (ZMQ_POLLIN | ZMQ_POLLERR)) != 0;
            watched[i].is_writable = (ready & ZMQ_POLLOUT) != 0;
        }
        s.read_names();
        s.advance_tunnels();
        std::ranges::move(std::exchange(s.told_next, {}), std::back_inserter(events));
        s.advance_probes(events);
        s.listener.read(events);
        s.cut_floods(events);
        std::vector<ConnectionId> all;
        all.reserve(s.dialled.size());
        for (const auto& [id, dialled] : s.dialled) {
            all.push_back(id);
        }
        for (const auto id : all) {
            s.read_dialled(id, events);
        }
    } catch (const zmq::error_t&) {
        // ETERM and EINTR: nothing happened.
    }
    return events;
}

}  // namespace fieldpost::link
