// Moves opaque frames between offices over ZeroMQ: a ROUTER listens, a DEALER dials, CURVE (RFC 26)
// keeps both ends honest and strangers out.
//
// Promise: the key of the peer vouched for the office at the other end of a link, or the peer is a
// stranger and is reported as one. Frames of a link come whole and in order until the link goes.
//
// Not promised: that a sent frame arrived. Not here: the meaning of a frame, and when to dial
// (daemon/runtime). One thread. Only one object of this class in a process.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/link/told_address.h"
#include "proto/vocabulary.h"

namespace fieldpost::link {

// A connection, or an attempt at one. A number is never used twice.
enum class ConnectionId : std::uint64_t {};

struct KeyPair {
    BoxPublic public_key;
    // 32 bytes. The caller must keep them in place as long as they are in use.
    BytesView secret;
};

struct PeerUp {
    ConnectionId connection{};
    OfficeId peer{};
    bool is_dialled = false;
    // True if the peer keeps this connection for later: its first frame was empty (WIRE.md 6). A
    // later FrameIn says that it is in use.
    bool is_spare = false;
};
// A dialled address answers, so the way to it is open. The handshake is still to come. If the
// attempt was hastened, the connection's own answer is still to come too.
struct PeerReached {
    ConnectionId connection{};
    bool is_hastened = false;
};
// A caller dialled with a key that no office has. Only few such callers are let in at a time.
struct StrangerUp {
    ConnectionId connection{};
    BoxPublic key;
};
// Why a connection ended, or did not come up.
enum class EndReason : std::uint8_t {
    no_answer,    // nobody accepts connections there
    no_greeting,  // something accepts them but does not speak as an office, such as a login page
    no_name,      // the name of the machine is not known
    proxy,        // the proxy could not reach it; the detail has the reason
    refused,      // the peer does not know our key, or has shut it out
    not_let_in,   // the handshake failed, for example because the peer has an unexpected key
    link_went,    // a connection that we dialled and that was up
    peer_went,    // a connection that the peer dialled
    offence,      // cut off here, because the peer did what no office does; the detail names it
    closed_here,  // the detail has the reason
    contested,    // another machine comes with our keys, and each link ends the other's
    put_off,      // nothing was tried: too many names are being looked up
    not_dialled,  // nothing was tried: not allowed on the word of others (told_address.h)
};
// For the log.
std::string_view words_of(EndReason reason);

// A connection of a peer or stranger has ended, or did not come up.
struct PeerDown {
    ConnectionId connection{};
    EndReason reason{};
    std::string detail{};
};
// An empty frame: the message was not a single frame.
struct FrameIn {
    ConnectionId connection{};
    Bytes bytes;
};
// A connection came in and was cut off, because hardly any descriptors are left.
struct TooMany {};
using LinkEvent = std::variant<PeerUp, PeerReached, StrangerUp, PeerDown, FrameIn, TooMany>;

struct Stranger {};
// The holder of a link key.
using Caller = std::variant<OfficeId, Stranger>;

// How one address is dialled.
struct Way {
    std::string endpoint;
    // If true, sends nothing while idle. The loss of the other end is then noticed when there is
    // something to send.
    bool is_quiet = false;
    // HOST:PORT of a SOCKS5 proxy (RFC 1928). The proxy is told the name and finds the address.
    // Empty: none.
    std::string proxy{};
    // The largest TCP segment each way, in bytes. 0: as large as the way seems to take. Has no
    // effect through a proxy.
    int segment_max = 0;
    // The source of the address.
    Trust trust{};
    auto operator<=>(const Way&) const = default;
};

// A file descriptor of the caller that wait() should watch too.
struct WatchedFd {
    int fd = -1;
    bool wants_write = false;
    bool is_readable = false;
    bool is_writable = false;
};

class ZmqLink {
public:
    // Gives the caller that may come in with this link key. Empty: nobody. It is asked for every
    // handshake. The daemon's answer is in runtime/links.cpp.
    using Admit = std::function<std::optional<Caller>(const BoxPublic& key)>;

    static Result<std::unique_ptr<ZmqLink>> open(KeyPair keys, Admit admit);
    ~ZmqLink();
    ZmqLink(const ZmqLink&) = delete;
    ZmqLink& operator=(const ZmqLink&) = delete;

    // Returns the address it listens on; the system chooses a port of *. unavailable: the address
    // is taken, or is none of ours. refused: the test at every start found that a key which must be
    // refused was let in.
    Result<std::string> listen(const std::string& endpoint);
    // The keys that this end dials with from now on.
    void dial_as(KeyPair keys);
    // Either PeerUp or PeerDown follows. The peer must prove to hold `key`.
    ConnectionId dial(const Way& way, const BoxPublic& key, OfficeId peer);
    // Makes PeerReached for an attempt under way come sooner. The address is asked three times a
    // second. This also continues until the next attempt, if that one is hastened too.
    void hasten(ConnectionId connection);
    // Frames that are still under way may be lost. PeerDown does not follow.
    void close(ConnectionId connection);
    // Connections whose own end has an address that this machine no longer has. Nothing will ever
    // come over them, and no other event says so.
    [[nodiscard]] std::vector<ConnectionId> without_address() const;
    // False if the link cannot take the frame. Then the link has to be closed.
    [[nodiscard]] bool send(ConnectionId connection, BytesView frame);

    // How soon a lost connection has to be noticed though nothing is sent. seldom: as a beat every
    // two minutes would notice it. soon: within 15 s, at the price of 104 bytes for every 4 s in
    // which nothing comes.
    enum class Vigil : std::uint8_t { seldom, soon };
    void watch_over(ConnectionId connection, Vigil vigil);

    // Bytes over the connection so far in both directions, with headers and all repeats. Empty: it
    // is gone.
    [[nodiscard]] std::optional<std::uint64_t> bytes_on_the_wire(ConnectionId connection) const;

    // Bytes that the other end has behind a lost segment, and cannot hand on yet.
    [[nodiscard]] std::uint64_t bytes_behind_hole(ConnectionId connection) const;

    // Waits until something happens or `timeout` has passed. The number of events is bounded: more
    // may be waiting.
    std::vector<LinkEvent> wait(std::span<WatchedFd> watched, std::chrono::milliseconds timeout);

private:
    std::vector<LinkEvent> wait_once(std::span<WatchedFd> watched,
                                     std::chrono::milliseconds timeout);

    struct Sockets;
    explicit ZmqLink(std::unique_ptr<Sockets> sockets);
    std::unique_ptr<Sockets> sockets_;
};

}  // namespace fieldpost::link
