#include "daemon/link/curve_socket.h"

#include <fmt/format.h>
#include <zmq.h>

#include <cstring>

#include "proto/limits.h"

namespace fieldpost::link {

namespace {

// A draft option in the header of 4.3.4, but honoured by its number. Without it a dead handler
// would let everybody in.
constexpr int zap_enforce_domain = 93;
// Four round trips of a 2.5 s link.
constexpr int handshake_ms = 10'000;
constexpr int connect_timeout_ms = 2000;
// Only the dialler sends beats: 119 bytes a minute.
constexpr int heartbeat_ms = 120'000;
constexpr int heartbeat_timeout_ms = 20'000;
// The listener probes by itself, once even the dialler's beats have not come for long. It does not
// rely on the time to live of the beats: libzmq keeps that in 16 bits of milliseconds, so that 300
// s became 38 s.
constexpr int keepalive_idle_s = 600;
constexpr int keepalive_interval_s = 20;
constexpr int keepalive_probes = 3;

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

}  // namespace

void set(zmq::socket_t& socket, int option, int value) {
    zmq_setsockopt(socket.handle(), option, &value, sizeof value);
}
void set(zmq::socket_t& socket, int option, BytesView value) {
    zmq_setsockopt(socket.handle(), option, value.data(), value.size());
}

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

Monitored make_dealer(zmq::context_t& context, std::uint64_t number, const KeyPair& own,
                      const BoxPublic& server) {
    auto made = make(context, zmq::socket_type::dealer, number);
    set_common(made.socket);
    set(made.socket, ZMQ_CURVE_SERVERKEY, server.view());
    set(made.socket, ZMQ_CURVE_PUBLICKEY, own.public_key.view());
    set(made.socket, ZMQ_CURVE_SECRETKEY, own.secret);
    set(made.socket, ZMQ_CONNECT_TIMEOUT, connect_timeout_ms);
    // The supervisor dials again. libzmq would never try again after one wrong answer.
    set(made.socket, ZMQ_RECONNECT_IVL, -1);
    set(made.socket, ZMQ_HEARTBEAT_IVL, heartbeat_ms);
    set(made.socket, ZMQ_HEARTBEAT_TIMEOUT, heartbeat_timeout_ms);
    return made;
}

Monitored make_router(zmq::context_t& context, std::uint64_t number, const KeyPair& own,
                      std::string_view zap_domain) {
    auto made = make(context, zmq::socket_type::router, number);
    set_common(made.socket);
    set(made.socket, ZMQ_ROUTER_MANDATORY, 1);
    set(made.socket, ZMQ_TCP_KEEPALIVE, 1);
    set(made.socket, ZMQ_TCP_KEEPALIVE_IDLE, keepalive_idle_s);
    set(made.socket, ZMQ_TCP_KEEPALIVE_INTVL, keepalive_interval_s);
    set(made.socket, ZMQ_TCP_KEEPALIVE_CNT, keepalive_probes);
    set(made.socket, ZMQ_CURVE_SERVER, 1);
    set(made.socket, ZMQ_CURVE_SECRETKEY, own.secret);
    set(made.socket, ZMQ_ZAP_DOMAIN, as_bytes(zap_domain));
    set(made.socket, zap_enforce_domain, 1);
    return made;
}

}  // namespace fieldpost::link
