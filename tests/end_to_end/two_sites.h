// Two sites with a router between them, in network namespaces of their own.
//
// Promise: everything that is made is removed, however a test ends. Needs root and a kernel that
// allows it.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "tests/end_to_end/offices.h"

namespace fieldpost::end_to_end {

class TwoSites {
public:
    enum class Site { field, hq };

    // True if this machine lets us. Otherwise `why` gives the reason.
    static bool can_be_made(std::string& why);
    // Nothing is plugged in, and no site has an address.
    TwoSites();
    ~TwoSites();
    TwoSites(const TwoSites&) = delete;
    TwoSites& operator=(const TwoSites&) = delete;

    // The words to put before a command so that it runs at that site.
    [[nodiscard]] Words at(Site site) const;
    void plug(Site site) const;
    void unplug(Site site) const;
    // The only address of the site: its host number in the site's own network. Routes follow.
    void set_host(Site site, int host) const;
    [[nodiscard]] static std::string address(Site site, int host);
    // A cable from site to site, without a router: both are in one network. With an IPv4 address at
    // each end, or only with the IPv6 one that every end has.
    void join(bool has_ipv4) const;
    void part() const;
    // One network of IPv4 only, with a third machine in it, a guest. It lasts until the end of the
    // test.
    void join_with_guest() const;
    // Runs `what` on a thread of this process that is in the guest's network, and waits for it.
    // False: it could not get there.
    [[nodiscard]] bool as_guest(const std::function<void()>& what) const;
    static std::string guest_address() { return "10.78.0.66"; }
    // The router takes every packet and passes none on, silently.
    void swallow(bool is_on) const;
    // Limits what the router passes on to hq, from now on.
    void set_rate(int kilobits_per_second) const;
    // The only name that the field site can resolve; an empty address: none.
    void set_name(const std::string& name, const std::string& address) const;

private:
    [[nodiscard]] std::string name_of(Site site) const;
    [[nodiscard]] std::filesystem::path files_of(Site site) const;

    std::string prefix_;
    std::string router_;
};

}  // namespace fieldpost::end_to_end
