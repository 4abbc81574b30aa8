#include "daemon/link/zmq_link.h"

#include <fmt/format.h>
#include <zmq.h>

#include <charconv>
#include <cstring>
#include <deque>
#include <map>
#include <zmq.hpp>

#include "daemon/link/connection_fd.h"
#include "daemon/link/name_lookup.h"
#include "daemon/link/proxy_tunnel.h"
#include "proto/limits.h"

namespace fieldpost::link {

namespace {

using namespace std::chrono_literals;

constexpr auto* zap_endpoint = "inproc://zeromq.zap.01";
constexpr std::string_view zap_domain = "fieldpost";
// Draft in the header of 4.3.4, and honoured by number: without it a dead handler lets everybody
// in.
constexpr int zap_enforce_domain = 93;
// Four round trips of a 2.5 s link.
constexpr int handshake_ms = 10'000;
constexpr int connect_timeout_ms = 2000;
// Unacknowledged data this old means the peer is gone.
constexpr int retransmission_ms = 30'000;
// Only the dialler beats: 119 bytes a minute.
constexpr int heartbeat_ms = 120'000;
constexpr int heartbeat_timeout_ms = 20'000;
// Who listens looks for itself, once not even the dialler's beats have come for long. Not by the
// beats' own time to live: libzmq keeps it in 16 bits of milliseconds, so that 300 s were 38.
constexpr int keepalive_idle_s = 600;
constexpr int keepalive_interval_s = 20;
constexpr int keepalive_probes = 3;
// Credit keeps far less than this under way; what does not fit is a peer that does not read.
constexpr int high_water_messages = 256;
constexpr int events_a_wait = 256;
// More than all queues hold of one connection.
constexpr int events_before_an_end = 4 * high_water_messages;
constexpr std::size_t gone_remembered = 1024;
constexpr auto self_test_timeout = 5s;
// Who has shaken hands by the last moment and then says nothing for as long is no peer of ours.
constexpr auto first_frame_timeout = 20s;
// Strangers let in over so long. More have to try again; members never wait behind them.
constexpr std::size_t strangers_max = 8;
constexpr auto strangers_period = 10s;

using Clock = std::chrono::steady_clock;

void set(zmq::socket_t& socket, int option, int value) {
    zmq_setsockopt(socket.handle(), option, &value, sizeof value);
}
void set(zmq::socket_t& socket, int option, BytesView value) {
    zmq_setsockopt(socket.handle(), option, value.data(), value.size());
}

void set_common(zmq::socket_t& socket) {
    set(socket, ZMQ_LINGER, 0);
    set(socket, ZMQ_IPV6, 1);
    set(socket, ZMQ_IMMEDIATE, 1);
    set(socket, ZMQ_SNDHWM, high_water_messages);
    set(socket, ZMQ_RCVHWM, high_water_messages);
    set(socket, ZMQ_HANDSHAKE_IVL, handshake_ms);
    set(socket, ZMQ_TCP_MAXRT, retransmission_ms);
    const std::int64_t largest = limits::frame_bytes_max;
    zmq_setsockopt(socket.handle(), ZMQ_MAXMSGSIZE, &largest, sizeof largest);
}

// What a socket's monitor told, in the order it happened.
struct MonitorEvent {
    int event = 0;
    int value = 0;
};

std::optional<MonitorEvent> next_event(zmq::socket_t& monitor) {
    zmq::message_t head;
    zmq::message_t address;
    if (!monitor.recv(head, zmq::recv_flags::dontwait) || head.size() < 6) {
        return std::nullopt;
    }
    std::uint16_t event = 0;
    std::int32_t value = 0;
    std::memcpy(&event, head.data(), sizeof event);
    std::memcpy(&value, static_cast<const char*>(head.data()) + sizeof event, sizeof value);
    if (head.more()) {
        (void)monitor.recv(address, zmq::recv_flags::dontwait);
    }
    return MonitorEvent{event, value};
}

// A socket and where it tells what happens to it.
struct Monitored {
    zmq::socket_t socket;
    zmq::socket_t monitor;

    Monitored(zmq::socket_t made, zmq::socket_t told)
        : socket(std::move(made)), monitor(std::move(told)) {}
    Monitored(Monitored&&) = default;
    Monitored& operator=(Monitored&&) = default;
    Monitored(const Monitored&) = delete;
    Monitored& operator=(const Monitored&) = delete;
    // An event that nobody can be told of any more would block libzmq's thread, and every link with
    // it.
    ~Monitored() {
        if (socket.handle() != nullptr) {
            zmq_socket_monitor(socket.handle(), nullptr, 0);
        }
    }
};

Monitored make(zmq::context_t& context, zmq::socket_type type, std::uint64_t number) {
    Monitored made{zmq::socket_t(context, type), zmq::socket_t(context, zmq::socket_type::pair)};
    const auto endpoint = fmt::format("inproc://monitor-{}", number);
    if (zmq_socket_monitor(made.socket.handle(), endpoint.c_str(), ZMQ_EVENT_ALL) != 0) {
        throw zmq::error_t();
    }
    made.monitor.set(zmq::sockopt::linger, 0);
    made.monitor.connect(endpoint);
    return made;
}

// The ZAP user id: what the answer to a handshake says of the peer, and each of its frames repeats.
constexpr char stranger_mark = '?';

std::string user_id_of(const Caller& caller, const BoxPublic& key) {
    const auto* office = std::get_if<OfficeId>(&caller);
    return office != nullptr ? std::to_string(value_of(*office))
                             : stranger_mark + to_hex(key.view());
}

struct Known {
    Caller caller;
    BoxPublic key;  // of a stranger
};

std::optional<Known> known_by(const char* user_id) {
    const std::string_view user = user_id == nullptr ? "" : user_id;
    if (user.starts_with(stranger_mark)) {
        const auto key = from_hex(user.substr(1));
        Known stranger{Stranger{}, {}};
        if (!key || key->size() != BoxPublic::size) {
            return std::nullopt;
        }
        std::ranges::copy(*key, stranger.key.bytes.begin());
        return stranger;
    }
    std::uint16_t index = 0;
    const auto end = user.data() + user.size();
    const auto read = std::from_chars(user.data(), end, index);
    return read.ec == std::errc{} && read.ptr == end && !user.empty()
               ? std::optional(Known{OfficeId{index}, {}})
               : std::nullopt;
}

// "tcp://*:6743" listens everywhere; to reach it from here it needs a host.
std::string reachable(std::string endpoint) {
    const auto colon = endpoint.rfind(':');
    const auto host = endpoint.substr(6, colon - 6);
    if (host == "*" || host == "0.0.0.0" || host == "[::]") {
        return "tcp://127.0.0.1" + endpoint.substr(colon);
    }
    return endpoint;
}

}  // namespace

struct ZmqLink::Sockets {
    struct Dialled {
        Monitored socket;
        OfficeId peer{};
        bool is_up = false;
        std::optional<ConnectionFd> own_fd{};  // once it is connected
    };
    struct Accepted {
        Bytes routing_id;
        int fd = -1;               // libzmq's: its name in the monitor's events
        std::uint64_t number = 0;  // of those that were accepted under that name
        ConnectionFd
            own_fd;  // ours, of the same connection: libzmq's number may mean another by now
    };
    // Accepted by TCP, and not heard of since.
    struct Silent {
        ConnectionFd own_fd;
        Clock::time_point until;
    };

    // First, so that it goes last.
    zmq::context_t context{1};
    KeyPair keys;
    KeyPair dial_keys;
    Admit admit;
    zmq::socket_t zap;
    std::optional<Monitored> listener;
    std::map<ConnectionId, Dialled> dialled;
    std::map<ConnectionId, Accepted> accepted;
    std::map<Bytes, ConnectionId> by_routing_id;
    std::deque<Bytes> gone;        // of those, the ones that are, oldest first
    std::map<int, Silent> silent;  // by libzmq's descriptor
    // How many were accepted under each: as told, and as heeded so far.
    struct Accepts {
        std::uint64_t came = 0;
        std::uint64_t heeded = 0;
    };
    std::map<int, Accepts> accepts;
    struct Wanted {
        Way way;
        BoxPublic key;
        OfficeId peer{};
    };
    // Dialled by a name that is still being looked up: of the office, or of the proxy.
    NameLookup names;
    std::map<ConnectionId, Wanted> nameless;
    // Dialled through a proxy, for as long as it lasts.
    struct Tunnelled {
        std::unique_ptr<ProxyTunnel> tunnel;
        Wanted wanted;
        bool is_dialled = false;
    };
    std::map<ConnectionId, Tunnelled> tunnelled;
    std::deque<Clock::time_point> strangers;
    std::optional<BoxPublic> refused_in_test;
    std::vector<LinkEvent> told_next;
    std::uint64_t next = 1;
    std::uint64_t refusals = 0;

    void answer_zap();
    std::optional<Caller> caller_of(const BoxPublic& key);
    void cut_silent();
    void set_out(ConnectionId id, const Wanted& wanted, const std::string& address);
    void connect(ConnectionId id, const Wanted& wanted, const std::string& endpoint);
    void read_names();
    void advance_tunnels();
    bool read_message(std::vector<LinkEvent>& events);
    void read_listener(std::vector<LinkEvent>& events);
    [[nodiscard]] std::map<ConnectionId, std::uint64_t> numbers_of(int fd) const;
    void forget(const Bytes& routing_id);
    void read_dialled(ConnectionId id, std::vector<LinkEvent>& events);
    void lose(ConnectionId id, std::string reason, std::vector<LinkEvent>& events);
    Result<void> prove_refusals_hold(const std::string& endpoint);
    Monitored make_dealer(const KeyPair& own, const BoxPublic& server);
    int poll(std::span<zmq::pollitem_t> items, std::chrono::milliseconds timeout);
};

ZmqLink::ZmqLink(std::unique_ptr<Sockets> sockets) : sockets_(std::move(sockets)) {}
ZmqLink::~ZmqLink() = default;

Result<std::unique_ptr<ZmqLink>> ZmqLink::open(KeyPair keys, Admit admit) {
    try {
        auto sockets = std::make_unique<Sockets>();
        sockets->keys = keys;
        sockets->dial_keys = keys;
        sockets->admit = std::move(admit);
        // The handler comes before anything that could ask it.
        sockets->zap = zmq::socket_t(sockets->context, zmq::socket_type::rep);
        sockets->zap.set(zmq::sockopt::linger, 0);
        sockets->zap.bind(zap_endpoint);
        return std::unique_ptr<ZmqLink>(new ZmqLink(std::move(sockets)));
    } catch (const zmq::error_t& error) {
        return fail(Errc::unavailable, fmt::format("link: {}", error.what()));
    }
}

int ZmqLink::Sockets::poll(std::span<zmq::pollitem_t> items, std::chrono::milliseconds timeout) {
    const int ready =
        zmq_poll(items.data(), static_cast<int>(items.size()), static_cast<long>(timeout.count()));
    return ready;  // an interrupted wait is one in which nothing happened
}

std::optional<Caller> ZmqLink::Sockets::caller_of(const BoxPublic& key) {
    if (key == refused_in_test) {
        return std::nullopt;
    }
    const auto caller = admit(key);
    if (caller && std::holds_alternative<Stranger>(*caller)) {
        const auto now = Clock::now();
        while (!strangers.empty() && strangers.front() + strangers_period < now) {
            strangers.pop_front();
        }
        if (strangers.size() == strangers_max) {
            return std::nullopt;
        }
        strangers.push_back(now);
    }
    return caller;
}

// ZAP (RFC 27). Every request is answered, or its peer would wait for ever.
void ZmqLink::Sockets::answer_zap() {
    std::vector<zmq::message_t> request;
    do {
        zmq::message_t part;
        if (!zap.recv(part, zmq::recv_flags::dontwait)) {
            return;
        }
        request.push_back(std::move(part));
    } while (request.back().more());
    std::optional<std::string> user;
    if (request.size() == 7 && request[2].to_string_view() == zap_domain &&
        request[5].to_string_view() == "CURVE" && request[6].size() == BoxPublic::size) {
        BoxPublic key;
        std::memcpy(key.bytes.data(), request[6].data(), BoxPublic::size);
        if (const auto caller = caller_of(key)) {
            user = user_id_of(*caller, key);
        }
    }
    refusals += user ? 0 : 1;
    const std::string id = request.size() > 1 ? request[1].to_string() : "";
    const std::array<std::string, 6> reply = {
        "1.0", id, user ? "200" : "400", user ? "OK" : "refused", user.value_or(""), ""};
    for (std::size_t i = 0; i < reply.size(); ++i) {
        zap.send(zmq::buffer(reply[i]),
                 i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
}

Monitored ZmqLink::Sockets::make_dealer(const KeyPair& own, const BoxPublic& server) {
    auto made = make(context, zmq::socket_type::dealer, next++);
    set_common(made.socket);
    set(made.socket, ZMQ_CURVE_SERVERKEY, server.view());
    set(made.socket, ZMQ_CURVE_PUBLICKEY, own.public_key.view());
    set(made.socket, ZMQ_CURVE_SECRETKEY, own.secret);
    set(made.socket, ZMQ_CONNECT_TIMEOUT, connect_timeout_ms);
    // Dialling again is the supervisor's: after one wrong answer libzmq would never try again.
    set(made.socket, ZMQ_RECONNECT_IVL, -1);
    set(made.socket, ZMQ_HEARTBEAT_IVL, heartbeat_ms);
    set(made.socket, ZMQ_HEARTBEAT_TIMEOUT, heartbeat_timeout_ms);
    return made;
}

// libzmq lets everybody in when nobody answers it (ZMQ_ZAP_ENFORCE_DOMAIN), so before anything is
// served it is seen that the handler is asked, and heeded.
Result<void> ZmqLink::Sockets::prove_refusals_hold(const std::string& endpoint) {
    std::array<char, 41> public_text{};
    std::array<char, 41> secret_text{};
    std::array<std::byte, 32> public_key{};
    std::array<std::byte, 32> secret_key{};
    zmq_curve_keypair(public_text.data(), secret_text.data());
    zmq_z85_decode(reinterpret_cast<std::uint8_t*>(public_key.data()), public_text.data());
    zmq_z85_decode(reinterpret_cast<std::uint8_t*>(secret_key.data()), secret_text.data());
    refused_in_test = BoxPublic{public_key};
    auto stranger = make_dealer({BoxPublic{public_key}, secret_key}, keys.public_key);
    stranger.socket.connect(reachable(endpoint));
    const auto refusals_before = refusals;
    const auto end = std::chrono::steady_clock::now() + self_test_timeout;
    while (std::chrono::steady_clock::now() < end) {
        std::array<zmq::pollitem_t, 2> items = {
            zmq::pollitem_t{zap.handle(), 0, ZMQ_POLLIN, 0},
            zmq::pollitem_t{stranger.monitor.handle(), 0, ZMQ_POLLIN, 0}};
        poll(items, 100ms);
        answer_zap();
        while (const auto event = next_event(stranger.monitor)) {
            switch (event->event) {
                case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                    return fail(Errc::refused, "link: a refused key was let in; not listening");
                case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
                case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                    // Turned away; by the handler, if it was asked and said no. Under load the word
                    // that says why may be lost when the connection is closed behind it.
                    if (refusals > refusals_before) {
                        return ok();
                    }
                    break;
                default:
                    break;
            }
        }
    }
    return fail(Errc::refused, "link: a refused key was not turned away in time; not listening");
}

Result<std::string> ZmqLink::listen(const std::string& endpoint) {
    auto& s = *sockets_;
    try {
        if (!s.listener) {
            s.listener = make(s.context, zmq::socket_type::router, s.next++);
            auto& socket = s.listener->socket;
            set_common(socket);
            set(socket, ZMQ_ROUTER_MANDATORY, 1);
            set(socket, ZMQ_TCP_KEEPALIVE, 1);
            set(socket, ZMQ_TCP_KEEPALIVE_IDLE, keepalive_idle_s);
            set(socket, ZMQ_TCP_KEEPALIVE_INTVL, keepalive_interval_s);
            set(socket, ZMQ_TCP_KEEPALIVE_CNT, keepalive_probes);
            set(socket, ZMQ_CURVE_SERVER, 1);
            set(socket, ZMQ_CURVE_SECRETKEY, s.keys.secret);
            set(socket, ZMQ_ZAP_DOMAIN, as_bytes(zap_domain));
            set(socket, zap_enforce_domain, 1);
        }
        s.listener->socket.bind(endpoint);
        auto bound = s.listener->socket.get(zmq::sockopt::last_endpoint);
        TRY(s.prove_refusals_hold(bound));
        return bound;
    } catch (const zmq::error_t& error) {
        return fail(Errc::unavailable, fmt::format("listening on {}: {}", endpoint, error.what()));
    }
}

void ZmqLink::dial_as(KeyPair keys) {
    sockets_->dial_keys = keys;
}

ConnectionId ZmqLink::dial(const Way& way, const BoxPublic& key, OfficeId peer) {
    auto& s = *sockets_;
    const ConnectionId id{s.next++};
    const Sockets::Wanted wanted{way, key, peer};
    const auto first = way.proxy.empty() ? way.endpoint : "tcp://" + way.proxy;
    if (NameLookup::is_needed(first)) {
        s.nameless.emplace(id, wanted);
        s.names.ask(static_cast<std::uint64_t>(id), first);
    } else {
        s.set_out(id, wanted, first);
    }
    return id;
}

// `address` is the office's, or its proxy's.
void ZmqLink::Sockets::set_out(ConnectionId id, const Wanted& wanted, const std::string& address) {
    if (wanted.way.proxy.empty()) {
        connect(id, wanted, address);
    } else {
        tunnelled.emplace(
            id, Tunnelled{std::make_unique<ProxyTunnel>(address, wanted.way.endpoint), wanted});
    }
}

void ZmqLink::Sockets::connect(ConnectionId id, const Wanted& wanted, const std::string& endpoint) {
    try {
        Dialled made{.socket = make_dealer(dial_keys, wanted.key), .peer = wanted.peer};
        if (wanted.way.is_quiet) {
            set(made.socket.socket, ZMQ_HEARTBEAT_IVL, 0);
        }
        made.socket.socket.connect(endpoint);
        dialled.emplace(id, std::move(made));
    } catch (const zmq::error_t& error) {
        // Out of sockets, or not an address: the same as no answer, only sooner.
        told_next.emplace_back(PeerDown{id, error.what()});
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
            told_next.emplace_back(PeerDown{id, "no such name"});
        } else {
            set_out(id, wanted, answer.endpoint);
        }
    }
}

void ZmqLink::Sockets::advance_tunnels() {
    for (auto at = tunnelled.begin(); at != tunnelled.end();) {
        auto& [id, one] = *at;
        const auto state = one.tunnel->advance();
        if (state == ProxyTunnel::State::ready && !one.is_dialled) {
            one.is_dialled = true;
            connect(id, one.wanted, one.tunnel->endpoint());
        }
        if (state == ProxyTunnel::State::ended) {
            // Once libzmq has its end of it, it says itself that the other is gone.
            if (!one.is_dialled) {
                told_next.emplace_back(PeerDown{id, "proxy: " + one.tunnel->reason()});
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
    s.tunnelled.erase(connection);
    if (const auto dialled = s.dialled.find(connection); dialled != s.dialled.end()) {
        if (dialled->second.own_fd) {
            dialled->second.own_fd->forget_unsent();
        }
        s.dialled.erase(dialled);
    }
    const auto found = s.accepted.find(connection);
    if (found != s.accepted.end()) {
        // libzmq has no call to drop one peer of a ROUTER, but its connection's descriptor is known
        // between two events of the monitor. What is still read from it must not come up again.
        found->second.own_fd.cut_off();
        s.forget(found->second.routing_id);
        s.accepted.erase(found);
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
    for (const auto& [id, accepted] : sockets_->accepted) {
        if (accepted.own_fd.has_lost_address(ours)) {
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
    if (const auto found = s.dialled.find(connection);
        found != s.dialled.end() && found->second.own_fd) {
        return found->second.own_fd->bytes_on_the_wire();
    }
    const auto found = s.accepted.find(connection);
    return found != s.accepted.end() ? found->second.own_fd.bytes_on_the_wire() : std::nullopt;
}

bool ZmqLink::send(ConnectionId connection, BytesView frame) {
    auto& s = *sockets_;
    try {
        if (const auto found = s.dialled.find(connection); found != s.dialled.end()) {
            return found->second.socket.socket
                .send(zmq::buffer(frame.data(), frame.size()), zmq::send_flags::dontwait)
                .has_value();
        }
        if (const auto found = s.accepted.find(connection); found != s.accepted.end()) {
            const auto& to = found->second.routing_id;
            const auto more = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
            return s.listener->socket.send(zmq::buffer(to.data(), to.size()), more).has_value() &&
                   s.listener->socket
                       .send(zmq::buffer(frame.data(), frame.size()), zmq::send_flags::dontwait)
                       .has_value();
        }
    } catch (const zmq::error_t&) {
        // EHOSTUNREACH: it went, and its event is on the way.
    }
    return false;
}

void ZmqLink::Sockets::lose(ConnectionId id, std::string reason, std::vector<LinkEvent>& events) {
    if (const auto found = accepted.find(id); found != accepted.end()) {
        forget(found->second.routing_id);
        accepted.erase(found);
    }
    dialled.erase(id);
    tunnelled.erase(id);
    events.emplace_back(PeerDown{id, std::move(reason)});
}

// False: there is nothing more now.
bool ZmqLink::Sockets::read_message(std::vector<LinkEvent>& events) {
    zmq::message_t routing;
    if (!listener->socket.recv(routing, zmq::recv_flags::dontwait)) {
        return false;
    }
    std::vector<zmq::message_t> parts;
    for (bool more = routing.more(); more; more = parts.back().more()) {
        zmq::message_t part;
        (void)listener->socket.recv(part, zmq::recv_flags::dontwait);
        parts.push_back(std::move(part));
    }
    const Bytes id(static_cast<const std::byte*>(routing.data()),
                   static_cast<const std::byte*>(routing.data()) + routing.size());
    // The user id is lost now and then on the routing frame, never on the payload.
    const auto peer =
        parts.size() == 1 ? known_by(zmq_msg_gets(parts[0].handle(), "User-Id")) : std::nullopt;
    if (!peer) {
        return true;
    }
    auto known = by_routing_id.find(id);
    if (known == by_routing_id.end()) {
        const ConnectionId connection{next++};
        known = by_routing_id.emplace(id, connection).first;
        const int fd = zmq_msg_get(parts[0].handle(), ZMQ_SRCFD);
        silent.erase(fd);
        accepted.emplace(connection,
                         Accepted{id, fd, accepts[fd].came, ConnectionFd::of_connection(fd)});
        if (const auto* office = std::get_if<OfficeId>(&peer->caller)) {
            events.emplace_back(PeerUp{connection, *office, false});
        } else {
            events.emplace_back(StrangerUp{connection, peer->key});
        }
    }
    if (known->second != ConnectionId{0}) {
        const auto* data = static_cast<const std::byte*>(parts[0].data());
        events.emplace_back(FrameIn{known->second, Bytes(data, data + parts[0].size())});
    }
    return true;
}

// What a connection brought before it ended is read before its end is told: a third of each contact
// lay there on a link that was cut every 300 kB.
void ZmqLink::Sockets::read_listener(std::vector<LinkEvent>& events) {
    std::vector<MonitorEvent> told;
    while (const auto event = next_event(listener->monitor)) {
        // Everything else says nothing that is not said otherwise.
        if (event->event == ZMQ_EVENT_DISCONNECTED || event->event == ZMQ_EVENT_ACCEPTED) {
            told.push_back(*event);
            accepts[event->value].came += event->event == ZMQ_EVENT_ACCEPTED ? 1 : 0;
        }
    }
    const int at_most = told.empty() ? events_a_wait : events_before_an_end;
    for (int i = 0; i < at_most && read_message(events); ++i) {
    }
    for (const auto& event : told) {
        // A number is used again within milliseconds: who came under it since is not meant.
        const bool is_end = event.event == ZMQ_EVENT_DISCONNECTED;
        auto& [came, heeded] = accepts[event.value];
        heeded += is_end ? 0 : 1;
        const auto last_ended = is_end ? heeded : heeded - 1;
        for (const auto& [id, known] : std::map(numbers_of(event.value))) {
            if (known <= last_ended) {
                lose(id, "the peer went", events);
            }
        }
        silent.erase(event.value);
        if (!is_end && numbers_of(event.value).empty()) {
            silent.emplace(event.value, Silent{ConnectionFd::of_connection(event.value),
                                               Clock::now() + first_frame_timeout});
        }
    }
}

// Of the connections under this descriptor, and as which of all that had it each was accepted.
std::map<ConnectionId, std::uint64_t> ZmqLink::Sockets::numbers_of(int fd) const {
    std::map<ConnectionId, std::uint64_t> numbers;
    for (const auto& [id, one] : accepted) {
        if (one.fd == fd) {
            numbers.emplace(id, one.number);
        }
    }
    return numbers;
}

// Of a connection that is gone more may still be read, and must not look like a new one.
void ZmqLink::Sockets::forget(const Bytes& routing_id) {
    by_routing_id[routing_id] = ConnectionId{0};
    gone.push_back(routing_id);
    if (gone.size() > gone_remembered) {
        by_routing_id.erase(gone.front());
        gone.pop_front();
    }
}

void ZmqLink::Sockets::cut_silent() {
    const auto now = Clock::now();
    std::erase_if(silent, [&](const auto& entry) {
        const bool is_late = entry.second.until <= now;
        if (is_late) {
            entry.second.own_fd.cut_off();
        }
        return is_late;
    });
}

void ZmqLink::Sockets::read_dialled(ConnectionId id, std::vector<LinkEvent>& events) {
    auto& connection = dialled.at(id);
    std::optional<std::string> ended;
    while (const auto event = next_event(connection.socket.monitor)) {
        switch (event->event) {
            case ZMQ_EVENT_CONNECTED:
                connection.own_fd = ConnectionFd::of_connection(event->value);
                break;
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                connection.is_up = true;
                events.emplace_back(PeerUp{id, connection.peer, true});
                break;
            case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
                ended = "refused";
                break;
            case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
                ended = ended.value_or("not let in");
                break;
            case ZMQ_EVENT_DISCONNECTED:
            case ZMQ_EVENT_CLOSED:
                ended = ended.value_or(connection.is_up ? "the link went" : "no answer");
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
        bool is_single = true;
        while (frame.more()) {
            is_single = false;
            (void)connection.socket.socket.recv(frame, zmq::recv_flags::dontwait);
        }
        const auto* data = static_cast<const std::byte*>(frame.data());
        if (is_single && connection.is_up) {
            events.emplace_back(FrameIn{id, Bytes(data, data + frame.size())});
        }
    }
    if (ended) {
        lose(id, *ended, events);
    }
}

std::vector<LinkEvent> ZmqLink::wait(std::span<WatchedFd> watched,
                                     std::chrono::milliseconds timeout) {
    auto& s = *sockets_;
    std::vector<zmq::pollitem_t> items;
    const auto add = [&](zmq::socket_t& socket) {
        items.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
    };
    add(s.zap);
    if (s.listener) {
        add(s.listener->socket);
        add(s.listener->monitor);
    }
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
    auto events = std::exchange(s.told_next, {});
    for (const auto& [fd, silent] : s.silent) {
        no_later_than(silent.until);
    }
    try {
        s.poll(items, events.empty() ? timeout : 0ms);
        for (std::size_t i = 0; i < watched.size(); ++i) {
            const auto ready = items[first_watched + i].revents;
            watched[i].is_readable = (ready & (ZMQ_POLLIN | ZMQ_POLLERR)) != 0;
            watched[i].is_writable = (ready & ZMQ_POLLOUT) != 0;
        }
        s.answer_zap();
        s.read_names();
        s.advance_tunnels();
        std::ranges::move(std::exchange(s.told_next, {}), std::back_inserter(events));
        if (s.listener) {
            s.read_listener(events);
            s.cut_silent();
        }
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
