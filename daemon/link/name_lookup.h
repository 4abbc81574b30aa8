// Finds the addresses of a host's name without holding up anybody else.
//
// libzmq resolves names on the one thread that moves all its bytes, and a resolver that cannot be
// reached, as offline ones cannot, takes half a minute to say so. Here each lookup has a thread of
// its own, and what is slow is late for itself alone.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/vocabulary.h"

namespace fieldpost::link {

class NameLookup {
public:
    struct Answer {
        std::uint64_t ticket = 0;
        // With an address in the place of the name. Empty: nothing is known of the name now.
        std::string endpoint;
    };

    NameLookup();
    // Does not wait for what is still being looked up.
    ~NameLookup();
    NameLookup(const NameLookup&) = delete;
    NameLookup& operator=(const NameLookup&) = delete;

    // Whether there is a name in it to be looked up: "tcp://HOST:PORT".
    static bool is_needed(const std::string& endpoint);
    // The answer follows. Of several addresses, each call gives the next one.
    void ask(std::uint64_t ticket, const std::string& endpoint);
    // Readable when take() has something.
    [[nodiscard]] int fd() const;
    std::vector<Answer> take();

private:
    struct Shared;
    std::shared_ptr<Shared> shared_;
    std::map<std::string, unsigned> asked_;  // how often, by endpoint
};

}  // namespace fieldpost::link
