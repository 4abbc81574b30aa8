// The end of a link that is dialled. It lets in members by their keys, a few strangers as
// strangers, and nobody else (ZAP, RFC 27). It also tells one connection from the next, which a
// ROUTER does not.
#pragma once

#include <deque>
#include <map>

#include "daemon/link/connection_fd.h"
#include "daemon/link/curve_socket.h"

namespace fieldpost::link {

class Listener {
public:
    // `next` numbers connections. Throws zmq::error_t.
    Listener(zmq::context_t& context, KeyPair keys, ZmqLink::Admit admit, std::uint64_t& next);

    // As ZmqLink::listen.
    Result<std::string> listen(const std::string& endpoint);
    // Adds the sockets that have to be polled.
    void add_to(std::vector<zmq::pollitem_t>& items);
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> wake_at() const;
    // Appends the events since the last call.
    void read(std::vector<LinkEvent>& events);
    // Cuts off peers that send without end. To be called often enough, because memory is the limit.
    void cut_floods(std::vector<LinkEvent>& events);
    [[nodiscard]] bool has_connections() const { return !accepted_.empty() || !silent_.empty(); }

    [[nodiscard]] bool has(ConnectionId connection) const { return accepted_.contains(connection); }
    [[nodiscard]] bool send(ConnectionId connection, BytesView frame);
    void close(ConnectionId connection);
    [[nodiscard]] const ConnectionFd& fd_of(ConnectionId connection) const {
        return accepted_.at(connection).own_fd;
    }
    [[nodiscard]] std::vector<ConnectionId> connections() const;

private:
    struct Accepted {
        Bytes routing_id;
        int fd = -1;               // libzmq's descriptor: its name in the monitor's events
        std::uint64_t number = 0;  // counts the connections accepted under that descriptor
        ConnectionFd
            own_fd;  // ours, of this connection: libzmq's number may mean another one by now
        std::uint64_t read_bytes = 0;  // in frames, with their cost on the connection
    };
    // A connection accepted by TCP, of which no message was read yet.
    struct Silent {
        ConnectionFd own_fd;
        std::chrono::steady_clock::time_point until;
    };
    // How many connections were accepted under each descriptor. `came`: as the monitor told.
    // `heeded`: as handled so far.
    struct Accepts {
        std::uint64_t came = 0;
        std::uint64_t heeded = 0;
    };

    struct Came {
        std::chrono::steady_clock::time_point came;
        std::string address;
    };

    void answer_zap();
    std::optional<Caller> caller_of(const BoxPublic& key, const std::string& address);
    Result<void> prove_refusals_hold(const std::string& endpoint);
    bool read_message(std::vector<LinkEvent>& events);
    void read_socket(std::vector<LinkEvent>& events);
    [[nodiscard]] std::map<ConnectionId, std::uint64_t> numbers_of(int fd) const;
    void lose(ConnectionId connection, PeerDown how, std::vector<LinkEvent>& events);
    void forget(const Bytes& routing_id);
    void cut_silent();
    void make_room(int fd, std::vector<LinkEvent>& events);

    zmq::context_t& context_;
    KeyPair keys_;
    ZmqLink::Admit admit_;
    std::uint64_t& next_;
    zmq::socket_t zap_;
    std::optional<Monitored> router_;  // set once it listens
    std::map<ConnectionId, Accepted> accepted_;
    std::map<Bytes, ConnectionId> by_routing_id_;
    std::deque<Bytes> gone_;        // routing ids of connections that are gone, oldest first
    std::map<int, Silent> silent_;  // by libzmq's descriptor
    std::map<int, Accepts> accepts_;
    std::deque<Came> strangers_;  // strangers let in lately
    std::optional<BoxPublic> refused_in_test_;
    std::uint64_t refusals_ = 0;
};

}  // namespace fieldpost::link
