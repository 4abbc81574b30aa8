// Finds the addresses of a host's name without holding up anything else.
//
// libzmq resolves names on the one thread that moves all its bytes. A resolver that cannot be
// reached takes half a minute to say so, as it does offline. Here each lookup has a thread of its
// own, so a slow lookup delays only itself.
//
// Promise: at most eight lookups are under way, and at most five of these are for names that others
// told. So the names in this office's own configuration find a place, even if many names with a
// silent server are announced.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/link/told_address.h"
#include "proto/vocabulary.h"

namespace fieldpost::link {

class NameLookup {
public:
    struct Answer {
        std::uint64_t ticket = 0;
        // The endpoint with an address in place of the name. Empty: no address of the name is known
        // now.
        std::string endpoint;
        // There was no free place: no lookup was made.
        bool is_put_off = false;
    };

    // Gives the addresses of a host: numeric, each once. Empty: none. It may wait for as long as it
    // needs.
    using Resolver = std::function<std::vector<std::string>(const std::string& host)>;

    // Uses the system's resolver, which reads /etc/hosts and asks name servers.
    NameLookup();
    explicit NameLookup(Resolver resolver);
    // Does not wait for lookups that are still under way.
    ~NameLookup();
    NameLookup(const NameLookup&) = delete;
    NameLookup& operator=(const NameLookup&) = delete;

    // True if the endpoint "tcp://HOST:PORT" has a name that has to be looked up.
    static bool is_needed(const std::string& endpoint);
    // take() gives the answer later. If a name has several addresses, each call gives the next one.
    void ask(std::uint64_t ticket, const std::string& endpoint, Word word);
    // Readable when take() has something.
    [[nodiscard]] int fd() const;
    std::vector<Answer> take();

private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
    Resolver resolver_;
    std::map<std::string, unsigned> asked_;  // how often each endpoint was asked for
};

}  // namespace fieldpost::link
