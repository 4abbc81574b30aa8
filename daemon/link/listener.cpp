#include "daemon/link/listener.h"

#include <fmt/format.h>
#include <zmq.h>

#include <charconv>
#include <cstring>

#include "proto/limits.h"

namespace fieldpost::link {

namespace {

using namespace std::chrono_literals;

constexpr auto* zap_endpoint = "inproc://zeromq.zap.01";
constexpr std::string_view zap_domain = "fieldpost";
constexpr int events_a_wait = 256;
// More than all queues hold of one connection.
constexpr int events_before_an_end = 4 * high_water_messages;
constexpr std::size_t gone_remembered = 1024;
constexpr auto self_test_timeout = 5s;
// A client that takes all the time for its handshake and is then silent for as long is no peer of
// ours.
constexpr auto first_frame_timeout = 20s;
// At most this many connections may be silent at a time. The next one takes the place of the
// oldest. An office leaves this state within a few round trips.
constexpr std::size_t silent_max = 256;
// Enough for a handshake and a frame, with that much again to spare.
constexpr std::uint64_t first_message_bytes_max = 2 * limits::frame_bytes_max;
// Limits for strangers let in during the period, in all and from one address. Without them one
// holder of a key of the network could keep the door shut for others. Further strangers have to try
// again. Members never wait behind them.
constexpr std::size_t strangers_max = 32;
constexpr std::ptrdiff_t strangers_of_address_max = 4;
constexpr auto strangers_period = 10s;

using Clock = std::chrono::steady_clock;

// The mark of a stranger in the ZAP user id. The answer to a handshake gives the peer this id, and
// each of its frames repeats it.
constexpr char stranger_mark = '?';

std::string user_id_of(const Caller& caller, const BoxPublic& key) {
    const auto* office = std::get_if<OfficeId>(&caller);
    return office != nullptr ? std::to_string(value_of(*office))
                             : stranger_mark + to_hex(key.view());
}

struct Known {
    Caller caller;
    BoxPublic key;  // the link key of a stranger
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

// "tcp://*:6743" listens everywhere. To connect to it from here, the endpoint needs a host.
std::string reachable(std::string endpoint) {
    const auto colon = endpoint.rfind(':');
    const auto host = endpoint.substr(6, colon - 6);
    if (host == "*" || host == "0.0.0.0" || host == "[::]") {
        return "tcp://127.0.0.1" + endpoint.substr(colon);
    }
    return endpoint;
}

}  // namespace

Listener::Listener(zmq::context_t& context, KeyPair keys, ZmqLink::Admit admit, std::uint64_t& next)
    : context_(context),
      keys_(keys),
      admit_(std::move(admit)),
      next_(next),
      zap_(context, zmq::socket_type::rep) {
    // The handler is there before any socket that could ask it.
    zap_.set(zmq::sockopt::linger, 0);
    zap_.bind(zap_endpoint);
}

void Listener::add_to(std::vector<zmq::pollitem_t>& items) {
    items.push_back({zap_.handle(), 0, ZMQ_POLLIN, 0});
    if (router_) {
        items.push_back({router_->socket.handle(), 0, ZMQ_POLLIN, 0});
        items.push_back({router_->monitor.handle(), 0, ZMQ_POLLIN, 0});
    }
}

std::optional<Clock::time_point> Listener::wake_at() const {
    std::optional<Clock::time_point> earliest;
    for (const auto& [fd, silent] : silent_) {
        earliest = std::min(earliest.value_or(silent.until), silent.until);
    }
    return earliest;
}

void Listener::read(std::vector<LinkEvent>& events) {
    answer_zap();
    if (router_) {
        read_socket(events);
        cut_silent();
    }
}

std::optional<Caller> Listener::caller_of(const BoxPublic& key, const std::string& address) {
    if (key == refused_in_test_) {
        return std::nullopt;
    }
    const auto caller = admit_(key);
    if (caller && std::holds_alternative<Stranger>(*caller)) {
        const auto now = Clock::now();
        while (!strangers_.empty() && strangers_.front().came + strangers_period < now) {
            strangers_.pop_front();
        }
        if (strangers_.size() == strangers_max ||
            std::ranges::count(strangers_, address, &Came::address) == strangers_of_address_max) {
            return std::nullopt;
        }
        strangers_.push_back({now, address});
    }
    return caller;
}

// Answers ZAP requests (RFC 27). Every request is answered, or its peer would wait for ever.
void Listener::answer_zap() {
    std::vector<zmq::message_t> request;
    do {
        zmq::message_t part;
        if (!zap_.recv(part, zmq::recv_flags::dontwait)) {
            return;
        }
        request.push_back(std::move(part));
    } while (request.back().more());
    std::optional<std::string> user;
    if (request.size() == 7 && request[2].to_string_view() == zap_domain &&
        request[5].to_string_view() == "CURVE" && request[6].size() == BoxPublic::size) {
        BoxPublic key;
        std::memcpy(key.bytes.data(), request[6].data(), BoxPublic::size);
        if (const auto caller = caller_of(key, request[3].to_string())) {
            user = user_id_of(*caller, key);
        }
    }
    refusals_ += user ? 0 : 1;
    const std::string id = request.size() > 1 ? request[1].to_string() : "";
    const std::array<std::string, 6> reply = {
        "1.0", id, user ? "200" : "400", user ? "OK" : "refused", user.value_or(""), ""};
    for (std::size_t i = 0; i < reply.size(); ++i) {
        zap_.send(zmq::buffer(reply[i]),
                  i + 1 < reply.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
}

// libzmq lets everybody in when no handler answers it (ZMQ_ZAP_ENFORCE_DOMAIN). So before any peer
// is served, this test proves that libzmq asks the handler and obeys it.
Result<void> Listener::prove_refusals_hold(const std::string& endpoint) {
    std::array<char, 41> public_text{};
    std::array<char, 41> secret_text{};
    std::array<std::byte, 32> public_key{};
    std::array<std::byte, 32> secret_key{};
    zmq_curve_keypair(public_text.data(), secret_text.data());
    zmq_z85_decode(reinterpret_cast<std::uint8_t*>(public_key.data()), public_text.data());
    zmq_z85_decode(reinterpret_cast<std::uint8_t*>(secret_key.data()), secret_text.data());
    refused_in_test_ = BoxPublic{public_key};
    auto stranger =
        make_dealer(context_, next_++, {BoxPublic{public_key}, secret_key}, keys_.public_key);
    stranger.socket.connect(reachable(endpoint));
    const auto refusals_before = refusals_;
    const auto end = std::chrono::steady_clock::now() + self_test_timeout;
    while (std::chrono::steady_clock::now() < end) {
        std::array<zmq::pollitem_t, 2> items = {
            zmq::pollitem_t{zap_.handle(), 0, ZMQ_POLLIN, 0},
            zmq::pollitem_t{stranger.monitor.handle(), 0, ZMQ_POLLIN, 0}};
        zmq_poll(items.data(), static_cast<int>(items.size()), 100);
        answer_zap();
        while (const auto event = next_event(stranger.monitor)) {
            switch (event->event) {
                case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                    return fail(Errc::refused, "link: a refused key was let in; not listening");
                case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
                case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
                    // It was turned away. The handler did it, if it was asked and said no. Under
                    // load the message with the reason may be lost, because the connection is
                    // closed right after it.
                    if (refusals_ > refusals_before) {
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

Result<std::string> Listener::listen(const std::string& endpoint) {
    try {
        if (!router_) {
            router_ = make_router(context_, next_++, keys_, zap_domain);
        }
        router_->socket.bind(endpoint);
        auto bound = router_->socket.get(zmq::sockopt::last_endpoint);
        TRY(prove_refusals_hold(bound));
        return bound;
    } catch (const zmq::error_t& error) {
        return fail(Errc::unavailable, fmt::format("listening on {}: {}", endpoint, error.what()));
    }
}

// False: there is no further message now.
bool Listener::read_message(std::vector<LinkEvent>& events) {
    zmq::message_t routing;
    if (!router_->socket.recv(routing, zmq::recv_flags::dontwait)) {
        return false;
    }
    zmq::message_t frame;
    std::uint64_t bytes = 0;
    int parts = 0;
    for (bool more = routing.more(); more; ++parts) {
        zmq::message_t part;
        (void)router_->socket.recv(part, zmq::recv_flags::dontwait);
        more = part.more();
        bytes += part.size() + frame_overhead_bytes;
        if (parts == 0) {
            frame = std::move(part);
        }
    }
    const Bytes id(static_cast<const std::byte*>(routing.data()),
                   static_cast<const std::byte*>(routing.data()) + routing.size());
    // libzmq sometimes loses the user id on the routing frame, but never on the payload.
    const auto peer = known_by(zmq_msg_gets(frame.handle(), "User-Id"));
    if (!peer) {
        return true;
    }
    auto known = by_routing_id_.find(id);
    if (known == by_routing_id_.end()) {
        const ConnectionId connection{next_++};
        known = by_routing_id_.emplace(id, connection).first;
        const int fd = zmq_msg_get(frame.handle(), ZMQ_SRCFD);
        silent_.erase(fd);
        accepted_.emplace(connection,
                          Accepted{id, fd, accepts_[fd].came, ConnectionFd::of_connection(fd)});
        if (const auto* office = std::get_if<OfficeId>(&peer->caller)) {
            const bool is_spare = parts == 1 && frame.size() == 0;
            events.emplace_back(PeerUp{connection, *office, false, is_spare});
            if (is_spare) {
                return true;
            }
        } else {
            events.emplace_back(StrangerUp{connection, peer->key});
        }
    }
    if (known->second != ConnectionId{0}) {
        const auto* data = static_cast<const std::byte*>(frame.data());
        events.emplace_back(
            FrameIn{known->second, parts == 1 ? Bytes(data, data + frame.size()) : Bytes{}});
        accepted_.at(known->second).read_bytes += bytes;
    }
    return true;
}

// The frames of a connection are read before its end is told. On a link that was cut every 300 kB,
// a third of each contact was still unread at its end.
void Listener::read_socket(std::vector<LinkEvent>& events) {
    std::vector<MonitorEvent> told;
    while (const auto event = next_event(router_->monitor)) {
        // All other events are known in another way.
        if (event->event == ZMQ_EVENT_DISCONNECTED || event->event == ZMQ_EVENT_ACCEPTED) {
            told.push_back(*event);
            accepts_[event->value].came += event->event == ZMQ_EVENT_ACCEPTED ? 1 : 0;
        }
    }
    const int at_most = told.empty() ? events_a_wait : events_before_an_end;
    for (int i = 0; i < at_most && read_message(events); ++i) {
    }
    for (const auto& event : told) {
        // A descriptor's number is used again within milliseconds. The event does not mean a
        // connection that got the number since.
        const bool is_end = event.event == ZMQ_EVENT_DISCONNECTED;
        auto& [came, heeded] = accepts_[event.value];
        heeded += is_end ? 0 : 1;
        const auto last_ended = is_end ? heeded : heeded - 1;
        for (const auto& [id, known] : std::map(numbers_of(event.value))) {
            if (known <= last_ended) {
                lose(id, {id, EndReason::peer_went}, events);
            }
        }
        silent_.erase(event.value);
        if (!is_end && numbers_of(event.value).empty()) {
            silent_.emplace(event.value, Silent{ConnectionFd::of_connection(event.value),
                                                Clock::now() + first_frame_timeout});
            make_room(event.value, events);
        }
    }
}

// A stranger that only connects must not use up this process's descriptors. libzmq would go on
// accepting without success, and no other code here could open a file.
void Listener::make_room(int fd, std::vector<LinkEvent>& events) {
    if (silent_.at(fd).own_fd.is_among_last()) {
        // `fd` may be the number of another connection by now. The peer of that one can dial again,
        // but a process without descriptors can do nothing.
        ConnectionFd::cut_off_libzmqs(fd);
        silent_.erase(fd);
        events.emplace_back(TooMany{});
    } else if (silent_.size() > silent_max) {
        const auto oldest = std::ranges::min_element(
            silent_, {}, [](const auto& entry) { return entry.second.until; });
        oldest->second.own_fd.cut_off();
        silent_.erase(oldest);
    }
}

void Listener::lose(ConnectionId connection, PeerDown how, std::vector<LinkEvent>& events) {
    forget(accepted_.at(connection).routing_id);
    accepted_.erase(connection);
    events.emplace_back(std::move(how));
}

void Listener::cut_floods(std::vector<LinkEvent>& events) {
    for (const auto id : connections()) {
        const auto& one = accepted_.at(id);
        if (one.own_fd.bytes_received().value_or(0) > one.read_bytes + unread_bytes_max) {
            one.own_fd.cut_off();
            lose(id, {id, EndReason::offence, "a message without end"}, events);
        }
    }
    for (const auto& [fd, silent] : silent_) {
        if (silent.own_fd.bytes_received().value_or(0) > first_message_bytes_max) {
            silent.own_fd.cut_off();
        }
    }
}

bool Listener::send(ConnectionId connection, BytesView frame) {
    const auto& to = accepted_.at(connection).routing_id;
    const auto more = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
    return router_->socket.send(zmq::buffer(to.data(), to.size()), more).has_value() &&
           router_->socket.send(zmq::buffer(frame.data(), frame.size()), zmq::send_flags::dontwait)
               .has_value();
}

void Listener::close(ConnectionId connection) {
    // libzmq has no call to drop one peer of a ROUTER. But the descriptor of its connection is
    // known between two events of the monitor. Messages that are still read from it must not come
    // up again.
    auto& closed = accepted_.at(connection);
    // With the unsent data thrown away the end is a reset, which the dialler hears at once.
    // Otherwise the end would wait behind data that never gets through, and the dialler would wait
    // too.
    closed.own_fd.forget_unsent();
    closed.own_fd.cut_off();
    forget(closed.routing_id);
    accepted_.erase(connection);
}

std::vector<ConnectionId> Listener::connections() const {
    std::vector<ConnectionId> all;
    all.reserve(accepted_.size());
    for (const auto& [id, one] : accepted_) {
        all.push_back(id);
    }
    return all;
}

// The connections under this descriptor, each with its number among all that had the descriptor.
std::map<ConnectionId, std::uint64_t> Listener::numbers_of(int fd) const {
    std::map<ConnectionId, std::uint64_t> numbers;
    for (const auto& [id, one] : accepted_) {
        if (one.fd == fd) {
            numbers.emplace(id, one.number);
        }
    }
    return numbers;
}

// Messages of a connection that is gone may still be read, and must not look like a new connection.
void Listener::forget(const Bytes& routing_id) {
    by_routing_id_[routing_id] = ConnectionId{0};
    gone_.push_back(routing_id);
    if (gone_.size() > gone_remembered) {
        by_routing_id_.erase(gone_.front());
        gone_.pop_front();
    }
}

void Listener::cut_silent() {
    const auto now = Clock::now();
    std::erase_if(silent_, [&](const auto& entry) {
        const bool is_late = entry.second.until <= now;
        if (is_late) {
            entry.second.own_fd.cut_off();
        }
        return is_late;
    });
}

}  // namespace fieldpost::link
