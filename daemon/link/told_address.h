// Rules for dialling an address on the word of others: an office's statement, a call in the local
// network, or a name server's answer. A person's own word, in fieldpost.toml, is not judged.
//
// Promise: on the word of others no address of this machine is ever dialled, nor an address that
// means no single machine, nor a port of another service. So no member can make offices touch
// services on loopback, or knock at the ports below 1024.
//
// Addresses are judged as numbers, after names were looked up, so no spelling matters. Not
// promised: that an office is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/link/connection_fd.h"

namespace fieldpost::link {

// The source of an address that is dialled.
enum class Word : std::uint8_t {
    by_hand,  // a person here
    told,     // the office's own statement
    heard,    // a call in the local network, which came from that very address
};

struct Trust {
    Word word = Word::by_hand;
    // True if an office has proved its key at this endpoint, so that the port belongs to no other
    // service.
    bool is_proved = false;
    // True if the whole network lives on one machine: its founder announces a loopback address.
    bool is_on_one_machine = false;
    auto operator<=>(const Trust&) const = default;
};

// The endpoint in the one spelling of its address, if it has an address and no name:
// "tcp://[::1]:6743". IPv4 in its IPv6 form becomes IPv4. Old spellings such as 0x7f.1 are
// addresses. Empty: the host is a name, or nonsense.
std::optional<std::string> numeric_endpoint(const std::string& endpoint);

// True for an address of 127.0.0.0/8, or ::1.
bool is_loopback(const std::string& endpoint);

// Why the endpoint is not dialled. Empty: it may be dialled. `ours` are the addresses of this
// machine.
std::string_view why_not_dialled(const std::string& endpoint, const Trust& trust,
                                 const Addresses& ours);
// why_not_dialled() for an endpoint that a proxy is asked for. The proxy looks names up. So the
// only thing to judge about a name is that it does not mean the proxy's own machine.
std::string_view why_not_asked_for(const std::string& endpoint, const Trust& trust,
                                   const Addresses& ours);

}  // namespace fieldpost::link
