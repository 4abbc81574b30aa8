// Moves opaque frames between offices over ZeroMQ: a ROUTER listens, a DEALER dials, CURVE (RFC 26)
// keeps both ends honest and strangers out.
//
// Promise: who is at the other end of a link was vouched for by its key, or it is a stranger and
// said to be one; frames of a link come whole and in order until the link goes. Not promised: that
// what was sent arrived. Not here: what a frame means, when to dial (daemon/runtime). One thread;
// one of these a process.
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

// A connection, or an attempt at one. Never used twice.
enum class ConnectionId : std::uint64_t {};

struct KeyPair {
    BoxPublic public_key;
    // 32 bytes, which must stay where they are as long as they are in use.
    BytesView secret;
};

struct PeerUp {
    ConnectionId connection{};
    OfficeId peer{};
    bool is_dialled = false;
    // The peer keeps it for later: its first frame was empty (WIRE.md 6). A FrameIn says that it is
    // in use.
    bool is_spare = false;
};
// A dialled address answers: the way to it is open. The handshake is still to come, and so is the
// connection's own answer if it was hastened.
struct PeerReached {
    ConnectionId connection{};
    bool is_hastened = false;
};
// Somebody dialled with a key that no office has. Only few of them are let in at a time.
struct StrangerUp {
    ConnectionId connection{};
    BoxPublic key;
};
// Why a connection ended, or did not come up.
enum class EndReason : std::uint8_t {
    no_answer,    // nobody accepts connections there
    no_greeting,  // something accepts them and does not speak as an office does: a login page, say
    no_name,      // the name of the machine is not known
    proxy,        // the proxy could not reach it; the detail says why
    refused,      // the peer does not know our key, or has shut it out
    not_let_in,   // the handshake failed: the peer has another key than we expect, say
    link_went,    // one that we dialled and that was up
    peer_went,    // one that the peer dialled
    offence,      // cut off here, because of what no office does; the detail says what
    closed_here,  // the detail says why
    contested,    // another machine comes with our keys, and each link ends the other's
    put_off,      // nothing was tried: too many names are being looked up
    not_dialled,  // nothing was tried: not on the word of others (told_address.h)
};
// For the log.
std::string_view words_of(EndReason reason);

// A peer's connection, or a stranger's, has ended, or did not come up.
struct PeerDown {
    ConnectionId connection{};
    EndReason reason{};
    std::string detail{};
};
// Empty: what came was no single frame.
struct FrameIn {
    ConnectionId connection{};
    Bytes bytes;
};
// Somebody connected and was cut off, because hardly any descriptors are left.
struct TooMany {};
using LinkEvent = std::variant<PeerUp, PeerReached, StrangerUp, PeerDown, FrameIn, TooMany>;

struct Stranger {};
// Whose a link key is.
using Caller = std::variant<OfficeId, Stranger>;

// How one address is dialled.
struct Way {
    std::string endpoint;
    // Sends nothing while idle; that the other end went is noticed when there is something to send.
    bool is_quiet = false;
    // HOST:PORT of a SOCKS5 proxy (RFC 1928), which is told the name and finds the address. Empty:
    // none.
    std::string proxy{};
    // In TCP segments of at most so many bytes, each way. 0: as large as the way seems to take. Not
    // through a proxy.
    int segment_max = 0;
    // On whose word it is dialled.
    Trust trust{};
    auto operator<=>(const Way&) const = default;
};

// A file descriptor of the caller's that the same wait should watch.
struct WatchedFd {
    int fd = -1;
    bool wants_write = false;
    bool is_readable = false;
    bool is_writable = false;
};

class ZmqLink {
public:
    // Who may come in with this link key; empty: nobody. Asked for every handshake.
    using Admit = std::function<std::optional<Caller>(const BoxPublic& key)>;

    static Result<std::unique_ptr<ZmqLink>> open(KeyPair keys, Admit admit);
    ~ZmqLink();
    ZmqLink(const ZmqLink&) = delete;
    ZmqLink& operator=(const ZmqLink&) = delete;

    // The address it listens on; a port of * is chosen by the system. unavailable: the address is
    // taken or is none of ours. refused: a key that is to be refused was let in, in the test that
    // is made at every start.
    Result<std::string> listen(const std::string& endpoint);
    // Who this end is when it dials from now on.
    void dial_as(KeyPair keys);
    // PeerUp or PeerDown follows. The peer must prove to hold `key`.
    ConnectionId dial(const Way& way, const BoxPublic& key, OfficeId peer);
    // PeerReached for an attempt under way is to come sooner than it would: the address is asked
    // three times a second, also until the next attempt if that is hastened too.
    void hasten(ConnectionId connection);
    // What is still under way may be lost. PeerDown does not follow.
    void close(ConnectionId connection);
    // Those whose own end has an address that this machine no longer has: nothing will ever come
    // over them, and nobody else says so.
    [[nodiscard]] std::vector<ConnectionId> without_address() const;
    // False if the link cannot take it: then it is to be closed.
    [[nodiscard]] bool send(ConnectionId connection, BytesView frame);

    // How soon its end is to be noticed though nothing is sent. Seldom: as a beat every two minutes
    // would; soon: within 15 s, at the price of 104 bytes for every 4 s in which nothing comes.
    enum class Vigil : std::uint8_t { seldom, soon };
    void watch_over(ConnectionId connection, Vigil vigil);

    // What has gone over it so far, both ways, headers and what was sent twice in it. Empty: it is
    // gone.
    [[nodiscard]] std::optional<std::uint64_t> bytes_on_the_wire(ConnectionId connection) const;

    // What the other end has behind something that was lost, and cannot be handed on yet.
    [[nodiscard]] std::uint64_t bytes_behind_hole(ConnectionId connection) const;

    // Until something happened or `timeout` passed. Bounded: more may be waiting.
    std::vector<LinkEvent> wait(std::span<WatchedFd> watched, std::chrono::milliseconds timeout);

private:
    std::vector<LinkEvent> wait_once(std::span<WatchedFd> watched,
                                     std::chrono::milliseconds timeout);

    struct Sockets;
    explicit ZmqLink(std::unique_ptr<Sockets> sockets);
    std::unique_ptr<Sockets> sockets_;
};

}  // namespace fieldpost::link
