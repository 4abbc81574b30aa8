// ZeroMQ sockets that speak CURVE (RFC 26). Each has a monitor that tells what happens to it.
#pragma once

#include <optional>
#include <zmq.hpp>

#include "daemon/link/zmq_link.h"

namespace fieldpost::link {

// In milliseconds. If data stays unacknowledged this long, the peer is gone.
inline constexpr int retransmission_ms = 30'000;

// At most this many messages wait in each direction. Credit keeps far fewer under way, so a peer
// with more does not read.
inline constexpr int high_water_messages = 256;

// Bytes that came over a connection and are not yet in a frame that was read. The limit is generous
// for libzmq's queue and the kernel. A message in many parts has no limit in libzmq (4.3.4), and no
// part is seen here before its end. So without this limit one peer could take all memory.
inline constexpr std::uint64_t unread_bytes_max = 48U << 20;
// The most bytes that CURVE and ZMTP add to a frame.
inline constexpr std::uint64_t frame_overhead_bytes = 42;

void set(zmq::socket_t& socket, int option, int value);
void set(zmq::socket_t& socket, int option, BytesView value);

// An event that a socket's monitor told. Events come in the order in which they happened.
struct MonitorEvent {
    int event = 0;
    int value = 0;
};

// The next unread event.
std::optional<MonitorEvent> next_event(zmq::socket_t& monitor);

// A socket, and the monitor that tells its events.
struct Monitored {
    zmq::socket_t socket;
    zmq::socket_t monitor;

    Monitored(zmq::socket_t made, zmq::socket_t told)
        : socket(std::move(made)), monitor(std::move(told)) {}
    Monitored(Monitored&&) = default;
    Monitored& operator=(Monitored&&) = default;
    Monitored(const Monitored&) = delete;
    Monitored& operator=(const Monitored&) = delete;
    // Closes the monitor too. An event that nobody can read would block libzmq's thread, and with
    // it every link.
    ~Monitored() {
        if (socket.handle() != nullptr) {
            zmq_socket_monitor(socket.handle(), nullptr, 0);
        }
    }
};

// A socket that dials as `own` and accepts only the holder of `server`. Like all functions here it
// throws zmq::error_t, for example when sockets run out. No two sockets may have one `number`.
Monitored make_dealer(zmq::context_t& context, std::uint64_t number, const KeyPair& own,
                      const BoxPublic& server);
Monitored make_router(zmq::context_t& context, std::uint64_t number, const KeyPair& own,
                      std::string_view zap_domain);

}  // namespace fieldpost::link
