// ZeroMQ sockets that speak CURVE (RFC 26), each with the monitor that tells what happens to it.
#pragma once

#include <optional>
#include <zmq.hpp>

#include "daemon/link/zmq_link.h"

namespace fieldpost::link {

// Unacknowledged data this old means the peer is gone.
inline constexpr int retransmission_ms = 30'000;

// More wait in neither direction. Credit keeps far less than this under way; what does not fit is a
// peer that does not read.
inline constexpr int high_water_messages = 256;

// How much of what has come over a connection may be no frame that was read: what libzmq's queue
// and the kernel hold, generously. A message in many parts has no limit in libzmq (4.3.4), and
// nothing of it is seen here before its end, so that one peer could take all memory.
inline constexpr std::uint64_t unread_bytes_max = 48U << 20;
// What CURVE and ZMTP add to a frame, at most.
inline constexpr std::uint64_t frame_overhead_bytes = 42;

void set(zmq::socket_t& socket, int option, int value);
void set(zmq::socket_t& socket, int option, BytesView value);

// What a socket's monitor told, in the order it happened.
struct MonitorEvent {
    int event = 0;
    int value = 0;
};

// The next that has not been read.
std::optional<MonitorEvent> next_event(zmq::socket_t& monitor);

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

// Who dials as `own` whoever has `server`. Throws zmq::error_t, as all here: out of sockets, say.
// `number`: of no other.
Monitored make_dealer(zmq::context_t& context, std::uint64_t number, const KeyPair& own,
                      const BoxPublic& server);
Monitored make_router(zmq::context_t& context, std::uint64_t number, const KeyPair& own,
                      std::string_view zap_domain);

}  // namespace fieldpost::link
