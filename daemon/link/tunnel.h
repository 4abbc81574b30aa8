// One connection that this process makes itself, and that libzmq uses as if it were local. It goes
// through a SOCKS5 proxy (RFC 1928), or in small TCP segments.
//
// A path may drop large packets and tell nobody (RFC 2923, 2.1). Only an option that is set before
// the connection begins helps (TCP_MAXSEG), and libzmq has no call for it.
//
// libzmq's own client ends the process when the proxy does not answer. Here the proxy is asked
// first. Then a socket of this machine, which only this process may use, leads through. The proxy
// is told the name and finds the address: nothing is looked up here.
//
// Nothing waits: the owner polls watches() and calls advance().
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/link/connection_fd.h"
#include "proto/bytes.h"

namespace fieldpost::link {

class Tunnel {
public:
    using Clock = std::chrono::steady_clock;
    enum class State {
        asking,   // connecting, and asking the proxy
        ready,    // the way is open: libzmq can connect to endpoint(), once
        through,  // bytes go both ways
        ended,    // reason() says why
    };
    struct Watch {
        int fd = -1;
        bool wants_read = false;
        bool wants_write = false;
    };

    // `proxy` is "tcp://ADDRESS:PORT", without a name; `to` is "tcp://HOST:PORT".
    Tunnel(const std::string& proxy, const std::string& to);
    // Straight to "tcp://ADDRESS:PORT", in segments of at most `segment_max` bytes each way.
    Tunnel(const std::string& to, int segment_max);
    ~Tunnel();
    Tunnel(const Tunnel&) = delete;
    Tunnel& operator=(const Tunnel&) = delete;

    // Does everything that is possible without waiting.
    State advance();
    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] std::vector<Watch> watches() const;
    // When the tunnel ends if nothing comes. Empty: it has no such limit.
    [[nodiscard]] std::optional<Clock::time_point> until() const;
    [[nodiscard]] std::string endpoint() const { return "ipc://@" + name_; }
    [[nodiscard]] const std::string& reason() const { return reason_; }
    [[nodiscard]] std::optional<std::uint64_t> bytes_on_the_wire() const;
    // The connection that leaves this machine. Empty before it exists.
    [[nodiscard]] ConnectionFd outer() const { return ConnectionFd::of_connection(proxy_); }

private:
    // Bytes on their way through, in one direction.
    struct Half {
        Bytes bytes{};
        std::size_t done = 0;
        [[nodiscard]] bool is_empty() const { return done == bytes.size(); }
    };

    void end(std::string reason);
    bool has_connected();
    bool ask();
    void listen();
    bool let_in();
    static bool pass(int from, int to, Half& half);
    // Reads more until `wanted` bytes of the proxy's answer are there. True: they are.
    bool has_answer(std::size_t wanted);

    State state_ = State::asking;
    std::string reason_;
    Clock::time_point until_;
    int proxy_ = -1;
    int listener_ = -1;
    int libzmq_ = -1;
    std::string name_;
    Bytes to_say_;
    Bytes answer_;
    Bytes request_;
    bool has_proxy_ = true;
    bool is_connected_ = false;
    bool has_asked_ = false;
    Half out_;
    Half in_;
};

}  // namespace fieldpost::link
