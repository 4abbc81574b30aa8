// Goal: whenever any link appears it is used, and every fault of the network heals without a
// restart.
// Method: two daemons in network namespaces with a router between them; the networks between them
// are changed under their feet.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <map>
#include <sstream>
#include <thread>

#include "tests/end_to_end/two_sites.h"

using namespace fieldpost::end_to_end;
using Site = TwoSites::Site;

namespace {

// A field office that knows hq by a name only, and thirty addresses at which nobody is.
struct OfficesFarApart {
    Network network;
    TwoSites sites;
    Office& hq = network.bare("hq");
    Office& hyesan = network.bare("hyesan");

    OfficesFarApart() {
        hq.live_behind(sites.at(Site::hq));
        hyesan.live_behind(sites.at(Site::field));
        hq.ask({"init", "hq", "--network", "reha", "--listen", "tcp://*:6743", "--advertise",
                "tcp://hq.test:6743"});
        hq.start();
        const auto file = network.folder() / "hyesan.invite";
        hq.ask({"invite", "hyesan", "--no-code", "--output", file.string()});
        hyesan.ask({"join", file.string()});
        std::string dead;
        for (int host = 100; host < 130; ++host) {
            dead += fmt::format("[[peer]]\naddress = \"tcp://{}:6743\"\n",
                                TwoSites::address(Site::hq, host));
        }
        write_file(hyesan.home() / "fieldpost.toml", dead);
    }

    // Something queued at hyesan from now on arrives, and hyesan comes to know.
    void check_arrives(const std::string& when) const {
        INFO(when);
        const auto id = hyesan.queue({"--to", "hq"}, when + "\n");
        check_arrives_soon(when, id);
    }
    void check_arrives_soon(const std::string& when, const std::string& id) const {
        INFO(when << "\nhyesan:\n" << hyesan.log() << "\nhq:\n" << hq.log());
        REQUIRE(eventually([&] { return hyesan.ask({"trace", id}).at("state") == "delivered"; }));
    }
    [[nodiscard]] bool is_linked() const {
        return number_in(hyesan.ask({"status"}), "/peers/connected") == 1;
    }
};

// Bytes that have arrived at hq over each connection of the field site, by the connection's own
// port.
std::map<std::string, std::uint64_t> arrived_by_port(const TwoSites& sites) {
    auto words = sites.at(Site::field);
    std::ranges::copy(Words{"/bin/ss", "-HtniO", "state", "established"},
                      std::back_inserter(words));
    const auto ran = run(Command{.words = std::move(words)});
    std::map<std::string, std::uint64_t> sent;
    std::istringstream lines(ran.out);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words_of_line(line);
        std::string own;
        std::string before;
        for (std::string word; words_of_line >> word; before = word) {
            if (own.empty() && word.ends_with(":6743")) {
                own = before.substr(before.rfind(':') + 1);
            }
            const std::string_view acked = "bytes_acked:";
            if (!own.empty() && word.starts_with(acked)) {
                sent[own] = std::stoull(word.substr(acked.size()));
            }
        }
    }
    return sent;
}

}  // namespace

TEST_CASE("a daemon finds its way whatever the network does", "[end_to_end][link][slow]") {
    std::string why;
    if (!TwoSites::can_be_made(why)) {
        WARN("not tested: " << why);
        return;
    }
    OfficesFarApart offices;
    const auto& sites = offices.sites;
    offices.hyesan.start();
    const auto first = offices.hyesan.queue({"--to", "hq"}, "before there was any network\n");

    sites.set_host(Site::hq, 2);
    sites.set_host(Site::field, 2);
    sites.plug(Site::hq);
    sites.plug(Site::field);
    // The name resolves only now.
    sites.set_name("hq.test", TwoSites::address(Site::hq, 2));
    offices.check_arrives_soon("a cable, an address and a name appear", first);

    sites.set_host(Site::field, 7);
    offices.check_arrives("this end's address has changed");

    sites.set_host(Site::hq, 9);
    sites.set_name("hq.test", TwoSites::address(Site::hq, 9));
    offices.check_arrives("the other end's address has changed");

    sites.swallow(true);
    const auto swallowed = offices.hyesan.queue({"--to", "hq"}, "into a black hole\n");
    REQUIRE(eventually([&] { return !offices.is_linked(); }));
    sites.swallow(false);
    offices.check_arrives_soon("a black hole is mended", swallowed);

    offices.hq.kill();
    REQUIRE(eventually([&] { return !offices.is_linked(); }));
    offices.hq.start();
    offices.check_arrives("the other end was restarted");

    sites.unplug(Site::field);
    const auto unplugged = offices.hyesan.queue({"--to", "hq"}, "unplugged\n");
    REQUIRE(eventually([&] { return !offices.is_linked(); }));
    sites.plug(Site::field);
    offices.check_arrives_soon("a cable is back", unplugged);
}

TEST_CASE("while much is sent over a slow link a spare connection stands by",
          "[end_to_end][link][slow]") {
    std::string why;
    if (!TwoSites::can_be_made(why)) {
        WARN("not tested: " << why);
        return;
    }
    // Bytes of a handshake and the mark of a spare connection. More than `idle_bytes` is data.
    constexpr std::uint64_t shaken_hands_bytes = 600;
    constexpr std::uint64_t idle_bytes = 2000;
    OfficesFarApart offices;
    const auto& sites = offices.sites;
    for (const auto site : {Site::field, Site::hq}) {
        sites.set_host(site, 2);
        sites.plug(site);
    }
    sites.set_name("hq.test", TwoSites::address(Site::hq, 2));
    sites.set_rate(200);
    offices.hyesan.start();
    REQUIRE(eventually([&] { return offices.is_linked(); }));
    write_file(offices.network.folder() / "scan.jpg", random_bytes(600'000));
    const auto id = offices.hyesan.queue(
        {"--to", "hq", "--attach", (offices.network.folder() / "scan.jpg").string()}, "see scan\n");

    std::string spare;
    std::uint64_t before = 0;
    REQUIRE(eventually([&] {
        const auto sent = arrived_by_port(sites);
        const auto idle = std::ranges::find_if(sent, [&](const auto& one) {
            return one.second > shaken_hands_bytes && one.second < idle_bytes;
        });
        spare = idle == sent.end() ? "" : idle->first;
        // Nothing more comes over it: both ends have done with its handshake.
        const auto now = idle == sent.end() ? 0 : idle->second;
        const bool is_idle = now != 0 && std::exchange(before, now) == now;
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        return sent.size() == 2 && is_idle;
    }));
    sites.swallow(true);
    REQUIRE(eventually([&] { return !offices.is_linked(); }));
    sites.swallow(false);
    const bool is_used = eventually([&] {
        const auto sent = arrived_by_port(sites);
        return sent.contains(spare) && sent.at(spare) > 10 * idle_bytes;
    });
    INFO("hyesan:\n" << offices.hyesan.log() << "\nhq:\n" << offices.hq.log());
    REQUIRE(is_used);
    offices.check_arrives_soon("a black hole is mended", id);
}
