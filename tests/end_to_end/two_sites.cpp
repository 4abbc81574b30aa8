#include "tests/end_to_end/two_sites.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

namespace fieldpost::end_to_end {

namespace {

constexpr const char* ip = "/sbin/ip";

Ran run_words(Words words) {
    return run(Command{.words = std::move(words)});
}

void must(Words words) {
    CAPTURE(words);
    const auto ran = run_words(std::move(words));
    INFO(ran);
    REQUIRE(ran.exit_code == 0);
}

int number_of(TwoSites::Site site) {
    return site == TwoSites::Site::field ? 1 : 2;
}

}  // namespace

bool TwoSites::can_be_made(std::string& why) {
    if (::geteuid() != 0) {
        why = "network namespaces need root";
        return false;
    }
    const auto name = fmt::format("fieldpost-try-{}", ::getpid());
    const auto made = run_words({ip, "netns", "add", name});
    why = made.err;
    if (made.exit_code == 0) {
        run_words({ip, "netns", "del", name});
    }
    return made.exit_code == 0;
}

TwoSites::TwoSites() : prefix_(fmt::format("fieldpost-{}-", ::getpid())), router_(prefix_ + "r") {
    must({ip, "netns", "add", router_});
    swallow(false);
    for (const auto site : {Site::field, Site::hq}) {
        const auto name = name_of(site);
        const auto port = fmt::format("port{}", number_of(site));
        std::filesystem::create_directories(files_of(site));
        write_file(files_of(site) / "hosts", "127.0.0.1 localhost\n");
        // No server listens at that address, so lookups fail at once.
        write_file(files_of(site) / "resolv.conf", "nameserver 127.0.0.1\n");
        must({ip, "netns", "add", name});
        must({ip, "-n", name, "link", "set", "lo", "up"});
        must({ip, "link", "add", port, "netns", router_, "type", "veth", "peer", "name", "cable",
              "netns", name});
        must({ip, "-n", router_, "addr", "add", address(site, 1) + "/24", "dev", port});
        must({ip, "-n", name, "link", "set", "cable", "up"});
    }
}

TwoSites::~TwoSites() {
    for (const auto site : {Site::field, Site::hq}) {
        run_words({ip, "netns", "del", name_of(site)});
        std::error_code ignored;
        std::filesystem::remove_all(files_of(site), ignored);
    }
    run_words({ip, "netns", "del", prefix_ + "guest"});
    run_words({ip, "netns", "del", router_});
}

std::string TwoSites::name_of(Site site) const {
    return prefix_ + (site == Site::field ? "field" : "hq");
}

// The folder of files that `ip netns exec` puts in the place of those in /etc.
std::filesystem::path TwoSites::files_of(Site site) const {
    return std::filesystem::path("/etc/netns") / name_of(site);
}

std::string TwoSites::address(Site site, int host) {
    return fmt::format("10.77.{}.{}", number_of(site), host);
}

Words TwoSites::at(Site site) const {
    return {ip, "netns", "exec", name_of(site)};
}

void TwoSites::plug(Site site) const {
    must({ip, "-n", router_, "link", "set", fmt::format("port{}", number_of(site)), "up"});
}

void TwoSites::unplug(Site site) const {
    must({ip, "-n", router_, "link", "set", fmt::format("port{}", number_of(site)), "down"});
}

void TwoSites::set_host(Site site, int host) const {
    const auto name = name_of(site);
    must({ip, "-n", name, "addr", "flush", "dev", "cable"});
    must({ip, "-n", name, "addr", "add", address(site, host) + "/24", "dev", "cable"});
    must({ip, "-n", name, "route", "replace", "default", "via", address(site, 1)});
}

void TwoSites::join(bool has_ipv4) const {
    must({ip, "link", "add", "direct", "netns", name_of(Site::field), "type", "veth", "peer",
          "name", "direct", "netns", name_of(Site::hq)});
    for (const auto site : {Site::field, Site::hq}) {
        if (has_ipv4) {
            must({ip, "-n", name_of(site), "addr", "add",
                  fmt::format("10.78.0.{}/24", number_of(site)), "dev", "direct"});
        }
        must({ip, "-n", name_of(site), "link", "set", "direct", "up"});
    }
}

void TwoSites::part() const {
    must({ip, "-n", name_of(Site::field), "link", "del", "direct"});
}

void TwoSites::join_with_guest() const {
    const auto guest = prefix_ + "guest";
    must({ip, "netns", "add", guest});
    must({ip, "-n", router_, "link", "add", "lan", "type", "bridge", "mcast_snooping", "0"});
    must({ip, "-n", router_, "link", "set", "lan", "up"});
    const std::map<std::string, std::string> addresses{
        {guest, guest_address()},
        {name_of(Site::field), "10.78.0.1"},
        {name_of(Site::hq), "10.78.0.2"},
    };
    for (int number = 0; const auto& [name, address] : addresses) {
        const auto port = fmt::format("lan{}", number++);
        must({ip, "link", "add", port, "netns", router_, "type", "veth", "peer", "name", "direct",
              "netns", name});
        must({ip, "-n", router_, "link", "set", port, "master", "lan"});
        must({ip, "-n", router_, "link", "set", port, "up"});
        must({ip, "netns", "exec", name, "/bin/sh", "-c",
              "echo 1 > /proc/sys/net/ipv6/conf/direct/disable_ipv6"});
        must({ip, "-n", name, "addr", "add", address + "/24", "dev", "direct"});
        must({ip, "-n", name, "link", "set", "direct", "up"});
    }
}

bool TwoSites::as_guest(const std::function<void()>& what) const {
    bool is_there = false;
    std::thread([&] {
        const auto name = "/var/run/netns/" + prefix_ + "guest";
        const int network = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
        is_there = ::setns(network, CLONE_NEWNET) == 0;  // moves this thread only
        ::close(network);
        if (is_there) {
            what();
        }
    }).join();
    return is_there;
}

void TwoSites::swallow(bool is_on) const {
    must({ip, "netns", "exec", router_, "/bin/sh", "-c",
          fmt::format("echo {} > /proc/sys/net/ipv4/ip_forward", is_on ? 0 : 1)});
}

void TwoSites::set_rate(int kilobits_per_second) const {
    must({"/sbin/tc", "-n", router_, "qdisc", "replace", "dev",
          fmt::format("port{}", number_of(Site::hq)), "root", "tbf", "rate",
          fmt::format("{}kbit", kilobits_per_second), "burst", "4000", "latency", "2s"});
}

void TwoSites::set_name(const std::string& name, const std::string& address) const {
    write_file(
        files_of(Site::field) / "hosts",
        "127.0.0.1 localhost\n" + (address.empty() ? "" : fmt::format("{} {}\n", address, name)));
}

}  // namespace fieldpost::end_to_end
