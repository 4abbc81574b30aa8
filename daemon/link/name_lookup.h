// Finds the addresses of a host's name without holding up anybody else.
//
// libzmq resolves names on the one thread that moves all its bytes, and a resolver that cannot be
// reached, as offline ones cannot, takes half a minute to say so. Here each lookup has a thread of
// its own, and what is slow is late for itself alone.
//
// Promise: eight lookups at most are under way, and of these five at most for names that others
// told. So the names in this office's own configuration find a place, however many names with a
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
        // With an address in the place of the name. Empty: nothing is known of the name now.
        std::string endpoint;
        // There was no free place: nothing was asked, and nothing is known.
        bool is_put_off = false;
    };

    // The addresses of a host, numeric, each once. Empty: none. It may wait for as long as it
    // likes.
    using Resolver = std::function<std::vector<std::string>(const std::string& host)>;

    // With the system's resolver, which reads /etc/hosts and asks name servers.
    NameLookup();
    explicit NameLookup(Resolver resolver);
    // Does not wait for what is still being looked up.
    ~NameLookup();
    NameLookup(const NameLookup&) = delete;
    NameLookup& operator=(const NameLookup&) = delete;

    // Whether there is a name in it to be looked up: "tcp://HOST:PORT".
    static bool is_needed(const std::string& endpoint);
    // The answer follows. Of several addresses, each call gives the next one.
    void ask(std::uint64_t ticket, const std::string& endpoint, Word word);
    // Readable when take() has something.
    [[nodiscard]] int fd() const;
    std::vector<Answer> take();

private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
    Resolver resolver_;
    std::map<std::string, unsigned> asked_;  // how often, by endpoint
};

}  // namespace fieldpost::link
